"""Pins: what the files of a project say about the releases of TensorFlow and Keras that it runs with."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mpfix.record import record

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Release = tuple[int, ...]
Requirement = tuple[str, str]
"""A normalised package name and its version specifier."""

FIRST_OF_THREE: dict[str, Release] = {
    "keras": (3, 0, 0),
    "tensorflow": (2, 16, 0),
    "tensorflow-cpu": (2, 16, 0),
    "tensorflow-gpu": (2, 16, 0),
    "tensorflow-intel": (2, 16, 0),
    "tensorflow-macos": (2, 16, 0),
}
"""The first release of each package with which `keras` is Keras 3."""

PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", ".git")

_REQUIREMENT = re.compile(r"^(?:[\w.-]+::)?([A-Za-z][\w.-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;#)]*)")
_CLAUSE = re.compile(r"(===|==|~=|!=|<=|>=|<|>|=|\^|~)?\s*v?(\d+(?:\.\d+)*)(\.\*)?")
_LOCKED = re.compile(r'^name = "([^"]+)"\r?\nversion = "([^"]+)"', re.MULTILINE)


@record
class Pin:
    """A requirement that allows one generation of Keras only."""

    generation: int
    requirement: str
    path: Path
    release: Release | None = None
    """The release of Keras itself, where the pin allows just one."""


def find_pin(folder: Path) -> Pin | None:
    """The nearest pin: in `folder`, else in the folders around it up to the project's root."""
    for place in _folders(folder):
        for pattern, read in READERS:
            for path in sorted(place.glob(pattern)):
                pin = _pin(path, read)
                if pin is not None:
                    return pin
    return None


def _folders(folder: Path) -> list[Path]:
    folder = folder.absolute()
    around = [folder, *folder.parents]
    for index, place in enumerate(around):
        if any((place / name).exists() for name in PROJECT_FILES):
            return around[: index + 1]
    return [folder]


def _pin(path: Path, read: Callable[[str], Iterable[Requirement]]) -> Pin | None:
    try:
        text = path.read_text(encoding="utf-8")
        requirements = list(read(text)) if "keras" in text or "tensorflow" in text else []
    except (OSError, ValueError):
        # what cannot be read pins nothing; its owner hears of it from the tool that needs it
        return None
    for name, specifier in sorted(requirements, key=lambda requirement: requirement[0] != "keras"):
        generation = _generation(name, specifier)
        if generation is not None:
            exact = _exact(specifier) if name == "keras" else None
            return Pin(generation, f"{name}{specifier}", path, exact)
    return None


def _generation(name: str, specifier: str) -> int | None:
    """The one generation that a requirement allows; None where it allows both."""
    boundary = FIRST_OF_THREE.get(name)
    if boundary is None:
        return None
    lower: Release = (0, 0, 0)
    upper: Release | None = None
    for low, high in map(_range, specifier.split(",")):
        lower = max(lower, low)
        upper = high if upper is None else min(upper, high or upper)
    if lower >= boundary:
        return 3
    return 2 if upper is not None and upper <= boundary else None


def _range(clause: str) -> tuple[Release, Release | None]:
    """First release that a clause allows, and first one after it that it does not."""
    match = _CLAUSE.match(clause.strip())
    if match is None or match[1] == "!=":
        return (0, 0, 0), None
    operator, star = match[1] or "==", match[3]
    given = tuple(map(int, match[2].split(".")))
    release = _padded(given)
    if operator in (">", ">="):
        return release, None
    if operator == "<":
        return (0, 0, 0), release
    if operator == "<=":
        return (0, 0, 0), _next(release)
    if operator == "^":
        return release, _next(given[:1] if given[0] else given[:2])
    if operator in ("~=", "~"):
        kept = given[:-1] if operator == "~=" or len(given) > 2 else given
        return release, _next(kept or given)
    return release, _next(given if star or operator == "=" else release)


def _exact(specifier: str) -> Release | None:
    match = _CLAUSE.fullmatch(specifier.strip())
    if match is None or match[1] not in ("==", "===") or match[3]:
        return None
    return _padded(tuple(map(int, match[2].split("."))))


def _padded(release: Release) -> Release:
    return (*release, 0, 0, 0)[:3]


def _next(release: Release) -> Release:
    return _padded((*release[:-1], release[-1] + 1))


def _requirement(text: str) -> Requirement | None:
    """`tensorflow[and-cuda]>=2.16 ; python_version > "3.9"` as name and specifier."""
    match = _REQUIREMENT.match(text.strip().strip("\"'"))
    if match is None:
        return None
    return re.sub(r"[-_.]+", "-", match[1]).lower(), match[2].strip().rstrip("\"'").replace(" ", "")


def _lines(text: str) -> Iterator[Requirement]:
    """Requirements of a text with one on a line, such as `requirements.txt` or `environment.yml`."""
    for line in text.splitlines():
        found = _requirement(re.sub(r"^\s*-\s+|^\s*\w+\s*=\s*(?=[A-Za-z])", "", line))
        if found is not None:
            yield found


def _pyproject(text: str) -> Iterator[Requirement]:
    data = tomllib.loads(text)
    project, poetry = _table(data, "project"), _table(data, "tool", "poetry")
    listed = [project.get("dependencies"), *_table(project, "optional-dependencies").values()]
    listed += _table(data, "dependency-groups").values()
    for items in listed:
        for item in items if isinstance(items, list) else []:
            found = _requirement(item) if isinstance(item, str) else None
            if found is not None:
                yield found
    tables = [_table(poetry, "dependencies"), _table(poetry, "dev-dependencies")]
    tables += [_table(_table(poetry, "group"), name, "dependencies") for name in _table(poetry, "group")]
    for table in tables:
        for name, wanted in table.items():
            version = wanted.get("version") if isinstance(wanted, dict) else wanted
            if isinstance(version, str):
                specifier = version.replace(" ", "")
                yield name.lower().replace("_", "-"), f"=={specifier}" if specifier[:1].isdigit() else specifier


def _table(data: object, *path: str) -> dict[str, object]:
    """The table at a path of a TOML document; empty where there is none."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _lock(text: str) -> Iterator[Requirement]:
    """Packages of `uv.lock` or `poetry.lock`; they are long, so they are searched, not parsed."""
    for match in _LOCKED.finditer(text):
        yield match[1].lower().replace("_", "-"), f"=={match[2]}"


READERS: tuple[tuple[str, Callable[[str], Iterable[Requirement]]], ...] = (
    ("pyproject.toml", _pyproject),
    ("requirements*.txt", _lines),
    ("setup.cfg", _lines),
    ("environment.yml", _lines),
    ("uv.lock", _lock),
    ("poetry.lock", _lock),
)
"""Files with pins, in the order in which they are believed, and how to read them."""
