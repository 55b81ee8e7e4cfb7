"""Variables that the first iteration of a loop makes, and all later ones find: `if self.sums is None: ...`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.frameworks.sums import Cell, carried, cell_of
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.guards import Condition, Equal, Guard
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Run
from mpfix.semantic.values import FALSE_VALUE, NONE, Loop, LoopKey, Object, Unknown, Value


@record
class MadeOnce(Event):
    """A variable was made where a cell that a loop carries was still empty, as it was before the loop."""

    variable: Object
    loop: LoopKey
    cell: Cell


@record
class CellSet(Event):
    """`assign` gave another number to what a cell that a loop carries holds, or to an element of it."""

    cell: Cell


@record
class Kept:
    """The loops that keep a variable once it is made, and what says that they have not made it yet.

    `is_set` is whether one of them may give it another number before it is known.
    """

    loops: frozenset[LoopKey] = frozenset()
    once: Guard = frozenset()
    is_set: bool = False


NOT_KEPT = Kept()


def note_made(run: Run, variable: Object, node: ast.AST) -> None:
    """A variable was made: remember the empty cells that the way to it asks for."""
    for condition, holds in run.path:
        cell = _empty(condition, holds)
        if cell is not None and cell.loop in run.loops and _is_nothing(run, cell.initial):
            run.emit(MadeOnce(node, variable, cell.loop, Cell(cell.box, cell.name)))


def note_call(run: Run, function: Value, node: ast.AST) -> None:
    """`self.sums[0].assign(...)` of what an earlier iteration left there."""
    match function:
        case Unknown(origin=("attribute", Value() as receiver, "assign" | "assign_sub")):
            cell = carried(run, receiver)
            if cell is not None:
                run.emit(CellSet(node, cell_of(cell)))


def _empty(condition: Condition, holds: bool) -> Loop | None:
    """The cell that a literal says is empty: `not cell`, or `cell is None`."""
    match condition:
        case Loop() if not holds:
            return condition
        case Equal(subject=Loop() as subject, constant=None) if holds:
            return subject
    return None


def _is_nothing(run: Run, value: Value) -> bool:
    content = list_content(run, value)
    return value in (NONE, FALSE_VALUE) or (content is not None and not content.items and not content.open)


@fact
def kept_variables(program: Program) -> dict[Value, Kept]:
    """The variables that stay where the first iteration of a loop puts them."""
    found: dict[Value, Kept] = {}
    for event in program.events(MadeOnce):
        once = frozenset(_once(program, event))
        if once:
            before = found.get(event.variable, NOT_KEPT)
            is_set = before.is_set or (event.cell, event.loop) in _set_cells(program)
            found[event.variable] = Kept(before.loops | {event.loop}, before.once | once, is_set)
    return found


@fact
def _set_cells(program: Program) -> frozenset[tuple[Cell, LoopKey]]:
    """The cells that are set, with each loop that goes on around it."""
    happened = program.happened(CellSet)
    return frozenset((one.event.cell, loop) for one in happened for loop in one.loops)  # type: ignore[attr-defined]


def _once(program: Program, event: MadeOnce) -> Iterator[tuple[Condition, bool]]:
    """What says that a cell is empty, where every iteration that finds something in it leaves it there."""
    for recurrence in program.recurrences:
        if (recurrence.loop, recurrence.box, recurrence.name) != (event.loop, event.cell.box, event.cell.name):
            continue
        parts = [(_literals(guard, event.cell), value) for guard, value in alternatives(recurrence.next)]
        if all(empty or _is_itself(value, event.cell) for empty, value in parts):
            yield from (one for empty, _ in parts for one in empty)


def _literals(guard: Guard, cell: Cell) -> list[tuple[Condition, bool]]:
    return [one for one in guard if _is_of(_empty(*one), cell)]


def _is_of(found: Loop | None, cell: Cell) -> bool:
    return found is not None and Cell(found.box, found.name) == cell


def _is_itself(value: Value, cell: Cell) -> bool:
    match value:
        case Loop():
            return Cell(value.box, value.name) == cell
        case Unknown(origin=("loop", _, int() as box, str() as name)):
            return Cell(box, name) == cell
    return False
