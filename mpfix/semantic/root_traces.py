"""What each root of a component did, kept for when the component is run again with other text in a few of its files."""

from __future__ import annotations

import ast
from collections.abc import Collection

from mpfix.record import record
from mpfix.semantic.budget import Cut
from mpfix.semantic.run import Occurrence, Recurrence, Run
from mpfix.semantic.syntax import Module, Place


@record
class RootTrace:
    """What one root did. It holds as long as every module that ran in it is the same."""

    executed: frozenset[Module]
    occurrences: tuple[Occurrence, ...]
    recurrences: tuple[Recurrence, ...]
    cuts: dict[tuple[str, Place], Cut]
    steps: int
    called: frozenset[ast.AST]
    """Functions whose bodies ran."""
    cut_functions: frozenset[ast.AST]
    """Functions of which some call was cut."""


def trace_of(run: Run) -> RootTrace:
    """What a run that has ended did."""
    return RootTrace(
        frozenset(run.module_frames),
        tuple(run.occurrences),
        tuple(run.recurrences),
        dict(run.cuts),
        run.steps,
        frozenset(run.called),
        frozenset(run.cut_functions),
    )


class RootTraces:
    """The traces of a component's roots, by root: those of the text that was there first."""

    def __init__(self) -> None:
        self._by_root: dict[tuple[Module, str], RootTrace] = {}
        self._is_complete = False

    def find(self, root: Module, name: str, modules: Collection[Module]) -> RootTrace | None:
        """The trace of a root run under `name`, if all that ran in it is among `modules`."""
        found = self._by_root.get((root, name))
        return found if found is not None and all(module in modules for module in found.executed) else None

    def keep(self, root: Module, name: str, trace: RootTrace) -> None:
        """Remember what a root did, while the component is run for the first time."""
        if not self._is_complete:
            self._by_root[root, name] = trace

    def complete(self) -> None:
        """Every root has run: what follows is other text."""
        self._is_complete = True
