"""From the paths of a command line to the files to read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from mpfix.errors import SourceError
from mpfix.record import record
from mpfix.source.exclusions import DEFAULT_EXCLUDES, Excludes, ignore_files_above

SUFFIXES = (".py", ".pyi", ".ipynb")
"""What a walk through a folder takes. A file that is named is taken whatever its suffix."""


@record
class FoundFile:
    """A file to read, and its name in reports: as given, with `/` between folders."""

    path: Path
    display: str


@record
class Discovery:
    """The files below some paths, sorted by display, each real file once; and what could not be looked into."""

    files: tuple[FoundFile, ...]
    errors: tuple[SourceError, ...]


def discover(
    paths: Sequence[str | Path],
    *,
    root: Path,
    exclude: Sequence[str] | None = None,
    extend_exclude: Sequence[str] = (),
    force_exclude: bool = False,
) -> Discovery:
    """The files that `paths` mean, files or folders; no path means no file.

    A walk honours excludes and `.gitignore` files and leaves its folder through no symlink. What is named is taken even
    when it is excluded, unless `force_exclude`; `.gitignore` files never bar what is named.

    Args:
        root: the project's folder, to which exclude patterns with a slash are relative.
        exclude: patterns instead of `DEFAULT_EXCLUDES`.
        extend_exclude: patterns besides.
    """
    excludes = Excludes((*(DEFAULT_EXCLUDES if exclude is None else exclude), *extend_exclude), root)
    found: list[_Found] = []
    errors: list[SourceError] = []
    for given in paths:
        path = Path(given)
        if force_exclude and excludes.match_any_part(_real_place(path)):
            continue
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError) as error:
            errors.append(SourceError(_display(str(path)), _why(error)))
            continue
        if stat.S_ISDIR(mode):
            found += _walk(path, root, excludes, errors)
        else:
            found.append(_Found(False, str(path)))
    return Discovery(_each_once(found), tuple(sorted(errors, key=str)))


@record
class _Found:
    is_link: bool
    path: str


def _real_place(path: Path) -> str:
    """The absolute path without links in its folders; the last part may be one."""
    absolute = os.path.abspath(path)
    return os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))


def _walk(folder: Path, root: Path, excludes: Excludes, errors: list[SourceError]) -> Iterator[_Found]:
    """The files below `folder`; a link to a folder is not followed, which also keeps loops out."""
    top = os.path.realpath(folder)
    pending = [(str(folder), top, ignore_files_above(top, root).inside(top))]
    while pending:
        current, real, ignored = pending.pop()
        for entry in _entries(current, errors):
            place = os.path.join(real, entry.name)
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder and not _is_source(entry, top):
                continue
            if excludes.match(place) or ignored.ignores(place, is_folder=is_folder):
                continue
            path = entry.name if current == "." else os.path.join(current, entry.name)
            if is_folder:
                pending.append((path, place, ignored.inside(place)))
            else:
                yield _Found(entry.is_symlink(), path)


def _entries(folder: str, errors: list[SourceError]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        errors.append(SourceError(_display(folder), _why(error)))
        return []


def _is_source(entry: os.DirEntry[str], top: str) -> bool:
    """Whether a walk below `top` takes this entry: a regular file with one of the suffixes."""
    if not entry.name.lower().endswith(SUFFIXES):
        return False
    try:
        if not entry.is_file():
            return False
    except OSError:  # a link in a circle
        return False
    # nothing outside the given paths may be written, so a link must not lead there
    return not entry.is_symlink() or os.path.realpath(entry.path).startswith(os.path.join(top, ""))


def _each_once(found: Iterable[_Found]) -> tuple[FoundFile, ...]:
    """One name for each real file, the same in any order: no link where there is another name, then a relative one."""
    names: dict[str, str] = {}
    for candidate in sorted(found, key=lambda one: (one.is_link, os.path.isabs(one.path), one.path)):
        names.setdefault(os.path.realpath(candidate.path), candidate.path)
    return tuple(FoundFile(Path(name), _display(name)) for name in sorted(names.values(), key=_display))


def _display(path: str) -> str:
    """A path for reports: `/` between folders, and printable where the name is not UTF-8."""
    return PurePath(path).as_posix().encode("utf-8", "backslashreplace").decode("utf-8")


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror.lower()}"
    return f"cannot be read: {error}"
