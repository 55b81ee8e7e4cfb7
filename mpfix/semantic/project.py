"""Projects: which file an import means, which files belong together, and which of them are started by people.

A *component* is the files joined by imports, in either direction; a file without links stands alone. A *root* is a
script with a `__main__` guard, a notebook, or a module that nobody imports.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

from mpfix.semantic.syntax import Module

OUTSIDE = frozenset(
    {"tensorflow", "keras", "tf_keras", "numpy", "torch", "jax", "horovod", "scipy", "pandas", "sklearn"}
)
"""Libraries that a folder of the same name does not stand for."""

SOURCE_FOLDERS = ("src", "lib", "python")
"""Folders of a project that are import roots themselves."""

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<source>\.*[\w.]*)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n#]*)"
    r"|import[ \t]+(?P<modules>[\w., \t]+))",
    re.MULTILINE,
)
_DYNAMIC = re.compile(r"""import_module\(\s*f?["'](?P<name>\.*[\w.]+)""")
_MAIN = re.compile(r"""^if[ \t(]+__name__[ \t]*==[ \t]*["']__main__["']""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """What an import means: a file, or a folder without `__init__.py` (a namespace package)."""

    path: str | None
    folder: str | None
    """Where its submodules are; None for a plain module."""


@dataclass(frozen=True)
class FileIndex:
    """The Python files of a project, by path (POSIX, absolute), and how imports find them."""

    root: str
    files: frozenset[str]

    @cached_property
    def digest(self) -> str:
        """The same for the same files."""
        paths = "\0".join((self.root, *sorted(self.files)))
        return hashlib.sha256(paths.encode("utf-8", "backslashreplace")).hexdigest()

    @cached_property
    def folders(self) -> frozenset[str]:
        """All folders that hold a file, at any depth."""
        found: set[str] = set()
        for path in self.files:
            folder = path.rpartition("/")[0]
            while folder and folder not in found:
                found.add(folder)
                if folder == self.root:
                    break
                folder = folder.rpartition("/")[0]
        return frozenset(found)

    def find(self, importer: str, name: str, level: int = 0) -> Found | None:
        """What `name` means in the file `importer`; `level` counts the dots of a relative import."""
        parts = name.split(".") if name else []
        if level:
            folder = importer.rpartition("/")[0]
            for _ in range(level - 1):
                folder = folder.rpartition("/")[0]
            return self._below(folder, parts)
        if not parts or parts[0] in OUTSIDE:
            return None
        for folder in self._search_path(importer):
            if self._has(folder, parts[0]):
                found = self._below(folder, parts)
                if found is not None:
                    return found
        return None

    def _search_path(self, importer: str) -> Iterator[str]:
        """A script's own folder and the folders around it up to the project's root, then its source folders."""
        folder = importer.rpartition("/")[0]
        while folder.startswith(self.root) and folder:
            yield folder
            if folder == self.root:
                break
            folder = folder.rpartition("/")[0]
        for name in SOURCE_FOLDERS:
            yield f"{self.root}/{name}"

    def _has(self, folder: str, name: str) -> bool:
        return f"{folder}/{name}.py" in self.files or f"{folder}/{name}" in self.folders

    def _below(self, folder: str, parts: list[str]) -> Found | None:
        base = "/".join((folder, *parts))
        if f"{base}.py" in self.files and parts:
            return Found(f"{base}.py", None)
        if f"{base}/__init__.py" in self.files:
            return Found(f"{base}/__init__.py", base)
        return Found(None, base) if base in self.folders else None


def imported_files(index: FileIndex, path: str, text: str) -> frozenset[str]:
    """The files of the project that a text imports, told from its import lines alone."""
    found: set[str] = set()
    for match in _IMPORT.finditer(text):
        if match["modules"] is not None:
            for item in match["modules"].split(","):
                words = item.split()
                if words:
                    _add(found, index, path, words[0], 0)
            continue
        dots = len(match["source"]) - len(match["source"].lstrip("."))
        source = match["source"].lstrip(".")
        _add(found, index, path, source, dots)
        for item in match["names"].strip("() \t").replace("\n", " ").split(","):
            words = item.split()
            if words and words[0].isidentifier():
                _add(found, index, path, f"{source}.{words[0]}" if source else words[0], dots)
    for match in _DYNAMIC.finditer(text):
        name = match["name"]
        stripped = name.lstrip(".")
        _add_below(found, index, index.find(path, stripped.rstrip("."), len(name) - len(stripped)))
    found.discard(path)
    return frozenset(found)


def _add(found: set[str], index: FileIndex, path: str, name: str, level: int) -> None:
    """The file that a dotted name means, and the packages around it, whose `__init__.py` runs too."""
    parts = name.split(".") if name else []
    for count in range(1 if parts and not level else 0, len(parts) + 1):
        target = index.find(path, ".".join(parts[:count]), level)
        if target is not None and target.path is not None:
            found.add(target.path)


def _add_below(found: set[str], index: FileIndex, target: Found | None) -> None:
    """A name that is put together at run time may mean any module of the package it starts with."""
    if target is None:
        return
    if target.path is not None:
        found.add(target.path)
    if target.folder is not None:
        found.update(p for p in index.files if p.rpartition("/")[0] == target.folder)


@dataclass(frozen=True, slots=True)
class Group:
    """The files of one component in path order, and its roots."""

    files: tuple[str, ...]
    roots: tuple[str, ...]


def group_files(imports: Mapping[str, frozenset[str]], texts: Mapping[str, str]) -> tuple[Group, ...]:
    """The components of a project.

    Args:
        imports: for each file (notebooks too) the files it imports.
        texts: the text of each file.
    """
    leader = {path: path for path in imports}

    def find(path: str) -> str:
        while leader[path] != path:
            leader[path] = leader[leader[path]]
            path = leader[path]
        return path

    imported: set[str] = set()
    for path, targets in imports.items():
        for target in targets:
            if target in leader:
                imported.add(target)
                leader[find(path)] = find(target)
    members: dict[str, list[str]] = {}
    for path in sorted(imports):
        members.setdefault(find(path), []).append(path)
    return tuple(Group(tuple(files), _roots(files, imported, texts)) for _, files in sorted(members.items()))


def _roots(files: Iterable[str], imported: set[str], texts: Mapping[str, str]) -> tuple[str, ...]:
    """In path order; packages' own files are no programs, and where everything is imported all files are tried."""
    files = list(files)
    chosen = [
        path
        for path in files
        if _MAIN.search(texts[path])
        or path.endswith(".ipynb")
        or (path not in imported and PurePath(path).name != "__init__.py")
    ]
    return tuple(chosen or files)


@dataclass(frozen=True)
class Project:
    """The parsed files of a component, and how their imports find each other."""

    index: FileIndex
    modules: Mapping[str, Module]
    """By path, as in the index."""
    roots: tuple[Module, ...]

    @cached_property
    def paths(self) -> Mapping[Module, str]:
        """The path of each module."""
        return {module: path for path, module in self.modules.items()}

    def find(self, importer: Module, name: str, level: int) -> tuple[Module | None, str | None] | None:
        """The module that an import means and the folder of its submodules; None for what is outside or not read."""
        path = self.paths.get(importer)
        found = self.index.find(path, name, level) if path is not None else None
        return self._read(found) if found is not None else None

    def submodule(self, folder: str, name: str) -> tuple[Module | None, str | None] | None:
        """A module or package in a package's folder."""
        found = self.index.find(f"{folder}/__init__.py", name, 1)
        return self._read(found) if found is not None else None

    def _read(self, found: Found) -> tuple[Module | None, str | None] | None:
        module = self.modules.get(found.path) if found.path is not None else None
        return None if module is None and found.folder is None else (module, found.folder)
