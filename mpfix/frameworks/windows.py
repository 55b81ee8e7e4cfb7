"""Windows of micro batches: conditions that hold once in several iterations of a loop, and the updates behind them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from mpfix.frameworks.events import Applied, Reset
from mpfix.frameworks.own_optimizers import is_own_update
from mpfix.frameworks.sums import is_variable
from mpfix.record import record
from mpfix.semantic.guards import Condition, Equal, Every, Guard
from mpfix.semantic.program import Program, cases_of, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    At,
    Bound,
    Choice,
    Constant,
    Loop,
    LoopKey,
    Object,
    Record,
    Unknown,
    Value,
)

MAX_DEPTH = 12


@record
class Update:
    """One way in which an optimizer updates variables in a loop.

    `window` are the literals of its guard that hold once in several iterations of its innermost loop; `accumulator` is
    the sum that it applies, `taken` where gradients were taken that are no sum; `alone` is whether no strategy has
    other replicas do the same.
    """

    occurrence: Occurrence
    guard: Guard
    optimizer: Value
    gradients: Value
    accumulator: Value | None
    taken: Place | None
    window: Guard
    alone: bool

    @property
    def loop(self) -> LoopKey | None:
        """The innermost loop around it."""
        return self.occurrence.loops[-1] if self.occurrence.loops else None

    @property
    def rest(self) -> Guard:
        """Its guard without the window."""
        return self.guard - self.window

    def property(self, name: str) -> Value:
        """A property of what is applied; None (the constant) where there is none."""
        return self.gradients.get(name) if isinstance(self.gradients, Record) else NONE


PATHS = (
    "optimizer", "gradients", "gradients.accumulator", "gradients.taken", "gradients.zeros", "gradients.distributed",
    "state.distributed",
)  # fmt: skip


@fact
def updates(program: Program) -> tuple[Update, ...]:
    """Every update by a known optimizer, one for each case; none under a distribution strategy."""
    return tuple(one for one in all_updates(program) if isinstance(one.optimizer, Object) or _is_wrapped(one))


def _is_wrapped(update: Update) -> bool:
    """Whether an optimizer of the project makes the update by another one: that one is an ordinary optimizer."""
    return update.loop is not None and is_own_update(update.loop)


@fact
def all_updates(program: Program) -> tuple[Update, ...]:
    """Every update, by whatever has a method of that name."""
    return tuple(one for one in replicated_updates(program) if one.alone or isinstance(one.gradients, Unknown))


@fact
def replicated_updates(program: Program) -> tuple[Update, ...]:
    """Every update, also under a distribution strategy."""
    return tuple(one for occurrence in program.happened(Applied) for one in _updates(program, occurrence))


def _updates(program: Program, occurrence: Occurrence) -> Iterator[Update]:
    for case in cases_of(occurrence, *PATHS, allow_unknown=True):
        optimizer, gradients = case.value("optimizer"), case.value("gradients")
        alone = case.value("gradients.distributed") == NONE and case.value("state.distributed") in (NONE, FALSE_VALUE)
        if isinstance(gradients, Record) and gradients.kind != "gradients":
            continue
        if isinstance(gradients, Record):
            changed = {name: case.value(f"gradients.{name}") for name in ("accumulator", "taken", "zeros")}
            gradients = gradients.having(changed)
        accumulator = gradients.get("accumulator") if isinstance(gradients, Record) else NONE
        taken = gradients.get("taken") if isinstance(gradients, Record) else NONE
        yield Update(
            occurrence,
            case.guard,
            optimizer,
            gradients,
            accumulator if accumulator != NONE else None,
            taken.place if isinstance(taken, At) else None,
            window_of(program, occurrence, case.guard),
            alone,
        )


def window_of(program: Program, occurrence: Occurrence, guard: Guard) -> Guard:
    """The literals of a guard that hold once in several iterations of the innermost loop around an event."""
    if not occurrence.loops:
        return frozenset()
    loop = occurrence.loops[-1]
    return frozenset(one for one in guard if _is_periodic(program, loop, one[0], one[1]))


def between_windows(program: Program, occurrence: Occurrence, guard: Guard) -> Guard:
    """The literals of a guard that hold in all iterations but the last of each window."""
    turned = window_of(program, occurrence, frozenset((condition, not holds) for condition, holds in guard))
    return frozenset((condition, not holds) for condition, holds in turned)


def window_length(update: Update) -> Value | None:
    """The number of iterations of an update's window; None where it cannot be told."""
    for condition, _ in update.window:
        for value in _operands(condition):
            found = divisor_of(value)
            if found is not None:
                return found
    return None


# -- conditions


def _is_periodic(program: Program, loop: LoopKey, condition: Condition, holds: bool) -> bool:
    match condition:
        case Equal(subject=Value() as subject):
            return holds and _counts(program, loop, subject)
        case Unknown(origin=("compare", str() as name, Value() as left, Value() as right)):
            wanted = {"Eq": True, "GtE": True, "Gt": True, "Lt": False, "LtE": False}.get(name)
            if wanted is not holds or (_is_length(left) and _is_length(right)):
                # two lists of one length are no window
                return False
            if name == "Eq":
                return _counts(program, loop, left) or _counts(program, loop, right)
            return _is_counter(program, loop, left) or _is_counter(program, loop, right)
        case Unknown(origin=("operator", "Mod", Value() as left, _)):
            return not holds and _varies(loop, left)
        case Every(guard=guard):
            # the end of a window, or the end of the data
            return not holds and any(_is_periodic(program, loop, inner, not held) for inner, held in guard)
    return False


def _is_length(value: Value) -> bool:
    return isinstance(value, Unknown) and value.origin[0] == "length"


def _operands(condition: Condition) -> Iterator[Value]:
    match condition:
        case Equal(subject=Value() as subject):
            yield subject
        case Unknown(origin=("compare", str(), Value() as left, Value() as right)):
            yield left
            yield right
        case Unknown(origin=("operator", *_)):
            yield condition
        case Every(guard=guard):
            for literal in sorted(guard, key=str):
                yield from _operands(literal[0])


def _counts(program: Program, loop: LoopKey, value: Value) -> bool:
    """Whether a value goes round in a loop: a remainder, or a counter that is set back."""
    return _remainder(loop, value) is not None or _is_counter(program, loop, value)


def _remainder(loop: LoopKey, value: Value, depth: int = 0) -> Unknown | None:
    """The remainder of a value that varies in a loop, in an expression."""
    if not isinstance(value, Unknown) or depth > MAX_DEPTH:
        return None
    if value.origin[:2] == ("operator", "Mod") and _varies(loop, value.origin[2]):
        return value
    if value.origin[0] in ("operator", "convert", "call"):
        parts = (part for part in value.origin[1:] if isinstance(part, Value))
        return next((found for part in parts if (found := _remainder(loop, part, depth + 1)) is not None), None)
    return None


def divisor_of(value: Hashable, depth: int = 0) -> Value | None:
    """What the remainder in an expression is one of; None where there is none."""
    if not isinstance(value, Unknown) or depth > MAX_DEPTH:
        return None
    if value.origin[:2] == ("operator", "Mod"):
        found = value.origin[3]
        return found if isinstance(found, Value) else None
    parts = (part for part in value.origin[1:] if isinstance(part, Value))
    return next((found for part in parts if (found := divisor_of(part, depth + 1)) is not None), None)


def _varies(loop: LoopKey, value: Hashable, depth: int = 0) -> bool:
    """Whether a value is another one in each iteration of a loop."""
    if depth > MAX_DEPTH:
        return False
    match value:
        case Loop():
            return value.loop == loop or _varies(loop, value.initial, depth + 1)
        case Unknown(origin=("iteration" | "loop", LoopKey() as key, *_)):
            return key == loop
        case Unknown():
            return any(_varies(loop, part, depth + 1) for part in value.origin[1:] if isinstance(part, Value))
        case Bound(receiver=Object(kind="optimizer")):
            return str(value.function).endswith(".iterations")
    return isinstance(value, Value) and is_variable(value)


def _is_counter(program: Program, loop: LoopKey, value: Value, depth: int = 0) -> bool:
    """Whether a value counts up in a loop and is set back to a constant."""
    match value:
        case Loop():
            return (loop, value.box, value.name) in _set_back(program)
        case Unknown(origin=("loop", LoopKey() as key, int() as box, str() as name)):
            return key == loop and (loop, box, name) in _set_back(program)
        case Unknown(origin=("operator", "Add" | "Sub", Value() as left, Value() as right)) if depth < MAX_DEPTH:
            return _is_counter(program, loop, left, depth + 1) or _is_counter(program, loop, right, depth + 1)
        case Unknown(origin=("length", Value() as inner)):
            return isinstance(inner, (Loop, Object))
        case Unknown(origin=("convert", str(), Value() as inner)):
            return _is_counter(program, loop, inner, depth + 1)
        case Object():
            return is_variable(value) and value in _reset_variables(program)
    return False


@fact
def _set_back(program: Program) -> frozenset[tuple[LoopKey, int, str]]:
    """Cells that an iteration may leave at a constant, and may leave at something else."""
    found = set()
    for recurrence in program.recurrences:
        alternatives = [one for _, one in recurrence.next] if isinstance(recurrence.next, Choice) else []
        if any(isinstance(one, Constant) for one in alternatives):
            found.add((recurrence.loop, recurrence.box, recurrence.name))
    return frozenset(found)


@fact
def _reset_variables(program: Program) -> frozenset[Value]:
    return frozenset(o.event.accumulator for o in program.happened(Reset) if isinstance(o.event, Reset))
