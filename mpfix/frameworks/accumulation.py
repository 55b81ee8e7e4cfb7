"""Gradient accumulation as a program does it: sums with what adds to them, and what becomes of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.frameworks.events import (
    Accumulated,
    Applied,
    CellCarried,
    Collected,
    Divided,
    GradientsUsed,
    GradientTaken,
    Overwritten,
    Reset,
)
from mpfix.frameworks.keys import public_names
from mpfix.frameworks.lazy_sums import NOT_KEPT, Kept, kept_variables
from mpfix.frameworks.sums import Cell, is_variable
from mpfix.frameworks.surroundings import function_around, is_read_nowhere
from mpfix.frameworks.variables import VariableSet
from mpfix.frameworks.windows import Update, updates
from mpfix.record import record
from mpfix.semantic.guards import Condition, Equal, Guard
from mpfix.semantic.library import Event, NameMissing
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    NONE,
    At,
    Loop,
    LoopKey,
    Object,
    Record,
    Unknown,
    Value,
)


@record
class Sum:
    """An accumulator and the places that add gradients to it."""

    accumulator: Value
    adds: tuple[Occurrence, ...]
    kept: Kept = NOT_KEPT

    @property
    def place(self) -> Place | None:
        """Where it was made, as far as that is known."""
        return self.accumulator.place if isinstance(self.accumulator, Object) else None

    def added(self) -> Iterator[tuple[Occurrence, Record]]:
        """Each addition with the gradients it adds."""
        for occurrence in self.adds:
            assert isinstance(occurrence.event, Accumulated)
            for _, gradients in alternatives(occurrence.event.gradients, occurrence.guard):
                if isinstance(gradients, Record):
                    yield occurrence, gradients

    def carried_by(self, loop: LoopKey) -> bool:
        """Whether a loop hands the sum on to its next iteration."""
        carried = any(isinstance(o.event, Accumulated) and loop in o.event.carried for o in self.adds)
        return carried or loop in self.kept.loops


@fact
def sums(program: Program) -> dict[Value, Sum]:
    """The sums of gradients that loops build up."""
    found: dict[Value, list[Occurrence]] = {}
    for occurrence in program.happened(Accumulated):
        assert isinstance(occurrence.event, Accumulated)
        found.setdefault(occurrence.event.accumulator, []).append(occurrence)
    return {
        accumulator: Sum(accumulator, tuple(adds), kept_variables(program).get(accumulator, NOT_KEPT))
        for accumulator, adds in found.items()
        if is_variable(accumulator) or any(_adds_itself(one, accumulator) for one in _left(program, accumulator))
    }


def _left(program: Program, accumulator: Value, loop: LoopKey | None = None) -> list[Value]:
    """What iterations (of one loop) leave in a cell, but for the first one, which may find it empty."""
    events = [o.event for o in program.happened(CellCarried) if isinstance(o.event, CellCarried)]
    return [
        one
        for event in events
        if event.accumulator == accumulator and (loop is None or event.loop == loop)
        for guard, one in _parts(event.next)
        if not any(_is_empty(condition, accumulator) and holds for condition, holds in guard)
    ]


def _parts(value: Value) -> Iterator[tuple[Guard, Value]]:
    """The alternatives of a value, those of the sum in it told apart."""
    for guard, one in alternatives(value):
        if not isinstance(one, Record):
            yield guard, one
            continue
        for inner, accumulator in alternatives(one.get("accumulator")):
            yield guard | inner, one.having({"accumulator": accumulator})


def _is_empty(condition: Condition, accumulator: Value) -> bool:
    """Whether a condition says that a cell holds None."""
    return isinstance(condition, Equal) and condition.constant is None and _stays_itself(condition.subject, accumulator)


def _adds_itself(value: Value, accumulator: Value) -> bool:
    if not isinstance(value, Record) or value.get("factor") != NONE:
        return False
    return any(one == accumulator for _, one in alternatives(value.get("accumulator")))


def _stays_itself(value: object, accumulator: Value) -> bool:
    match value:
        case Loop():
            return Cell(value.box, value.name) == accumulator
        case Unknown(origin=("loop", _, int() as box, str() as name)):
            return Cell(box, name) == accumulator
        case Record():
            every = [one for _, one in alternatives(value.get("accumulator"))]
            return bool(every) and all(one == accumulator for one in every)
    return False


def starts_again(program: Program, found: Sum, loop: LoopKey) -> bool:
    """Whether a sum may be set back within an iteration of a loop; True as well where that cannot be told."""
    if is_variable(found.accumulator):
        # what is multiplied by some number, or less by it, may be zero then
        events = program.happened(Reset, Overwritten, VariableSet)
        is_reset = (_changed(one.event) == found.accumulator and loop in one.loops for one in events)
        return found.kept.is_set or any(is_reset)
    left = _left(program, found.accumulator, loop)
    return not left or not all(_stays_itself(one, found.accumulator) for one in left)


def _changed(event: Event) -> Value | None:
    return event.variable if isinstance(event, VariableSet) else getattr(event, "accumulator", None)


def is_used(program: Program, found: Sum) -> bool:
    """Whether a sum may be applied, or is handed to code that is not modelled."""
    applied = [o.event.gradients for o in program.happened(Applied) if isinstance(o.event, Applied)]
    given = [o.event.gradients for o in program.happened(GradientsUsed) if isinstance(o.event, GradientsUsed)]
    known = [one for value in applied for _, one in alternatives(value)]
    if not all(isinstance(one, Record) for one in known):
        return True
    sums_of = [one for value in (*known, *given) if isinstance(value, Record) for one in _accumulators(value)]
    places = {one.place for one in sums_of if isinstance(one, Object)}
    return any(one == found.accumulator or isinstance(one, Unknown) for one in sums_of) or found.place in places


def _accumulators(gradients: Record) -> list[Value]:
    return [one for _, one in alternatives(gradients.get("accumulator"))]


def divisions(program: Program, accumulator: Value) -> Iterator[Occurrence]:
    """Where a sum is divided."""
    for occurrence in program.happened(Divided):
        if isinstance(occurrence.event, Divided) and occurrence.event.accumulator == accumulator:
            yield occurrence


def vain_divisions(program: Program, update: Update) -> Iterator[Occurrence]:
    """Where the gradients of an update that are no sum are divided, for a name that nobody reads."""
    applied = {update.property(name) for name in ("divided at", "divided again at")}
    for occurrence in program.happened(Divided):
        event = occurrence.event
        assert isinstance(event, Divided)
        if (
            At(occurrence.place) in applied
            or event.accumulator != NONE
            or not isinstance(event.gradients, Record)
            or update.taken is None
        ):
            continue
        is_around = update.occurrence.chain[: len(occurrence.chain)] == occurrence.chain
        if is_around and _taken(event.gradients) == update.taken and is_read_nowhere(program, occurrence.place):
            yield occurrence


def overwrites(program: Program, accumulator: Value) -> tuple[Occurrence, ...]:
    """Where gradients take the place of what a variable held."""
    found = program.happened(Overwritten)
    return tuple(o for o in found if isinstance(o.event, Overwritten) and o.event.accumulator == accumulator)


@fact
def kept_elsewhere(program: Program) -> frozenset[Place]:
    """Places that take gradients which are collected, added up, or handed to code that nobody knows."""
    found: set[Place] = set()
    for occurrence in program.happened(Accumulated, Collected, GradientsUsed):
        event = occurrence.event
        if isinstance(event, GradientsUsed) and event.by != "unknown":
            continue
        for _, gradients in alternatives(getattr(event, "gradients", NONE)):
            taken = gradients.get("taken") if isinstance(gradients, Record) else NONE
            found.update(one.place for _, one in alternatives(taken) if isinstance(one, At))
    return frozenset(found)


# -- gradients that stay inside a function


@record
class Missing:
    """A read of a name that only a function called before had, for its gradients."""

    occurrence: Occurrence
    name: str
    taken: Occurrence


@fact
def missing_gradients(program: Program) -> tuple[Missing, ...]:
    """Reads of names that are bound nowhere there, but to gradients inside a function that has run."""
    found = []
    takes: list[Occurrence] = []
    for occurrence in program.happened(GradientTaken, NameMissing):
        if isinstance(occurrence.event, GradientTaken):
            takes.append(occurrence)
            continue
        assert isinstance(occurrence.event, NameMissing)
        if not all(public_names(star) for star in occurrence.event.stars):
            continue
        name = occurrence.event.name
        taken = next((one for one in reversed(takes) if _names(program, one, name)), None)
        if taken is not None:
            found.append(Missing(occurrence, name, taken))
    return tuple(found)


def _names(program: Program, taken: Occurrence, name: str) -> bool:
    """Whether a function on the way to a gradient binds it to a local `name`."""
    calls = {taken.place.node, *(place.node for place in taken.chain)}
    functions = (function_around(program, place) for place in (*taken.chain, taken.place))
    return any(
        isinstance(node, ast.Assign)
        and any(_binds(target, name) for target in node.targets)
        and any(one in calls for one in ast.walk(node.value))
        for function in functions
        if function is not None and not _shares(function, name)
        for node in ast.walk(function)
    )


def _shares(function: ast.AST, name: str) -> bool:
    """Whether a function declares a name as one of the scopes around it."""
    return any(isinstance(one, (ast.Global, ast.Nonlocal)) and name in one.names for one in ast.walk(function))


def _binds(target: ast.AST, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(target))


def missing_name(value: Value, depth: int = 0) -> str | None:
    """The name that an unknown value comes from, where that was bound to nothing."""
    if not isinstance(value, Unknown) or depth > 8:
        return None
    if value.origin[0] == "name":
        return str(value.origin[2])
    parts = (part for part in value.origin[1:] if isinstance(part, Value))
    return next((found for part in parts if (found := missing_name(part, depth + 1)) is not None), None)


# -- an update in every step beside that of the window


@record
class Doubled:
    """An update in each iteration and another one of the same gradients when the window is full.

    `kind` is `same` (the gradients of the step), `missing` (their name, which the loop has not), `sum` (a right sum).
    """

    each: Update
    again: Update
    kind: str
    place: Place
    again_place: Place


@fact
def doubled_updates(program: Program) -> tuple[Doubled, ...]:
    """Updates of every micro batch in loops that update once more at the end of each window."""
    found = []
    for again in updates(program):
        if not again.window or again.loop is None:
            continue
        for each in updates(program):
            kind = _kind(program, each, again)
            if kind is not None:
                place, again_place = _apart(each.occurrence, again.occurrence)
                found.append(Doubled(each, again, kind, place, again_place))
                break
    return tuple(found)


def _kind(program: Program, each: Update, again: Update) -> str | None:
    if each.window or each.taken is None or each.accumulator is not None or each.optimizer != again.optimizer:
        return None
    if each.occurrence.loops != again.occurrence.loops or not each.guard <= again.guard:
        return None
    if again.accumulator is not None:
        found = sums(program).get(again.accumulator)
        own = found is not None and any(_taken(one) == each.taken for _, one in found.added())
        return "sum" if own else None
    if again.taken is not None:
        return "same" if again.taken == each.taken else None
    name = missing_name(again.gradients)
    if name is not None and any(m.name == name and m.taken.place == each.taken for m in missing_gradients(program)):
        return "missing"
    return None


def _taken(gradients: Record) -> Place | None:
    found = gradients.get("taken")
    return found.place if isinstance(found, At) else None


def _apart(first: Occurrence, second: Occurrence) -> tuple[Place, Place]:
    """The innermost places on the way to two events that tell them apart."""
    ways = zip((first.place, *reversed(first.chain)), (second.place, *reversed(second.chain)), strict=False)
    for one, other in ways:
        if one != other:
            return one, other
    return first.place, second.place
