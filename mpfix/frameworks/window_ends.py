"""What becomes of the micro batch at which a window ends: whether its gradients are in any sum."""

from __future__ import annotations

from mpfix.frameworks.accumulation import Sum, sums
from mpfix.frameworks.events import (
    Accumulated,
    Applied,
    CellCarried,
    Collected,
    GradientsUsed,
    GradientTaken,
    Overwritten,
    Reset,
)
from mpfix.frameworks.own_optimizers import GradientsHanded, is_own_update
from mpfix.frameworks.sums import Cell, is_variable, is_zero
from mpfix.frameworks.windows import MAX_DEPTH, Update, updates
from mpfix.record import record
from mpfix.semantic.guards import Guard
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.values import NONE, At, Loop, LoopKey, Record, Sequence, Unknown, Value

READERS = frozenset({"tensorflow", "keras", "builtins", "numpy", "logging"})
"""Packages whose functions look at gradients: norms, histograms, messages."""


@record
class DroppedGradient:
    """An update whose window drops the gradients that its last iteration takes; `add` adds those of the others.

    `is_one` is whether one statement adds or sets back to zero.
    """

    update: Update
    taken: Occurrence
    add: Occurrence
    is_one: bool


@fact
def dropped_gradients(program: Program) -> tuple[DroppedGradient, ...]:
    """Updates of a sum that is set to zero in an iteration whose own gradients join neither the old nor the new one."""
    found = []
    for update in updates(program):
        if _may_be_cut(program, update):
            continue
        accumulator = applied_sum(update)
        known = sums(program).get(accumulator) if accumulator is not None else None
        if known is None or update.loop is None or not update.window or not known.carried_by(update.loop):
            continue
        taken = _dropped(program, update, known)
        if taken is not None and _starts_from_zero(program, update, known, update.loop):
            add = known.adds[0]
            is_one = any(one.place == add.place for one in program.happened(Reset))
            found.append(DroppedGradient(update, taken, add, is_one))
    return tuple(found)


def _may_be_cut(program: Program, update: Update) -> bool:
    """Whether a bound may have cut off what keeps the gradients; an optimizer's own method alone has those it gets."""
    if update.loop is None or not is_own_update(update.loop):
        return bool(program.cuts)
    modules = {place.module for place in (update.loop.place, update.occurrence.place, *update.occurrence.chain)}
    return any(cut.place.module in modules for cut in program.cuts)


def applied_sum(update: Update) -> Value | None:
    """The sum that an update applies, also where the loop adds the first gradients to it behind the update."""
    if update.accumulator is not None:
        return update.accumulator
    value: Value = update.gradients
    for _ in range(MAX_DEPTH):
        match value:
            case Loop():
                return Cell(value.box, value.name)
            case Unknown(origin=("loop", _, int() as box, str() as name)):
                return Cell(box, name)
            case Unknown(origin=("element" | "item", Value() as inner, *_)):
                value = inner
            case _:
                break
    return None


def excludes(guard: Guard, window: Guard) -> bool:
    """Whether a guard says the opposite of a window."""
    return any((condition, not holds) in guard for condition, holds in window)


def _dropped(program: Program, update: Update, known: Sum) -> Occurrence | None:
    """Where the iteration at the end of a window takes gradients that nothing adds, keeps or applies."""
    if update.property("joined") != NONE or not all(excludes(one.guard, update.window) for one in known.adds):
        return None
    places = {_origin(gradients) for _, gradients in known.added()}
    taken = places.pop() if len(places) == 1 else NONE
    if not isinstance(taken, At) or _is_kept(program, update, taken):
        return None
    around = update.occurrence.loops
    return next(
        (
            one
            for one in program.happened(GradientTaken, GradientsHanded)
            if one.place == taken.place
            and one.loops[: len(around)] == around
            and not excludes(one.guard, update.window)
        ),
        None,
    )


def _origin(gradients: Record) -> Value:
    """Where gradients were taken, or where an optimizer of the project got them."""
    return gradients.get("taken") if gradients.get("taken") != NONE else gradients.get("handed")


def _is_kept(program: Program, update: Update, taken: At) -> bool:
    """Whether the gradients of that iteration go anywhere else than into the sum."""
    for occurrence in program.happened(Accumulated, Applied, Collected, GradientsUsed, Overwritten):
        event = occurrence.event
        if excludes(occurrence.guard, update.window) or (isinstance(event, GradientsUsed) and _only_reads(event.by)):
            continue
        for _, gradients in alternatives(getattr(event, "gradients", NONE), occurrence.guard):
            if not isinstance(gradients, Record) or _origin(gradients) != taken:
                continue
            # the sum itself remembers where its parts were taken
            if not isinstance(event, Applied) or gradients.get("accumulator") == NONE:
                return True
    return False


def _only_reads(function: str) -> bool:
    """Whether a function that gets gradients keeps them nowhere."""
    return function.partition(".")[0] in READERS


def _starts_from_zero(program: Program, update: Update, known: Sum, loop: LoopKey) -> bool:
    """Whether the sum is surely zero, or gone, when the iteration of an update is over."""
    accumulator = known.accumulator
    if is_variable(accumulator):
        resets = (one for one in program.happened(Reset) if one.event.accumulator == accumulator)  # type: ignore[attr-defined]
        return any(loop in one.loops and update.window <= one.guard for one in resets)
    left = [
        one
        for event in program.events(CellCarried)
        if event.accumulator == accumulator and event.loop == loop
        for _, one in alternatives(event.next, update.guard)
    ]
    return bool(left) and all(_is_nothing(one) for one in left)


def _is_nothing(value: Value) -> bool:
    return value == NONE or is_zero(value) or (isinstance(value, Sequence) and not value.items and not value.open)
