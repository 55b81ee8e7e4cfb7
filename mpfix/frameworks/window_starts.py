"""Where windows of micro batches begin: the first count of a loop, and windows that end at their first micro batch."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterator

from mpfix.frameworks.accumulation import sums
from mpfix.frameworks.events import Applied, Reset
from mpfix.frameworks.surroundings import holds, scope_around, statements_around
from mpfix.frameworks.variables import VariableAdded, VariableMade, VariableSet
from mpfix.frameworks.window_ends import excludes
from mpfix.frameworks.windows import MAX_DEPTH, Update, replicated_updates
from mpfix.record import record
from mpfix.semantic.guards import Condition, Equal, Every
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Choice, Constant, Loop, LoopKey, Object, Record, Unknown, Value


@record
class ShiftedWindow:
    """An update whose window is over at the very first micro batch; `add` is where that one joins the sum.

    `test` is what says so in the text; `extra` is whether only the first window is short: the others begin and end
    where they should.
    """

    update: Update
    add: Occurrence
    test: Place
    extra: bool


@fact
def shifted_windows(program: Program) -> tuple[ShiftedWindow, ...]:
    """Updates of sums behind `step % n == 0` where the first step is 0 and its gradients are in the sum already."""
    order = {id(one): index for index, one in enumerate(program.occurrences)}
    found = []
    for update in replicated_updates(program):
        shifted, extra = _zero_at_first(program, update) is not None, _is_also_first(program, update)
        add = _added_before(program, update, order) if shifted or extra else None
        if add is not None and not (extra and _is_mean_of_counted(update)):
            found.append(ShiftedWindow(update, add, _test_of(program, update), extra))
    return tuple(found)


def _is_mean_of_counted(update: Update) -> bool:
    """Whether a sum is divided by what counts its parts, so that a short window is a small one and nothing worse."""
    divisors = (update.property(name) for name in ("divided", "divided again"))
    return any(_holds_count(one) for one in divisors)


def _holds_count(value: Hashable, depth: int = 0) -> bool:
    match value:
        case Loop() | Object():
            return True
        case Record():
            return _holds_count(value.get("of"), depth + 1)
        case Unknown(origin=("stable", *_)):
            # flags are the same all the time, whatever parsed them
            return False
        case Unknown() if depth < MAX_DEPTH:
            return value.origin[0] == "loop" or any(_holds_count(one, depth + 1) for one in value.origin[1:])
    return False


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


# -- the test in the text


def _test_of(program: Program, update: Update) -> Place:
    """What decides on an update in the text: the test with the remainder, or the nearest; else itself."""
    occurrence = update.occurrence
    nearest: Place | None = None
    for place in (occurrence.place, *reversed(occurrence.chain)):
        for test in _tests_around(program, place):
            if _has_remainder(test):
                return Place(place.module, test)
            nearest = nearest or Place(place.module, test)
        given = [one for one in _given(place.node) if _has_remainder(one)] if place is not occurrence.place else []
        if given:
            return Place(place.module, given[0])
    return nearest or occurrence.place


def _tests_around(program: Program, place: Place) -> Iterator[ast.expr]:
    """The tests of the `if`s around a place in its function, innermost first; none outside of a loop."""
    inner: ast.AST = place.node
    for statement in reversed(statements_around(scope_around(program, place), place.node)):
        if isinstance(statement, (ast.For, ast.While)):
            return
        if isinstance(statement, ast.If) and any(holds(one, inner) for one in (*statement.body, *statement.orelse)):
            yield statement.test
        inner = statement


def _given(node: ast.AST) -> Iterator[ast.expr]:
    """What a call is given, also in a dictionary that is spread out."""
    if isinstance(node, ast.Call):
        yield from node.args
        for keyword in node.keywords:
            is_spread = keyword.arg is None and isinstance(keyword.value, ast.Dict)
            yield from keyword.value.values if is_spread else (keyword.value,)  # type: ignore[attr-defined]


def _has_remainder(node: ast.AST) -> bool:
    return any(isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mod) for one in ast.walk(node))


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


def _is_also_first(program: Program, update: Update) -> bool:
    """Whether an update comes at the end of each window, and after the first iteration as well."""
    if update.loop is None or len(update.window) != 1:
        return False
    ((condition, holds),) = update.window
    if holds or not isinstance(condition, Every):
        return False
    rests = [one for inner, held in condition.guard if (one := _remainder_of(inner, not held)) is not None]
    lengths = [one.origin[3] for one in rests]
    if len(rests) != 1 or any(isinstance(one, Constant) and one.value in (0, 1) for one in lengths):
        return False
    return any(_is_first(program, update.loop, inner, not held) for inner, held in condition.guard)


def _is_first(program: Program, loop: LoopKey, condition: Condition, holds: bool) -> bool:
    """Whether a condition is that a counter has the value that it has in the first iteration of a loop."""
    match condition:
        case Equal(subject=subject, constant=int() as number) if holds and type(number) is int:
            return first_count(program, loop, subject) == number
        case Unknown(origin=("iteration" | "index", *_)) if not holds:
            return first_count(program, loop, condition) == 0
        case Loop() if not holds:
            return first_count(program, loop, condition) == 0
    return False


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
        case Object():
            return _first_of_variable(program, loop, value)
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


def _first_of_variable(program: Program, loop: LoopKey, variable: Object) -> int | None:
    """The first value of a variable to which every iteration adds 1 when its updates are over."""
    made = [one.initial for one in program.events(VariableMade) if one.variable is variable]
    number = made[0].value if len(made) == 1 and isinstance(made[0], Constant) else None
    inside = [one for one in program.happened(Applied, VariableAdded, VariableSet, Reset) if loop in one.loops]
    own = [one for one in inside if _is_about(one, variable)]
    if type(number) is not int or not own or not all(_is_raised(one) for one in own):
        return None
    first = inside.index(own[0])
    # each root has a program of its own, whose occurrences are numbered from 0
    later = [one for one in inside[first:] if one.order > own[0].order]
    before = [one for one in inside[:first] if one.order < own[0].order and isinstance(one.event, Applied)]
    follow = before and not any(isinstance(one.event, Applied) for one in later)
    return number if follow and all(one.guard <= other.guard for one in own for other in before) else None


def _is_about(occurrence: Occurrence, variable: Object) -> bool:
    event = occurrence.event
    return any(getattr(event, name, None) is variable for name in ("variable", "accumulator"))


def _is_raised(occurrence: Occurrence) -> bool:
    event = occurrence.event
    by = event.by if isinstance(event, VariableAdded) else None
    return isinstance(by, Constant) and by.value == 1 and len(occurrence.loops) == 1


def _is_next(value: Value, before: Loop) -> bool:
    """Whether a cell is one more than before; iterations that are left early may leave it alone."""
    match value:
        case Choice():
            changed = [one for _, one in value if one != before]
            return bool(changed) and all(_is_next(one, before) for one in changed)
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
