"""What imports reach below a folder that nothing marks as a project: found by asking, so that no tree is walked."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator

from mpfix.semantic.project import SOURCE_FOLDERS
from mpfix.settings import DEFAULT_EXCLUDE, Settings
from mpfix.source.exclusions import Excludes

_IMPORTING = re.compile(r"^[ \t]*(?:from|import)\b[^\n(]*(?:\([^)]*\))?|import_module\([^\n]*", re.MULTILINE)
_RELATIVE_AT_RUN_TIME = re.compile(r"""import_module\(\s*f?["']\.""")
_WORD = re.compile(r"[^\W\d]\w*")


class ImportLookup:
    """The files below a root that imports may mean; each place is asked for once."""

    def __init__(self, root: str, settings: Settings) -> None:
        self.root = root
        self.files: set[str] = set()
        self.excluded: set[str] = set()
        """Those that settings of the user, and nothing else, exclude."""
        self._real_root = os.path.realpath(root)
        self._wanted = Excludes((*settings.exclude, *settings.extend_exclude), settings.root)
        self._usual = Excludes(DEFAULT_EXCLUDE, settings.root)
        self._is_file: dict[str, bool] = {}
        self._is_folder: dict[str, bool] = {}

    def ask(self, importer: str, text: str) -> None:
        """Note the files that the imports of a text may mean: those whose path is made of words in them."""
        words = frozenset(word for part in _IMPORTING.findall(text) for word in _WORD.findall(part))
        at_run_time = "import_module(" in text
        for folder in self._search_path(importer):
            if _RELATIVE_AT_RUN_TIME.search(text):
                self._note_all(folder)
            self._ask_below(folder, words, at_run_time)

    def _search_path(self, importer: str) -> Iterator[str]:
        """Where the first part of a name may be: the folders around the importer, and source folders of the root."""
        folder = importer.rpartition("/")[0]
        while folder.startswith(f"{self.root}/"):
            yield folder
            folder = folder.rpartition("/")[0]
        yield self.root
        yield from (f"{self.root}/{name}" for name in SOURCE_FOLDERS)

    def _ask_below(self, folder: str, words: frozenset[str], at_run_time: bool) -> None:
        """Ask for modules and packages, and in the packages; a name that is made at run time may mean any module."""
        for word in words:
            self._note(f"{folder}/{word}.py")
            package = f"{folder}/{word}"
            if self._has_folder(package):
                self._note(f"{package}/__init__.py")
                if at_run_time:
                    self._note_all(package)
                self._ask_below(package, words, at_run_time)

    def _note_all(self, folder: str) -> None:
        for name in _names(folder):
            if name.endswith(".py"):
                self._note(f"{folder}/{name}")

    def _note(self, path: str) -> None:
        if path not in self._is_file:
            self._is_file[path] = self._may_read(path)
            if self._is_file[path] and not self._bars(self._wanted, path):
                self.files.add(path)
            elif self._is_file[path] and not self._bars(self._usual, path):
                self.excluded.add(path)

    def _may_read(self, path: str) -> bool:
        """Whether there is such a file, spelled so; a link must not lead out of the root."""
        if not os.path.isfile(path) or not _is_spelled(path):
            return False
        return not os.path.islink(path) or os.path.realpath(path).startswith(os.path.join(self._real_root, ""))

    def _has_folder(self, path: str) -> bool:
        """Whether there is such a folder, spelled so; a link may lead in a circle."""
        if path not in self._is_folder:
            self._is_folder[path] = os.path.isdir(path) and not os.path.islink(path) and _is_spelled(path)
        return self._is_folder[path]

    def _bars(self, excludes: Excludes, path: str) -> bool:
        """Whether patterns exclude a file or a folder around it, up to the root."""
        while path != self.root:
            if excludes.match(path):
                return True
            path = path.rpartition("/")[0]
        return False


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _is_spelled(path: str) -> bool:
    """Whether a name that was found is written so: other systems take `model.py` for `Model.py`, imports do not."""
    folder, _, name = path.rpartition("/")
    return sys.platform.startswith("linux") or name in _names(folder)
