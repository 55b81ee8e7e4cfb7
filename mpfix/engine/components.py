"""Which files are understood together: the documents of a run, joined with what their projects hold besides."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from pathlib import Path

from mpfix.engine.lookup import ImportLookup
from mpfix.errors import SourceError
from mpfix.record import record
from mpfix.semantic.project import FileIndex, Group, group_files, imported_files
from mpfix.settings import DEFAULT_EXCLUDE, Settings
from mpfix.source.discover import discover
from mpfix.source.document import Document, read_document

PROJECT_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
"""What stands in the root of a project."""


@record
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
    excluded: frozenset[str] = frozenset()
    """Names of the documents in `context` that the settings exclude."""
    may_matter: bool = True
    """Whether any rule could speak about it."""

    @property
    def size(self) -> int:
        """About how much there is to interpret, in code points; what no rule cares for is only parsed."""
        length = sum(len(document.text) for document in (*self.documents, *self.context))
        return length if self.may_matter else length // 20


def form_units(
    documents: Sequence[Document],
    settings: Settings,
    may_matter: Callable[[Document], bool],
    *,
    context: bool,
    folders: Sequence[str] = (),
) -> tuple[Unit, ...]:
    """The documents of a run as components, in order of their first file.

    Args:
        may_matter: whether any rule could speak about a document; the others stand alone and need no context.
        context: also read the rest of their projects; where nothing marks a project, what they import.
        folders: absolute paths of the folders that the run was given.
    """
    alone = [document for document in documents if not may_matter(document) or not document.path.name]
    left = set(map(id, alone))
    by_root: dict[str, list[Document]] = {}
    for document in documents:
        if id(document) not in left:
            by_root.setdefault(project_root(document.path, settings, folders)[0], []).append(document)
    units = [Unit((document,), may_matter=may_matter(document)) for document in alone]
    everywhere = {absolute(document.path): document for document in documents}
    for root, members in sorted(by_root.items()):
        units += _units_of(root, members, everywhere, settings, context)
    return tuple(sorted(units, key=lambda unit: unit.documents[0].display))


def project_root(path: Path, settings: Settings, folders: Sequence[str] = ()) -> tuple[str, bool]:
    """The nearest folder upwards that holds a mark of a project, and whether there is one.

    Else the folder of the run, which is a project too where it holds the settings; outside of it the outermost of
    `folders` around the file, or the file's own.
    """
    folder = os.path.dirname(absolute(path))
    current = folder
    while True:
        if any(os.path.lexists(os.path.join(current, mark)) for mark in PROJECT_MARKS):
            return current, True
        above = os.path.dirname(current)
        if above == current:
            break
        current = above
    outer = absolute(settings.root)
    is_inside = folder == outer or folder.startswith(f"{outer}/")
    if is_inside:
        return outer, settings.file is not None
    around = [one for one in folders if folder == one or folder.startswith(f"{one}/")]
    return min(around, key=len, default=folder), False


def absolute(path: Path) -> str:
    """The absolute path of a file, with `/` between folders, as the index of a project holds it."""
    return os.path.abspath(path).replace(os.sep, "/")


def _units_of(
    root: str, members: Sequence[Document], everywhere: dict[str, Document], settings: Settings, context: bool
) -> list[Unit]:
    """The components below a root that hold a document of the run."""
    known = {path: document for path, document in everywhere.items() if path.startswith(f"{root}/")}
    around: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    if context and project_root(members[0].path, settings)[1]:
        known |= dict(_rest_of_project(root, settings, known))
        excluded = _excluded_files(root, settings, known)
    elif context:
        around, excluded = _add_imported(root, settings, known)
    index = FileIndex(root, frozenset(path for path in (*known, *around, *excluded) if not path.endswith(".ipynb")))
    imports = {path: imported_files(index, path, document.text) for path, document in known.items()}
    _add_excluded(known, imports, index, excluded)
    texts = {path: document.text for path, document in known.items()}
    wanted = {absolute(document.path): document for document in members}
    units: list[Unit] = []
    for group in group_files(imports, texts):
        own = tuple(path for path in group.files if path in wanted)
        if own:
            units.append(_unit(group, own, known, index, excluded))
    return units


def _unit(
    group: Group, own: Sequence[str], known: dict[str, Document], index: FileIndex, excluded: frozenset[str]
) -> Unit:
    documents = tuple(sorted((known[path] for path in own), key=lambda document: document.display))
    if len(group.files) == 1:
        return Unit(documents)
    context = tuple(known[path] for path in group.files if path not in own)
    paths = {known[path].display: path for path in group.files}
    barred = frozenset(known[path].display for path in group.files if path in excluded)
    return Unit(documents, context, index, group.roots, paths, barred)


def _rest_of_project(root: str, settings: Settings, known: dict[str, Document]) -> Iterable[tuple[str, Document]]:
    """The other files below a root; what cannot be read is left out, since nobody asked about it."""
    found = discover([root], root=settings.root, exclude=settings.exclude, extend_exclude=settings.extend_exclude)
    for file in found.files:
        path = absolute(file.path)
        if path in known or path.endswith(".pyi"):
            continue
        document = _read(file.path)
        if document is not None:
            yield path, document


def _add_imported(root: str, settings: Settings, known: dict[str, Document]) -> tuple[frozenset[str], frozenset[str]]:
    """Read what the files import, and what that imports; gives the files, and the excluded ones, that imports may mean.

    Whatever imports the files is not looked for: the folder may hold anything, and nothing says where it all ends.
    """
    lookup = ImportLookup(root, settings)
    waiting = list(known)
    while waiting:
        for path in waiting:
            lookup.ask(path, known[path].text)
        index = FileIndex(root, frozenset((*known, *lookup.files, *lookup.excluded)))
        targets = {target for path in waiting for target in imported_files(index, path, known[path].text)}
        read = ((target, _read(Path(target))) for target in sorted(targets.difference(known)))
        new = {target: document for target, document in read if document is not None}
        known |= new
        waiting = list(new)
    return frozenset(lookup.files), frozenset(lookup.excluded)


def _excluded_files(root: str, settings: Settings, known: Iterable[str]) -> frozenset[str]:
    """The Python files below a root that settings of the user, and nothing else, exclude."""
    if settings.exclude == DEFAULT_EXCLUDE and not settings.extend_exclude:
        return frozenset()
    found = discover([root], root=settings.root, exclude=DEFAULT_EXCLUDE)
    return frozenset(absolute(file.path) for file in found.files if file.path.suffix == ".py").difference(known)


def _add_excluded(
    known: dict[str, Document], imports: dict[str, frozenset[str]], index: FileIndex, excluded: frozenset[str]
) -> None:
    """Read what others import although it is excluded: it is not judged, but what it says counts."""
    waiting = [path for targets in imports.values() for path in targets if path in excluded]
    while waiting:
        path = waiting.pop()
        document = None if path in known else _read(Path(path))
        if document is not None:
            known[path] = document
            imports[path] = imported_files(index, path, document.text)
            waiting += [target for target in imports[path] if target in excluded]


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
