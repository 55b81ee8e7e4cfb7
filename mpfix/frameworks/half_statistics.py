"""Weights that a layer updates from their own value inside `call`, where they are read in half."""

from __future__ import annotations

import ast

from mpfix.frameworks import dtypes
from mpfix.frameworks.events import Cast
from mpfix.frameworks.half_values import HalfComputed
from mpfix.frameworks.surroundings import scope_around, statements_around
from mpfix.frameworks.training import HALF
from mpfix.record import record
from mpfix.semantic.guards import Guard
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, Constant, Object, Record, Unknown, Value

WIDE = ("float32", "float64")


@record
class WeightAssigned(Event):
    """A float32 weight was assigned in the `call` of a layer: `read` is the dtype it is read in there.

    `own` is its dtype, `given` that of what it was given, None (the constant) for numbers.
    """

    weight: Object
    method: str
    read: Value
    policy: Value
    own: Value
    given: Value


def note_assigned(run: Run, variable: Value, method: str, given: Value | None, node: ast.AST) -> None:
    """A method of a variable was called that changes it."""
    scope = run.get_global(dtypes.SCOPE) or NONE
    if not isinstance(variable, Object) or not isinstance(scope, Object):
        return
    own = run.get(variable, "dtype")
    if isinstance(own, Constant) and own.value in WIDE:
        read = dtypes.variable_dtype(run, variable)
        dtype = dtypes.dtype_of(run, given) if given is not None else NONE
        run.emit(WeightAssigned(node, variable, method, read, run.get(scope, "policy"), own, dtype))


@record
class HalfStatistic:
    """A weight that takes its own value, rounded to `dtype`, back; `read` is where it is read."""

    occurrence: Occurrence
    guard: Guard
    dtype: str
    method: str
    read: Place
    policy: Place | None


@fact
def half_statistics(program: Program) -> tuple[HalfStatistic, ...]:
    """Updates of weights from what they are in half, once for each place."""
    found: dict[Place, HalfStatistic] = {}
    for case in program.cases(WeightAssigned, "read"):
        event, dtype = case.event, case.constant("read")
        read = _read(program, case.occurrence, event) if dtype in HALF else None
        if read is None:
            continue
        policy = event.policy.place if isinstance(event.policy, Record) else None
        found.setdefault(case.place, HalfStatistic(case.occurrence, case.guard, dtype, event.method, read, policy))
    return tuple(found.values())


def _read(program: Program, assigned: Occurrence, event: WeightAssigned) -> Place | None:
    """Where an update reads its own weight."""
    if event.method != "assign":
        # Keras 3 adds to what it reads in half; the variable of Keras 2 adds in its own dtype
        return assigned.place if program.generation == 3 else None
    for occurrence in program.happened(Cast, HalfComputed):
        operands = _operands(occurrence)
        if not any(_reads(one, event.weight, is_given=True) for one in operands):
            continue
        read, update = _apart(occurrence, assigned)
        is_given = any(node is read.node for node in ast.walk(update.node))
        if not is_given and not _goes_into(program, read, update):
            continue
        if any(_reads(one, event.weight, is_given=is_given) for one in operands):
            return read
    return None


def _apart(first: Occurrence, second: Occurrence) -> tuple[Place, Place]:
    """The places in the innermost function that two events have in common: themselves, or the calls to them."""
    ways = (*first.chain, first.place), (*second.chain, second.place)
    pairs = list(zip(*ways, strict=False))
    return next(((one, other) for one, other in pairs if one != other), pairs[-1])


def _goes_into(program: Program, read: Place, assigned: Place) -> bool:
    """Whether the statement around a read binds a name that the assignment is given."""
    around = statements_around(scope_around(program, read), read.node)
    statement = around[-1] if around else None
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    names = {one.id for one in targets if isinstance(one, ast.Name)}
    arguments = assigned.node.args if isinstance(assigned.node, ast.Call) else []
    return any(isinstance(one, ast.Name) and one.id in names for given in arguments for one in ast.walk(given))


def _operands(occurrence: Occurrence) -> list[Value]:
    event = occurrence.event
    sides = (event.left, event.right) if isinstance(event, HalfComputed) else (getattr(event, "operand", NONE),)
    return [one for side in sides for _, one in alternatives(side, occurrence.guard)]


def _reads(value: Value, weight: Object, *, is_given: bool, depth: int = 0) -> bool:
    """Whether a value is a weight; outside of what is assigned, only a share of it counts: `0.99 * weight`."""
    if value == weight:
        return is_given
    match value:
        case Unknown(origin=("operator", str() as name, *parts)) if depth < 8:
            is_share = is_given or name == "Mult"
            return any(
                _reads(part, weight, is_given=is_share, depth=depth + 1) for part in parts if isinstance(part, Value)
            )
    return False
