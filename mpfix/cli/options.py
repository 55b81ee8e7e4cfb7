"""Every option, declared once; commands name the type."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mpfix.cli import console
from mpfix.errors import UsageError
from mpfix.settings import KEYS, Settings, load_settings

if TYPE_CHECKING:
    from mpfix.registry import Registry

Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH", help="Files or folders; `-` is standard input; without any, the current folder."),
]
RuleName = Annotated[
    str, typer.Argument(metavar="RULE", help="Code or name of a rule, such as MP301 or half-softmax-head.")
]

Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select", metavar="RULES", help="Look for these only: codes, names, families (MP2), ALL; comma separated."
    ),
]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="RULES", help="Do not look for these.")]
ExtendSelect = Annotated[
    list[str] | None, typer.Option("--extend-select", metavar="RULES", help="Look for these besides those selected.")
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The settings file; without it, the nearest one is read."),
]
Isolated = Annotated[bool, typer.Option("--isolated", help="Read no settings file.")]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude", metavar="PATTERNS", help="Leave these out instead of the default ones; grammar of .gitignore."
    ),
]
ExtendExclude = Annotated[
    list[str] | None, typer.Option("--extend-exclude", metavar="PATTERNS", help="Leave these out too.")
]
ForceExclude = Annotated[
    bool, typer.Option("--force-exclude", help="Leave excluded files out even where they are named one by one.")
]
StdinFilename = Annotated[
    str | None, typer.Option("--stdin-filename", metavar="NAME", help="The name that standard input goes by.")
]
Keras = Annotated[
    str | None,
    typer.Option("--keras", metavar="GENERATION", help="2, 3, 2+3 (right on both) or auto (the project decides)."),
]
AssumePolicy = Annotated[
    str | None,
    typer.Option(
        "--assume-policy", metavar="POLICY", help="The policy in force where the code sets none, such as mixed_float16."
    ),
]
NoContext = Annotated[
    bool, typer.Option("--no-context", help="Read no other files of the project to understand the given ones.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache.")]
CacheDir = Annotated[
    Path | None, typer.Option("--cache-dir", metavar="DIR", help="The folder of the cache; else `.mpfix_cache`.")
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", metavar="N", min=0, help="At most this many processes; 0: as many as the work is worth."
    ),
]
FailOn = Annotated[
    str | None,
    typer.Option(
        "--fail-on", metavar="SEVERITY", help="The mildest finding that gives exit status 1: error, warning, note."
    ),
]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 even where findings remain.")]
OutputFormat = Annotated[str | None, typer.Option("--output-format", metavar="FORMAT", help="text, concise or json.")]
ShowDtypes = Annotated[
    bool, typer.Option("--show-dtypes", help="Instead of findings: each layer, the dtype it computes in, and why.")
]
UnsafeFixes = Annotated[
    bool, typer.Option("--unsafe-fixes", help="Also apply fixes that may change what the code does.")
]
Diff = Annotated[bool, typer.Option("--diff", help="Write nothing; show what would change.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Findings only, no summary.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also say which Keras was assumed and where the analysis gave up.")
]


def settings_from(arguments: Mapping[str, Any]) -> Settings:
    """The settings of a run: defaults, the file nearest to the first path, options on top.

    Args:
        arguments: what the command was called with, by parameter; those that are named like a setting are options.

    Raises:
        UsageError: an option or the settings file is wrong.
    """
    config, isolated = arguments["config"], arguments["isolated"]
    if config is not None and isolated:
        raise UsageError("`--config` and `--isolated` exclude each other")
    options = {key: _option(key, arguments.get(key.replace("-", "_"))) for key in KEYS}
    return load_settings(anchor(arguments["paths"]), config=config, isolated=isolated, options=options)


def anchor(paths: Sequence[str] | None) -> Path:
    """Where the search for a settings file starts: the folder that holds all paths, else the working directory."""
    given = [Path(path).absolute() for path in paths or () if path != console.STDIN]
    folders = [path if path.is_dir() else path.parent for path in given]
    try:
        return Path(os.path.commonpath(folders)) if folders else Path()
    except ValueError:
        # on different drives
        return Path()


def _option(key: str, value: object) -> object:
    """The value as a settings file would hold it; None, which leaves the file its say, where it was not given."""
    if isinstance(value, Path):
        # on the command line a path is relative to where one is, in a file to where that stands
        return str(value.absolute())
    if not isinstance(value, list):
        # a flag can be switched on only
        return None if value is False else value
    parts = tuple(part.strip() for text in value for part in text.split(",") if part.strip())
    if not parts:
        raise UsageError(f"`--{key}`: is empty")
    return parts


def installed_rules(*, config: Path | None, isolated: bool) -> Registry:
    """The rules of the built-in pack and of the packs that the settings here name."""
    from mpfix.registry import load_registry

    return load_registry(load_settings(Path(), config=config, isolated=isolated).packs)
