"""What several roots import first is imported once: each of them continues that run, and is undone at its end.

A test suite of a hundred files that all begin with `import package` would run the package's modules a hundred times.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from mpfix.semantic.budget import Limits, OutOfSteps
from mpfix.semantic.imports import import_module
from mpfix.semantic.project import Project
from mpfix.semantic.run import Run
from mpfix.semantic.store import Box, Cells
from mpfix.semantic.syntax import Module

_TABLES = (
    "imported", "module_frames", "functions", "classes", "instances", "made_in_state", "heirs", "setters",
    "unknown_boxes", "assignments", "called", "cut_functions", "cuts", "spent", "occurrences", "recurrences",
    "dear_bodies",
)  # fmt: skip
"""Attributes of a run that are copied as they are."""

_NESTED = ("contexts", "memo", "pools")
"""Attributes of a run that map to tables of their own."""

First = tuple[tuple[str, int], ...]
"""Imports as (dotted name, dots before it)."""


class SharedImports:
    """The runs in which the first imports of a component's roots were done.

    A root that shares nothing, or whose first import runs it too, gets a run of its own. `limits` are those of the
    imports: done once, they may take what all roots together may.
    """

    def __init__(
        self, make: Callable[[Limits], Run], project: Project | None, roots: Sequence[Module], limits: Limits
    ) -> None:
        self._make, self._limits = make, limits
        self._firsts = {root: found for root in roots if project and (found := _first_imports(project, root))}
        self._left = Counter(key for key, _ in self._firsts.values())
        self._marks: dict[tuple[Module, ...], _Mark | None] = {}

    def run_for(self, root: Module, limits: Limits) -> Run:
        """A run that may have done what the root begins with; `leave` it afterwards."""
        key, first = self._firsts.get(root, ((), ()))
        if self._left[key] < 2 and key not in self._marks:
            return self._make(limits)
        if key not in self._marks:
            self._marks[key] = self._import(root, first)
        mark = self._marks[key]
        if mark is None or root in mark.run.module_frames:
            return self._make(limits)
        mark.run.limits, mark.run.steps = limits, 0
        return mark.run

    def leave(self, root: Module) -> None:
        """The root has ended, and its trace is taken."""
        key, _ = self._firsts.get(root, ((), ()))
        self._left[key] -= 1
        mark = self._marks.get(key)
        if not self._left[key]:
            self._marks.pop(key, None)
        elif mark is not None:
            mark.back()

    def _import(self, root: Module, first: First) -> _Mark | None:
        run = self._make(self._limits)
        run.module = root
        try:
            for name, level in first:
                import_module(run, root, name, level)
        except OutOfSteps:
            return None
        return None if run.exits else _Mark(run)


class _Mark:
    """The state of a run to which it can be brought back."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._tables = {name: getattr(run, name).copy() for name in _TABLES}
        self._nested = {name: _copied(getattr(run, name)) for name in _NESTED}
        self._summaries = {one for pool in run.pools.values() for one in pool if one.summary}
        self._counts = (run.times_cut, run.store.overflows)
        self._library = run.library.mark()
        self._journal: dict[tuple[int, str], tuple[Box, str, Cells | None]] = {}
        run.store.kept_journals = 1
        run.store.journals.append(self._journal)

    def back(self) -> None:
        """Undo all that happened since."""
        run = self.run
        run.store.journals.clear()
        run.store.rollback(self._journal)
        self._journal.clear()
        run.store.journals.append(self._journal)
        for name, table in self._tables.items():
            setattr(run, name, table.copy())
        for name, nested in self._nested.items():
            setattr(run, name, _copied(nested))
        for one in chain.from_iterable(run.pools.values()):
            one.summary = one in self._summaries
        run.times_cut, run.store.overflows = self._counts
        self._library()


def _copied(tables: dict[object, list[object]]) -> dict[object, list[object]]:
    return {key: table.copy() for key, table in tables.items()}


def _first_imports(project: Project, root: Module) -> tuple[tuple[Module, ...], First] | None:
    """What a root's first import of the project runs, if nothing but imports and constants stands before it.

    Packages that import something themselves are what is shared; where there are none, the module itself.
    """
    for name, level in _imports_at_start(root.tree.body):
        parts = name.split(".") if name else []
        steps = [(".".join(parts[:count]), level) for count in range(0 if level else 1, len(parts) + 1)]
        found = [(step, module) for step in steps if (module := _module_of(project, root, *step)) is not None]
        if not found:
            continue
        packages = [pair for pair in found if _is_package(project, pair[1]) and _imports_something(pair[1])]
        shared = found[: found.index(packages[-1]) + 1] if packages else found
        return tuple(module for _, module in shared), tuple(step for step, _ in shared)
    return None


def _imports_at_start(body: Iterable[ast.stmt]) -> Iterator[tuple[str, int]]:
    for statement in body:
        match statement:
            case ast.Import(names=names):
                yield from ((alias.name, 0) for alias in names)
            case ast.ImportFrom(module=module, level=level):
                yield module or "", level
            case ast.Expr(value=ast.Constant()) | ast.Assign(value=ast.Constant(), targets=[ast.Name()]):
                continue
            case _:
                return


def _module_of(project: Project, root: Module, name: str, level: int) -> Module | None:
    found = project.find(root, name, level)
    return found[0] if found is not None else None


def _is_package(project: Project, module: Module) -> bool:
    return project.paths[module].endswith("/__init__.py")


def _imports_something(module: Module) -> bool:
    return any(isinstance(statement, (ast.Import, ast.ImportFrom)) for statement in module.tree.body)
