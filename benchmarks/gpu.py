"""Measures Keras and `mpfix validate` on one NVIDIA card, with the backend of KERAS_BACKEND; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mpfix.settings import Settings
from mpfix.validate.endings import ending_of
from mpfix.validate.figures import variant_result
from mpfix.validate.measure import measure, validate
from mpfix.validate.plan import MEMORY, ChildJob, Options, Variant
from mpfix.validate.runner import ChildResult, run_child
from mpfix.validation import ValidationReport, VariantResult, Verdict

PROGRAMS = Path(__file__).parents[1] / "fixtures" / "gpu"
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")
MEGABYTE = 1e6
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A model under one policy."""

    model: str
    batch: int
    optimizer: str
    policy: str
    extra: tuple[int, ...] = ()


TIMED = (("conv", 32, "adam"), ("mlp", 16, "adam"), ("encoder", 64, "adam"))
"""These have the machine for themselves."""
UNTIMED = (
    ("conv", 4, "adam"),
    ("conv", 32, "sgd"),
    ("mlp", 4096, "adam"),
    ("mlp", 16, "sgd"),
    ("encoder", 4, "adam"),
    ("embedding", 32, "adam"),
    ("embedding", 32, "sgd"),
)
UNSCALED = (Case("mlp", 16, "adam-unscaled", "mixed_float16"), Case("mlp", 16, "sgd-unscaled", "mixed_float16"))
"""What the scaling of the loss adds."""
SMALL = (("conv", 2, "adam"), ("encoder", 2, "sgd"))
"""To try the script on a CPU."""
HELD = 1024
"""MiB of the tensor whose size is known."""


def main() -> int:
    """Print what was asked for as TOML, each row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["machine", "steps", "memory", "known", "itself", "fixes"], nargs="+")
    parser.add_argument("--jobs", type=int, default=6, help="runs at a time where no time is measured")
    parser.add_argument("--runs", type=int, default=3, help="comparisons of `itself`")
    parser.add_argument("--small", action="store_true", help="two small models, to try this script without a card")
    arguments = parser.parse_args()
    for what in arguments.what:
        for table, row in rows(what, arguments):
            print(f"\n[[{table}]]", *(f"{name} = {json.dumps(value)}" for name, value in row.items()), sep="\n")
            sys.stdout.flush()
    return 0


def rows(what: str, arguments: argparse.Namespace) -> Iterator[tuple[str, Row]]:
    """The rows of one part, each with the table that it belongs to."""
    if what == "machine":
        yield "machine", machine()
    elif what in ("steps", "memory"):
        chosen = SMALL if arguments.small else TIMED if what == "steps" else UNTIMED
        cases = [Case(*parts, policy) for parts in chosen for policy in POLICIES]
        cases += UNSCALED if what == "memory" and not arguments.small else ()
        steps = 24 if what == "steps" else 5
        with ThreadPoolExecutor(1 if what == "steps" else arguments.jobs) as pool:
            yield from (("step", row) for row in pool.map(lambda case: case_row(case, steps, what == "steps"), cases))
    elif what == "known":
        yield from known()
    elif what == "itself":
        options = Options((PROGRAMS / "digits.py").absolute(), display="digits.py")
        yield "itself", of_itself(measure(options, [Variant(str(number)) for number in range(arguments.runs + 1)]))
    else:
        names = ("digits.py",) if arguments.small else ("digits.py", "late_policy.py")
        yield from (row for name in names for row in of_fixes(name))


def machine() -> Row:
    """The card and its driver."""
    import pynvml  # type: ignore[import-not-found, import-untyped, unused-ignore]

    pynvml.nvmlInit()
    card = pynvml.nvmlDeviceGetHandleByIndex(0)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "card": str(pynvml.nvmlDeviceGetName(card)),
        "card_megabytes": round(pynvml.nvmlDeviceGetMemoryInfo(card).total / MEGABYTE),
        "driver": str(pynvml.nvmlSystemGetDriverVersion()),
        "processors": os.cpu_count(),
    }


def run(case: Case, steps: int) -> tuple[ChildResult, VariantResult]:
    """One run for memory and time, and what `mpfix validate` makes of it."""
    script = (PROGRAMS / "models.py").absolute()
    given = (case.model, str(case.batch), case.optimizer, str(steps), *map(str, case.extra))
    options = Options(script, display=script.name, arguments=given, steps=steps, warmup=min(4, steps - 1))
    variant = Variant(case.policy, policy=case.policy)
    result = run_child(ChildJob(options, variant, MEMORY, Path.cwd(), script))
    ending = ending_of(result, script, options.timeout, script.read_text("utf-8"))
    return result, variant_result(variant, options, [result], result, None, ending)


def case_row(case: Case, steps: int, is_timed: bool) -> Row:
    """One row: sizes in megabytes as `mpfix validate` tells them, beside what the model itself counts."""
    result, found = run(case, steps)
    row = {"backend": os.environ["KERAS_BACKEND"], **vars_of(case)}
    told = told_by(result)
    if found.memory is None or not told:
        return {**row, "failed": found.ending.sentence, "output": result.output[-600:]}
    memory, current = found.memory, held_now(result)
    row |= {"peak": in_megabytes(memory.peak.middle), "after_warmup": in_megabytes(memory.steady.middle)}
    row |= {"variables": in_megabytes(memory.variables), "slots": in_megabytes(memory.slots)}
    row |= {"million_weights": told["weights"] / 1e6, "held_at_the_end": in_megabytes(current)}
    row |= {"reserved": in_megabytes(memory.reserved or 0), "nvml": in_megabytes(memory.gpu_process or 0)}
    if memory.allocator_peak is not None:
        row |= {"allocator_peak": in_megabytes(memory.allocator_peak), "xla": in_megabytes(planned(told["plan"]))}
    if is_timed and found.step_seconds is not None:
        row["step_ms"] = round(found.step_seconds.middle * 1e3, 2)
    row["first_step_ms"] = round((found.first_seconds or 0) * 1e3)
    return row if memory.is_gpu else {**row, "label": memory.label}


def vars_of(case: Case) -> dict[str, Any]:
    """The names that a row begins with."""
    return {"model": case.model, "batch": case.batch, "optimizer": case.optimizer, "policy": case.policy}


def in_megabytes(size: float) -> float:
    """Bytes as megabytes with one decimal."""
    return round(size / MEGABYTE, 1)


def told_by(result: ChildResult) -> dict[str, Any]:
    """What `models.py` printed last."""
    lines = [line for line in result.output.splitlines() if line.startswith("{")]
    return dict(json.loads(lines[-1])) if lines else {}


def held_now(result: ChildResult) -> int:
    """Bytes in use when the steps were done, by the allocator of the backend that trained."""
    summary = result.last("summary") or {}
    return max((item["current"] for item in summary["memory"]["devices"].values()), default=0)


def planned(plan: Mapping[str, int]) -> int:
    """Bytes that XLA needs for its largest program: what it is given, makes and needs meanwhile."""
    return plan["argument"] + plan["output"] - plan["alias"] + plan["temp"]


def known() -> Iterator[tuple[str, Row]]:
    """What a tensor of known size adds to each figure: held during training, or given back before."""
    figures: dict[str, list[float]] = {}
    for name, extra in (("none", ()), ("held", (HELD,)), ("freed", (0, HELD))):
        result, found = run(Case("mlp", 16, "sgd", "float32", extra), 5)
        memory = found.memory
        if memory is None:
            yield "known", {"tensor": name, "failed": found.ending.sentence, "output": result.output[-600:]}
            continue
        sizes = (memory.peak.middle, memory.steady.middle, memory.reserved or 0, memory.gpu_process or 0)
        figures[name] = [size / 2**20 for size in (*sizes, held_now(result))]
        names = ("peak", "after_warmup", "reserved", "nvml", "held_at_the_end")
        more = [round(a - b, 2) for a, b in zip(figures[name], figures.get("none", figures[name]), strict=True)]
        row = {"backend": os.environ["KERAS_BACKEND"], "tensor": name, "mebibytes": HELD if extra else 0}
        yield "known", {**row, **dict(zip(names, more, strict=True)), "first_peak": round(figures[name][0], 2)}


def of_itself(report: ValidationReport) -> Row:
    """What comparisons of a script with itself found: every difference is one too many."""
    memory = [value for item in report.variants if item.memory for value in item.memory.peak.values]
    seconds = [value for item in report.variants if item.step_seconds for value in item.step_seconds.values]
    different = [answer for answer in report.answers if answer.verdict is not Verdict.SAME]
    return {
        "backend": report.variants[0].backend,
        "gpus": list(report.variants[0].gpus),
        "versions": ", ".join(f"{name} {version}" for name, version in report.variants[0].versions.items()),
        "memory": report.variants[0].memory.label if report.variants[0].memory else report.failure,
        "comparisons": len(report.variants) - 1,
        "answers": len(report.answers),
        "differences": [f"{answer.question} {answer.sentence}" for answer in different],
        "symptoms": [sorted({symptom.key for symptom in item.symptoms}) for item in report.variants],
        "megabytes": [round(size / MEGABYTE, 3) for size in memory],
        "step_ms": [round(value * 1e3, 2) for value in seconds],
        "losses": sorted({answer.sentence for answer in report.answers if "learn" in answer.question}),
    }


def of_fixes(name: str) -> Iterator[tuple[str, Row]]:
    """What `mpfix validate --unsafe-fixes` says of one program."""
    options = Options((PROGRAMS / name).absolute(), display=name)
    report = validate(options, replace(Settings(), unsafe_fixes=True))
    row: dict[str, Any] = {"backend": os.environ["KERAS_BACKEND"], "program": name}
    row["fixes"] = ", ".join(f"{code}: {number}" for code, number in report.fixes.items())
    row |= {answer.question: f"{answer.verdict.value}: {answer.sentence}" for answer in report.answers}
    row |= {f"{item.label}_{key}": value for item in report.variants for key, value in of_variant(item).items()}
    quoted = {key if key.isidentifier() else json.dumps(key): value for key, value in row.items()}
    yield "fixes", quoted if report.failure is None else {**quoted, "failed": report.failure}


def of_variant(variant: VariantResult) -> dict[str, Any]:
    """Memory, time and symptoms of one variant."""
    memory, seconds = variant.memory, variant.step_seconds
    return {
        "peak": [in_megabytes(size) for size in memory.peak.values] if memory else [],
        "nvml": in_megabytes(memory.gpu_process or 0) if memory else 0,
        "step_ms": [round(value * 1e3, 2) for value in seconds.values] if seconds else [],
        "symptoms": [symptom.sentence for symptom in variant.symptoms],
    }


if __name__ == "__main__":
    sys.exit(main())
