"""Settings of a run: what they are, where they come from, and what is wrong with a settings file.

One file holds them, `mpfix.toml` or `[tool.mpfix]` of a `pyproject.toml`: the nearest, upwards from what is analysed.
Options win over it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from mpfix.diagnostic import Severity
from mpfix.errors import UsageError
from mpfix.record import record

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

GENERATIONS = ("auto", "2", "3", "2+3")
POLICIES = ("float32", "float16", "float64", "bfloat16", "mixed_float16", "mixed_bfloat16")
SEVERITIES = tuple(severity.value for severity in Severity)
OUTPUT_FORMATS = ("text", "concise", "json")
DEFAULT_EXCLUDE = (
    ".bzr", ".direnv", ".eggs", ".git", ".git-rewrite", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox",
    ".pants.d", ".pyenv", ".pytest_cache", ".pytype", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode",
    "__pypackages__", "_build", "buck-out", "build", "dist", "node_modules", "site-packages", "venv",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What a run looks for, where, and what it may change. Field `a_b` is key `a-b` of a settings file."""

    select: tuple[str, ...] | None = None
    """Selectors of rules; None selects every rule that can be an error or a warning."""
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(glob, selectors): rules that are silent in files that match, relative to `root`."""
    fixable: tuple[str, ...] = ("ALL",)
    unfixable: tuple[str, ...] = ()
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    extend_exclude: tuple[str, ...] = ()
    force_exclude: bool = False
    keras: str = "auto"
    assume_policy: str | None = None
    fail_on: Severity = Severity.WARNING
    unsafe_fixes: bool = False
    packs: tuple[str, ...] = ()
    """Import names of rule packs, besides the built-in one."""
    output_format: str = "text"
    cache_dir: str = ".mpfix_cache"
    """The folder of the cache, relative to `root`."""
    root: Path = Path()
    """The folder that globs are relative to: the one of the settings file, else the working directory."""
    file: Path | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Where each key's value comes from: `default`, the file's name, or `option`."""

    def items(self) -> tuple[tuple[str, object, str], ...]:
        """(key, plain value, provenance) of every setting, in the order of the documentation."""
        return tuple((key, _plain(getattr(self, _attribute(key))), self.source(key)) for key in KEYS)

    def source(self, key: str) -> str:
        """Where the value of `key` comes from."""
        return self.provenance.get(key, "default")

    def label(self, key: str) -> str:
        """How a message calls the setting, by where its value was written: "`--select`" or "`[tool.mpfix] select`"."""
        source = self.source(key)
        if source in {"default", "option"}:
            return f"`--{key}`"
        return f"`[tool.mpfix] {key}`" if Path(source).name == "pyproject.toml" else f"`{key}` in `{source}`"


@record
class _Key:
    """What a settings file may say under one key."""

    kind: str
    """`strings`, `string`, `boolean`, or `globs` (a table of lists)."""
    choices: tuple[str, ...] = ()


_KEY_KINDS: Mapping[str, _Key] = {
    "select": _Key("strings"),
    "ignore": _Key("strings"),
    "extend-select": _Key("strings"),
    "per-file-ignores": _Key("globs"),
    "fixable": _Key("strings"),
    "unfixable": _Key("strings"),
    "exclude": _Key("strings"),
    "extend-exclude": _Key("strings"),
    "force-exclude": _Key("boolean"),
    "keras": _Key("string", GENERATIONS),
    "assume-policy": _Key("string", POLICIES),
    "fail-on": _Key("string", SEVERITIES),
    "unsafe-fixes": _Key("boolean"),
    "packs": _Key("strings"),
    "output-format": _Key("string", OUTPUT_FORMATS),
    "cache-dir": _Key("string"),
}
KEYS = tuple(_KEY_KINDS)
"""Every key of a settings file, in the order of the documentation."""

_WANTED = {
    "strings": "a list of strings",
    "string": "a string",
    "boolean": "true or false",
    "globs": "a table of lists of strings",
}


def load_settings(
    anchor: Path,
    *,
    config: Path | None = None,
    isolated: bool = False,
    options: Mapping[str, object] | None = None,
) -> Settings:
    """Settings for what lies at `anchor`: defaults, then the settings file, then `options`.

    Args:
        config: the settings file to use; None looks for the nearest one.
        isolated: read no settings file at all.
        options: values by key as a settings file would hold them (lists or tuples); None values are left out.

    Raises:
        UsageError: the file is missing, is not TOML, or holds a key or value that is not understood.
    """
    path = config if config is not None else (None if isolated else find_settings_file(anchor))
    base = Settings(root=Path.cwd()) if path is None else read_settings_file(path)
    given = {key: value for key, value in (options or {}).items() if value is not None}
    return override(base, given)


def override(settings: Settings, options: Mapping[str, object]) -> Settings:
    """The settings with values of options on top."""
    source = _Source("option", "", "")
    return _updated(settings, {key: _checked(key, value, source) for key, value in options.items()}, "option")


def parse_settings(text: str) -> Settings:
    """Settings from the text of an `mpfix.toml`; used by the examples of rule pages.

    Raises:
        UsageError: as `load_settings`.
    """
    source = _Source("mpfix.toml", text, "")
    return _updated(Settings(), _values(_load(text, "mpfix.toml"), source), "mpfix.toml")


def find_settings_file(anchor: Path) -> Path | None:
    """The nearest `mpfix.toml`, or `pyproject.toml` with a table `[tool.mpfix]`, upwards from `anchor`; else None."""
    start = anchor.absolute()
    for folder in (start, *start.parents):
        for candidate in (folder / "mpfix.toml", folder / "pyproject.toml"):
            if candidate.is_file() and _holds_settings(candidate):
                return candidate
    return None


def read_settings_file(path: Path) -> Settings:
    """Settings of one file.

    Raises:
        UsageError: as `load_settings`.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"settings file `{path}` cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UsageError(message) from error
    tables = _load(text, str(path))
    in_pyproject = path.name == "pyproject.toml"
    if in_pyproject:
        tool = tables.get("tool", {})
        tables = tool.get("mpfix", {}) if isinstance(tool, dict) else {}
    source = _Source(str(path), text, "tool.mpfix" if in_pyproject else "")
    if not isinstance(tables, dict):
        raise UsageError(f"{path}: `tool.mpfix` must be a table")
    base = Settings(root=path.absolute().parent, file=path)
    return _updated(base, _values(tables, source), path.name)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be; None where nothing is close."""
    import difflib

    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(word.casefold(), sorted(folded), n=1, cutoff=0.5)
    return folded[close[0]] if close else None


@record
class _Source:
    """Text that settings are read from, to point at what is wrong in it."""

    name: str
    text: str
    table: str

    def complaint(self, key: str, message: str) -> UsageError:
        """The error for `key`: one sentence, then the line with a caret below the key."""
        if not self.text:
            return UsageError(f"`--{key}`: {message}")
        table = f"[{self.table}] " if self.table else ""
        found = _locate(self.text, self.table, key)
        if found is None:
            return UsageError(f"{self.name}: `{table}{key}`: {message}")
        row, column, line = found
        gutter = " " * len(str(row))
        marker = " " * column + "^" * len(key)
        place = f"{self.name}:{row}:{column + 1}"
        return UsageError(f"{place}: `{table}{key}`: {message}\n{row} | {line}\n{gutter} | {marker}")


def _locate(text: str, table: str, key: str) -> tuple[int, int, str] | None:
    """(row from 1, column from 0, line) where `key` of `table` is written; TOML readers do not tell."""
    current = ""
    pattern = re.compile(rf"""(?:^\s*|[{{,]\s*)["']?({re.escape(key)})["']?\s*(?:=|\.)""")
    for row, line in enumerate(text.split("\n"), start=1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line)
        if header:
            current = header.group(1).replace('"', "").replace("'", "")
            if current == (f"{table}.{key}" if table else key):
                return (row, line.index(key), line.rstrip("\r"))
        inside = current == table or (current == "tool" and table == "tool.mpfix")
        match = pattern.search(line) if inside and not header else None
        if match:
            return (row, match.start(1), line.rstrip("\r"))
    return None


def _load(text: str, name: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"settings file `{name}` is not valid TOML: {error}") from error


def _holds_settings(path: Path) -> bool:
    if path.name != "pyproject.toml":
        return True
    try:
        # most pyproject files have no table of ours: do not parse them
        return b"mpfix" in path.read_bytes() and _has_table(path)
    except OSError:
        return False


def _has_table(path: Path) -> bool:
    text = path.read_bytes().decode("utf-8", errors="replace")
    try:
        tool = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError:
        # broken TOML that seems to configure us must not pass in silence
        return re.search(r"^\s*\[tool\.mpfix\b", text, re.MULTILINE) is not None
    return isinstance(tool, dict) and "mpfix" in tool


def _values(tables: Mapping[str, object], source: _Source) -> dict[str, object]:
    return {key: _checked(key, value, source) for key, value in tables.items()}


def _checked(key: str, value: object, source: _Source) -> object:
    """The value of `key` in the form that `Settings` holds."""
    known = _KEY_KINDS.get(key)
    if known is None:
        close = nearest(key, KEYS)
        raise source.complaint(key, "unknown key" + (f"; the nearest is `{close}`" if close else ""))
    try:
        converted = _CONVERTERS[known.kind](value)
    except TypeError:
        raise source.complaint(key, f"must be {_WANTED[known.kind]}") from None
    if known.choices and converted not in known.choices:
        choices = ", ".join(f"`{choice}`" for choice in known.choices)
        raise source.complaint(key, f"`{converted}` is not one of {choices}")
    return Severity(converted) if key == "fail-on" else converted


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise TypeError
    return tuple(value)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _globs(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, Mapping):
        raise TypeError
    return tuple((_string(glob), _strings(selectors)) for glob, selectors in value.items())


_CONVERTERS = {"strings": _strings, "string": _string, "boolean": _boolean, "globs": _globs}


def _updated(settings: Settings, values: Mapping[str, object], source: str) -> Settings:
    current = {item.name: getattr(settings, item.name) for item in fields(settings)}
    current.update({_attribute(key): value for key, value in values.items()})
    current["provenance"] = {**settings.provenance, **dict.fromkeys(values, source)}
    return Settings(**current)


def _attribute(key: str) -> str:
    return key.replace("-", "_")


def _plain(value: object) -> object:
    return value.value if isinstance(value, Severity) else value
