"""The texts that `apply` would write, kept in memory: of the script and of the project's modules that it imports."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mpfix.engine.analysis import Job, analyse, analyse_unit
from mpfix.engine.apply import settle
from mpfix.engine.components import form_units
from mpfix.errors import SourceError
from mpfix.registry import load_registry
from mpfix.settings import Settings
from mpfix.source.document import Document, read_document

MAX_FILES = 500
"""Files of a project that are looked at; a script that imports more is measured with the fixes of these."""


@dataclass(frozen=True)
class Texts:
    """What one variant runs."""

    label: str
    by_path: Mapping[str, str] = field(repr=False)
    """Text by real path of what is not run as it is on disk: notebooks, and files with fixes."""
    cells: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict, repr=False)
    """(first line in the text, number) of each cell, by real path of a notebook."""


@dataclass(frozen=True)
class Rewrites:
    """What the fixes make of a script and its modules."""

    before: Texts
    after: Texts
    fixed: Mapping[str, int]
    changed: tuple[str, ...]
    """Files that the fixes change, relative to the script's folder."""
    unreadable: tuple[str, ...]


def rewrites_of(script: Path, settings: Settings) -> Rewrites:
    """Plan the fixes that the settings allow for a script and the modules that it imports.

    Raises:
        SourceError: the script cannot be read.
        UsageError: a selector or a pack is unknown.
    """
    registry = load_registry(settings.packs)
    job = Job(settings, registry, registry.selected(settings))
    documents, unreadable = _documents(script)
    notebooks = [item for item in documents if item.kind == "ipynb"]
    before = Texts("before", {key(item.path): item.text for item in notebooks}, _cells(notebooks))
    after, cells = dict(before.by_path), dict(before.cells)
    fixed, changed = Counter[str](), list[str]()
    for unit in form_units(documents, settings, job.may_matter, context=True):
        settled = settle(analyse_unit(unit, job), partial(analyse, job=job), unsafe_fixes=settings.unsafe_fixes)
        fixed.update(settled.fixed)
        for _, new in settled.changes:
            after[key(new.path)] = new.text
            cells.update(_cells([new]))
            changed.append(new.display)
    return Rewrites(
        before, Texts("after", after, cells), dict(sorted(fixed.items())), tuple(sorted(changed)), unreadable
    )


def key(path: Path) -> str:
    """How texts are found: by real path."""
    return str(path.resolve())


def _cells(documents: Iterable[Document]) -> dict[str, tuple[tuple[int, int], ...]]:
    return {
        key(item.path): tuple((cell.first_line, cell.number) for cell in item.cells) for item in documents if item.cells
    }


def _documents(script: Path) -> tuple[tuple[Document, ...], tuple[str, ...]]:
    """The script, and each module below its folder that it imports, directly or not."""
    root = script.parent
    waiting, found, unreadable = [script], dict[str, Document](), list[str]()
    while waiting and len(found) < MAX_FILES:
        path = waiting.pop()
        if key(path) in found:
            continue
        try:
            document = read_document(path, _display(path, root))
        except SourceError as error:
            if path == script:
                raise
            unreadable.append(str(error))
            continue
        found[key(path)] = document
        waiting += _imported(document, root)
    return tuple(sorted(found.values(), key=lambda item: item.display)), tuple(unreadable)


def _display(path: Path, root: Path) -> str:
    try:
        return str(path.relative_to(root))
    except ValueError:
        return str(path)


def _imported(document: Document, root: Path) -> Iterator[Path]:
    """Files below `root` that an import anywhere in the document can mean."""
    try:
        tree = ast.parse(document.text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = document.path.parents[node.level - 1] if node.level else root
            parts = node.module.split(".") if node.module else []
            yield from _files(base, parts)
            for alias in node.names:
                yield from _files(base, [*parts, alias.name])


def _files(base: Path, parts: list[str]) -> Iterator[Path]:
    """The packages on the way to a module, and the module."""
    for length in range(1, len(parts) + 1):
        place = base.joinpath(*parts[:length])
        for candidate in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if candidate.is_file():
                yield candidate
