"""Where windows of micro batches begin: the first count of a loop, and windows that end at their first micro batch."""

from __future__ import annotations

import ast
from collections.abc import Hashable

from mpfix.frameworks.accumulation import sums
from mpfix.frameworks.window_ends import excludes
from mpfix.frameworks.windows import MAX_DEPTH, Update, updates
from mpfix.record import record
from mpfix.semantic.guards import Condition, Equal, Every
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.values import Constant, Loop, LoopKey, Unknown, Value


@record
class ShiftedWindow:
    """An update whose window is over at the very first micro batch; `add` is where that one joins the sum."""

    update: Update
    add: Occurrence
    counter: Value


@fact
def shifted_windows(program: Program) -> tuple[ShiftedWindow, ...]:
    """Updates of sums behind `step % n == 0` where the first step is 0 and its gradients are in the sum already."""
    order = {id(one): index for index, one in enumerate(program.occurrences)}
    found = []
    for update in updates(program):
        counter = _zero_at_first(program, update)
        add = _added_before(program, update, order)
        if counter is not None and add is not None:
            found.append(ShiftedWindow(update, add, counter))
    return tuple(found)


def _added_before(program: Program, update: Update, order: dict[int, int]) -> Occurrence | None:
    """What adds to an update's sum before it, in the same iteration."""
    known = sums(program).get(update.accumulator) if update.accumulator is not None else None
    around, now = update.occurrence.loops, order[id(update.occurrence)]
    if known is None or update.loop is None or not known.carried_by(update.loop):
        return None
    return next(
        (
            one
            for one in known.adds
            if one.loops[: len(around)] == around and order[id(one)] < now and not excludes(one.guard, update.window)
        ),
        None,
    )


# -- counters


def _zero_at_first(program: Program, update: Update) -> Value | None:
    """The counter of an update's window whose remainder is 0 in the first iteration."""
    loop = update.loop
    if loop is None or len(update.window) != 1:
        return None
    ((condition, holds),) = update.window
    remainder = _remainder_of(condition, holds)
    if remainder is None:
        return None
    counter, length = remainder.origin[2], remainder.origin[3]
    first = first_count(program, loop, counter)
    if first is None or (isinstance(length, Constant) and length.value in (0, 1)):
        return None
    # `step > 0 and step % n == 0` leaves the first micro batch alone
    if any(_mentions(one, counter) for one, _ in update.rest):
        return None
    if isinstance(length, Constant) and isinstance(length.value, int):
        return counter if first % length.value == 0 else None
    return counter if first == 0 else None


def _remainder_of(condition: Condition, holds: bool) -> Unknown | None:
    """The remainder that is 0 where a condition holds, or does not hold."""
    match condition:
        case Equal(subject=Unknown(origin=("operator", "Mod", *_)) as remainder, constant=0) if holds:
            return remainder
        case Unknown(origin=("operator", "Mod", *_)) if not holds:
            return condition
        case Every(guard=guard) if not holds:
            # the end of a window, or the end of the data
            found = [_remainder_of(inner, not held) for inner, held in guard]
            known = [one for one in found if one is not None]
            return known[0] if len(known) == 1 else None
    return None


def first_count(program: Program, loop: LoopKey, value: Hashable, depth: int = 0) -> int | None:
    """What a value that counts the iterations of a loop is in the first one; None where it does not or may not."""
    if depth > MAX_DEPTH:
        return None
    match value:
        case Unknown(origin=("iteration", LoopKey() as key, Value() as inner)):
            return first_count(program, loop, inner, depth + 1) if key == loop else None
        case Unknown(origin=("index", Constant(value=int() as start), place)):
            # the third argument of `range` is another step than 1
            is_plain = isinstance(place.node, ast.Call) and len(place.node.args) < 3
            return start if is_plain else None
        case Loop():
            return _first_of_cell(program, loop, value, depth)
        case Unknown(origin=("operator", "Add" | "Sub" as name, Value() as left, Constant(value=int() as more))):
            first = first_count(program, loop, left, depth + 1)
            return None if first is None else first + (more if name == "Add" else -more)
        case Unknown(origin=("convert", str(), Value() as inner)):
            return first_count(program, loop, inner, depth + 1)
    return None


def _first_of_cell(program: Program, loop: LoopKey, value: Loop, depth: int) -> int | None:
    """The first value of a cell that every iteration counts up by one."""
    counts = any(
        one.loop == loop and one.box == value.box and one.name == value.name and _is_next(one.next, value)
        for one in program.recurrences
    )
    if value.loop != loop or not counts:
        return None
    initial: Value = value.initial
    for _ in range(MAX_DEPTH - depth):
        if not isinstance(initial, Loop):
            break
        initial = initial.initial
    return initial.value if isinstance(initial, Constant) and type(initial.value) is int else None


def _is_next(value: Value, before: Loop) -> bool:
    match value:
        case Unknown(origin=("operator", "Add", Loop() as left, Constant(value=1))):
            return left == before
    return False


def _mentions(condition: Hashable, value: Value, depth: int = 0) -> bool:
    """Whether a condition is about a value."""
    if condition == value:
        return True
    if depth > MAX_DEPTH:
        return False
    match condition:
        case Equal(subject=subject):
            return _mentions(subject, value, depth + 1)
        case Every(guard=guard):
            return any(_mentions(inner, value, depth + 1) for inner, _ in guard)
        case Unknown():
            return any(_mentions(part, value, depth + 1) for part in condition.origin[1:])
    return False
