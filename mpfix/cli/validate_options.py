"""The options that only `validate` has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mpfix.errors import UsageError

if TYPE_CHECKING:
    from mpfix.validate.plan import Options

FORMATS = ("text", "json", "markdown")
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[KMGT]?)(?:i?B)?", re.IGNORECASE)

Script = Annotated[str, typer.Argument(metavar="SCRIPT", help="The training script or notebook.")]
Arguments = Annotated[
    list[str] | None, typer.Argument(metavar="[-- ARGS]", help="Arguments of the script, behind `--`.")
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Training steps to run.")]
Warmup = Annotated[int, typer.Option("--warmup", min=0, help="First steps that are left out of the time of a step.")]
Repeat = Annotated[int, typer.Option("--repeat", min=1, help="Runs for memory and time; one has no known spread.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of all random generators; the script may set its own.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Seconds for each run.")]
MemoryLimit = Annotated[
    str | None, typer.Option("--memory-limit", metavar="SIZE", help="End a run that holds more, such as 8G.")
]
Scratch = Annotated[bool, typer.Option("--scratch", help="Run in a temporary copy of the script's folder.")]
Define = Annotated[
    list[str] | None,
    typer.Option(
        "--define",
        metavar="NAME=SPEC",
        help="Data that stand in: `x=float32[1024,784]`, `y=int32[1024]<10`, `data=dataset(SPEC, SPEC, batch=32)`.",
    ),
]
Policies = Annotated[
    str | None, typer.Option("--policies", metavar="NAMES", help="Run under each policy; the first is compared with.")
]
BatchSizes = Annotated[
    str | None, typer.Option("--batch-sizes", metavar="NUMBERS", help="Run with each batch size of `fit`.")
]
FailOnRegression = Annotated[
    bool, typer.Option("--fail-on-regression", help="Exit with 1 when something became worse.")
]
ReportFormat = Annotated[str, typer.Option("--output-format", metavar="FORMAT", help="text, json or markdown.")]


def options_from(given: Mapping[str, Any]) -> Options:
    """What the command was called with.

    Raises:
        UsageError: a value is wrong.
    """
    from mpfix.validate.plan import Options

    if given["output_format"] not in FORMATS:
        raise UsageError(f"`--output-format`: `{given['output_format']}` is none of {', '.join(FORMATS)}")
    return Options(
        script=Path(given["script"]).absolute(),
        display=given["script"],
        arguments=tuple(given["arguments"] or ()),
        steps=given["steps"],
        warmup=given["warmup"],
        seed=given["seed"],
        timeout=given["timeout"],
        memory_limit=_size(given["memory_limit"]),
        repeat=given["repeat"],
        scratch=given["scratch"],
        defines=tuple(map(_define, given["define"] or ())),
        policies=tuple(map(_policy, _parts(given["policies"]))),
        batch_sizes=tuple(map(_positive, _parts(given["batch_sizes"]))),
        legacy_keras=given["keras"] == "2",
    )


def _parts(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _policy(name: str) -> str:
    if name not in POLICIES:
        raise UsageError(f"`--policies`: `{name}` is none of {', '.join(POLICIES)}")
    return name


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise UsageError(f"`--batch-sizes`: `{text}` is no positive number")
    return int(text)


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"`--memory-limit`: `{text}` is no size; write `8G` or `500M`")
    return int(float(match["number"]) * _UNITS[match["unit"].upper()])


def _define(text: str) -> str:
    name, equals, spec = text.partition("=")
    if not equals or not name.strip().isidentifier() or not spec.strip():
        raise UsageError(f"`--define`: `{text}` is no NAME=SPEC, such as `x=float32[1024,784]`")
    return text
