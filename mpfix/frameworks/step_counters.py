"""The step counters of optimizers, and what a program makes of them."""

from __future__ import annotations

import ast
from collections.abc import Hashable

from mpfix.frameworks.events import Applied
from mpfix.record import record
from mpfix.semantic.guards import Every, Guard
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Arguments, Bound, Constant, Library, Loop, Object, Record, Unknown, Value

MAX_DEPTH = 12
CHANGING = frozenset({"call", "iteration", "loop", "site"})
"""Origins of unknowns that may be others in the next step."""

READS = frozenset({"numpy", "read_value", "value"})
"""What gives the number that a counter holds."""

DIVISIONS = ("FloorDiv", "Div")


@record
class CounterDivided(Event):
    """An optimizer's `iterations` were set to a fraction of what they were."""

    optimizer: Value


def keeps_division(name: str, operands: tuple[Value, ...]) -> bool:
    """Whether an operation divides a step counter, whatever the other number is."""
    return name in DIVISIONS and _optimizer_of(operands[0]) is not None


def note_call(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> None:
    """`optimizer.iterations.assign(optimizer.iterations // n)`."""
    if not isinstance(function, Unknown) or function.origin[-1] != "assign":
        return
    match function:
        case Unknown(origin=("attribute", Value() as counter, "assign")):
            optimizer, given = _optimizer_of(counter), arguments.get(0, "value")
            if optimizer is not None and given is not None:
                run.each(given, lambda one: _note_assigned(run, optimizer, one, node))


def _note_assigned(run: Run, optimizer: Value, value: Value, node: ast.AST) -> Value:
    if _is_part_of(value, optimizer):
        run.emit(CounterDivided(node, optimizer))
    return value


def _optimizer_of(value: Value) -> Value | None:
    """The optimizer whose `iterations` a value is, or was read from; None for any other value."""
    match value:
        case Bound(function=Library(key="optimizer.iterations"), receiver=receiver):
            return receiver
        case Unknown(origin=("attribute", Value() as receiver, "iterations")):
            return receiver
        case Unknown(origin=("attribute", Value() as inner, str(name))) if name in READS:
            return _optimizer_of(inner)
        case Unknown(origin=("call", Unknown() as inner, *_)):
            return _optimizer_of(inner)
    return None


def _is_part_of(given: Value, optimizer: Value) -> bool:
    """Whether a value is an optimizer's step counter over a number, converted or not."""
    match given:
        case Record(kind="tensor") if given.get("cast at") != Constant(None):
            return _is_part_of(given.get("of"), optimizer)
        case Unknown(origin=("convert", _, Value() as inner)):
            return _is_part_of(inner, optimizer)
        case Unknown(origin=("operator", "FloorDiv" | "Div", Value() as whole, Value() as by)):
            return _optimizer_of(whole) == optimizer and not (isinstance(by, Constant) and by.value in (0, 1))
    return False


@record
class FallenCounter:
    """A counter that every step divides, so that it never gets far from 0; `update` is what counts."""

    place: Place
    guard: Guard
    update: Place


@fact
def fallen_counters(program: Program) -> tuple[FallenCounter, ...]:
    """Step counters that are divided in the same loop, on the same conditions, in which their optimizer updates."""
    found: dict[Place, FallenCounter] = {}
    for occurrence in program.happened(CounterDivided):
        update = _update(program, occurrence) if occurrence.loops else None
        if update is not None:
            found.setdefault(occurrence.place, FallenCounter(occurrence.place, occurrence.guard, update.place))
    return tuple(found.values())


def _update(program: Program, divided: Occurrence) -> Occurrence | None:
    """The update that is made wherever its counter is divided, but for what is the same in every step."""
    assert isinstance(divided.event, CounterDivided)
    optimizer = divided.event.optimizer
    for one in program.happened(Applied):
        assert isinstance(one.event, Applied)
        of = (value for _, value in alternatives(one.event.optimizer, divided.guard))
        is_of_step = one.loops == divided.loops and any(value == optimizer for value in of)
        if is_of_step and all(_is_steady(condition) for condition, _ in divided.guard - one.guard):
            return one
    return None


def _is_steady(condition: Hashable, depth: int = 0) -> bool:
    """Whether a condition is the same in every step."""
    match condition:
        case Every(guard=guard):
            return all(_is_steady(inner, depth + 1) for inner, _ in guard)
        case Unknown(origin=("attribute", Object() as owner, _)):
            return owner.kind != "variable"
        case Unknown():
            parts = (one for one in condition.origin[1:] if isinstance(one, Value))
            fixed = condition.origin[0] not in CHANGING and depth < MAX_DEPTH
            return fixed and all(_is_steady(one, depth + 1) for one in parts)
        case Loop() | Object() | Bound() | Record():
            return False
    subject = getattr(condition, "subject", None)
    return subject is None or _is_steady(subject, depth + 1)
