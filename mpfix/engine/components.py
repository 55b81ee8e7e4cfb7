"""Which files are understood together: the documents of a run, joined with what their projects hold besides."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mpfix.errors import SourceError
from mpfix.semantic.project import FileIndex, Group, group_files, imported_files
from mpfix.settings import Settings
from mpfix.source.discover import discover
from mpfix.source.document import Document, read_document

PROJECT_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
"""What stands in the root of a project."""


@dataclass(frozen=True)
class Unit:
    """Documents that are judged together, and how their imports find each other."""

    documents: tuple[Document, ...]
    """Those that are reported on."""
    context: tuple[Document, ...] = ()
    """Those that are only read."""
    index: FileIndex | None = None
    """None for a file that stands alone."""
    roots: tuple[str, ...] = ()
    """Paths of the roots, as in the index."""
    paths: dict[str, str] = field(default_factory=dict)
    """Path in the index by name of the document."""


def form_units(
    documents: Sequence[Document], settings: Settings, may_matter: Callable[[Document], bool], *, context: bool
) -> tuple[Unit, ...]:
    """The documents of a run as components, in order of their first file.

    Args:
        may_matter: whether any rule could speak about a document; the others stand alone and need no context.
        context: also read the rest of their projects.
    """
    alone = [document for document in documents if not may_matter(document) or not document.path.name]
    left = set(map(id, alone))
    by_root: dict[str, list[Document]] = {}
    for document in documents:
        if id(document) not in left:
            by_root.setdefault(project_root(document.path, settings.root), []).append(document)
    units = [Unit((document,)) for document in alone]
    everywhere = {absolute(document.path): document for document in documents}
    for root, members in sorted(by_root.items()):
        units += _units_of(root, members, everywhere, settings, context)
    return tuple(sorted(units, key=lambda unit: unit.documents[0].display))


def project_root(path: Path, fallback: Path) -> str:
    """The nearest folder upwards that holds a mark of a project; else the folder of the run, or the file's own."""
    folder = os.path.dirname(absolute(path))
    current = folder
    while True:
        if any(os.path.lexists(os.path.join(current, mark)) for mark in PROJECT_MARKS):
            return current
        above = os.path.dirname(current)
        if above == current:
            break
        current = above
    outer = absolute(fallback)
    return outer if folder == outer or folder.startswith(f"{outer}/") else folder


def absolute(path: Path) -> str:
    """The absolute path of a file, with `/` between folders, as the index of a project holds it."""
    return os.path.abspath(path).replace(os.sep, "/")


def _units_of(
    root: str, members: Sequence[Document], everywhere: dict[str, Document], settings: Settings, context: bool
) -> list[Unit]:
    """The components below a root that hold a document of the run."""
    known = {path: document for path, document in everywhere.items() if path.startswith(f"{root}/")}
    if context:
        known |= dict(_rest_of_project(root, settings, known))
    index = FileIndex(root, frozenset(path for path in known if not path.endswith(".ipynb")))
    texts = {path: document.text for path, document in known.items()}
    imports = {path: imported_files(index, path, text) for path, text in texts.items()}
    wanted = {absolute(document.path): document for document in members}
    units: list[Unit] = []
    for group in group_files(imports, texts):
        own = tuple(path for path in group.files if path in wanted)
        if own:
            units.append(_unit(group, own, known, index))
    return units


def _unit(group: Group, own: Sequence[str], known: dict[str, Document], index: FileIndex) -> Unit:
    documents = tuple(sorted((known[path] for path in own), key=lambda document: document.display))
    if len(group.files) == 1:
        return Unit(documents)
    context = tuple(known[path] for path in group.files if path not in own)
    paths = {known[path].display: path for path in group.files}
    return Unit(documents, context, index, group.roots, paths)


def _rest_of_project(root: str, settings: Settings, known: dict[str, Document]) -> Iterable[tuple[str, Document]]:
    """The other files below a root; what cannot be read is left out, since nobody asked about it."""
    found = discover([root], root=Path(root), exclude=settings.exclude, extend_exclude=settings.extend_exclude)
    for file in found.files:
        path = absolute(file.path)
        if path in known or path.endswith(".pyi"):
            continue
        document = _read(file.path)
        if document is not None:
            yield path, document


def _read(path: Path) -> Document | None:
    try:
        return read_document(path, _display(path))
    except SourceError:
        return None


def _display(path: Path) -> str:
    """How reports call a file that is only read: relative to the current folder where it lies below."""
    name = absolute(path)
    here = absolute(Path())
    return name[len(here) + 1 :] if name.startswith(f"{here}/") else name
