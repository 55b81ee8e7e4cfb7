"""What a walk leaves out: exclude patterns and `.gitignore` files."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from mpfix.record import record

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

DEFAULT_EXCLUDES = (
    ".bzr", ".direnv", ".eggs", ".git", ".git-rewrite", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox", ".pants.d",
    ".pyenv", ".pytest_cache", ".pytype", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode", "__pypackages__", "_build",
    "buck-out", "build", "dist", "node_modules", "site-packages", "venv",
)  # fmt: skip
"""What is left out when the settings name nothing else: Ruff's list."""


class Excludes:
    """Exclude patterns. One without a slash matches a name at any depth, one with it a path below the root.

    `*` matches slashes, too; an absolute pattern matches an absolute path.
    """

    __slots__ = ("_names", "_paths", "_root")

    def __init__(self, patterns: Sequence[str], root: Path) -> None:
        cleaned = [pattern.removeprefix("./").rstrip("/") for pattern in patterns]
        self._root = root.resolve()
        self._names = _any_of(pattern for pattern in cleaned if "/" not in pattern)
        self._paths = _any_of(pattern for pattern in cleaned if "/" in pattern)

    def match(self, path: str) -> bool:
        """Whether an absolute path is excluded by itself; whether a folder above it is, is not asked."""
        if self._names and self._names.match(os.path.basename(path)):
            return True
        if self._paths is None:
            return False
        posix = PurePath(path).as_posix()
        below = posix.removeprefix(self._root.as_posix().rstrip("/") + "/")
        return bool(self._paths.match(posix) or (below != posix and self._paths.match(below)))

    def match_any_part(self, path: str) -> bool:
        """Whether an absolute path or a folder above it, below the root, is excluded."""
        place = Path(path)
        above = place.parents if place.is_relative_to(self._root) else ()
        return any(
            self.match(str(part)) for part in (place, *above) if part != self._root and part not in self._root.parents
        )


def _any_of(patterns: Iterable[str]) -> re.Pattern[str] | None:
    translated = [fnmatch.translate(pattern) for pattern in patterns if pattern]
    return re.compile("|".join(translated)) if translated else None


@record
class IgnoreFiles:
    """The `.gitignore` files in force in one folder, innermost first."""

    specs: tuple[tuple[str, GitIgnoreSpec], ...] = field(default=())

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Whether git would ignore an absolute path below these files; the innermost with an opinion decides."""
        for folder, spec in self.specs:
            below = path[len(folder) :].lstrip(os.sep).replace(os.sep, "/")
            verdict = spec.check_file(below + "/" * is_folder).include
            if verdict is not None:
                return verdict
        return False

    def inside(self, folder: str) -> IgnoreFiles:
        """These files and the one in `folder`, where there is one that can be read."""
        try:
            with open(os.path.join(folder, ".gitignore"), encoding="utf-8", errors="replace") as file:
                patterns = file.read().split("\n")
        except OSError:
            return self
        # imported where a .gitignore exists only: it costs as much as reading many files
        from pathspec import GitIgnoreSpec

        return IgnoreFiles(((folder, GitIgnoreSpec.from_lines(patterns)), *self.specs))


def ignore_files_above(folder: str, root: Path) -> IgnoreFiles:
    """The `.gitignore` files above `folder`: up to its repository, else up to `root`.

    Empty when they ignore `folder` itself: who names an ignored folder means its files.
    """
    place = Path(folder)
    chain = [place, *place.parents]
    top = next((part for part in chain if (part / ".git").exists()), root.resolve())
    if top not in chain:
        return IgnoreFiles()
    files = IgnoreFiles()
    for part in reversed(chain[: chain.index(top)]):
        files = files.inside(str(part.parent))
        if files.ignores(str(part), is_folder=True):
            return IgnoreFiles()
    return files
