"""Sums of gradients under a strategy of several replicas that are not one for each replica."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import product

from mpfix.frameworks.events import Accumulated, Applied, StrategyMade
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.replica_scopes import replica_runs, scopes_around
from mpfix.frameworks.replicas import MIRRORED, ScopeEntered, ScopeMade, StrategyGiven, is_of
from mpfix.frameworks.steps import is_unreached
from mpfix.frameworks.surroundings import calls_on_the_way, holds
from mpfix.frameworks.variables import VariableAdded, VariableMade
from mpfix.frameworks.windows import window_of
from mpfix.record import record
from mpfix.semantic.guards import Guard, conjoin, is_maybe
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, Constant, Library, Object, Record, Sequence, Unknown, Value

LOCAL = "MirroredStrategy"
"""The strategy whose replicas are all in one process, where a variable made outside its scope is one for all."""

OUTSIDE, INSIDE, ANYWHERE = "outside", "inside", "anywhere"


@record
class ReplicaSum:
    """A variable that replicas add their gradients to, and apply.

    `kind` is `shared` (one variable for all of them), `first` (it keeps what the first one adds) or `summed` (it gets
    what all of them add, and the update adds that up once more).
    """

    kind: str
    made: Place
    strategy: Place
    added: Place
    applied: Place
    guard: Guard


@fact
def replica_sums(program: Program) -> tuple[ReplicaSum, ...]:
    """The sums that replicas get wrong, each place that makes one once."""
    found: dict[Place, ReplicaSum] = {}
    for added in program.happened(Accumulated, VariableAdded) if _several(program) else ():
        event = added.event
        variable = event.variable if isinstance(event, VariableAdded) else getattr(event, "accumulator", NONE)
        if not isinstance(variable, Object) or is_maybe(added.guard):
            continue
        for made, applied in product(_makings(program, variable), _updates(program, variable)):
            for one in _judged(program, made, added, applied):
                found.setdefault(made.place, one)
    return tuple(found.values())


def _judged(program: Program, made: Occurrence, added: Occurrence, applied: Occurrence) -> Iterator[ReplicaSum]:
    """What is wrong with a sum that replicas of one strategy both add to and apply."""
    for strategy, adding in _replicas(program, added):
        for other, applying in _replicas(program, applied):
            kind = _kind(program, made, strategy, applied) if other.place == strategy.place else None
            guard = _joined(made.guard, adding, applying)
            if kind is not None and guard is not None:
                rest = guard - window_of(program, applied, applied.guard)
                yield ReplicaSum(kind, made.place, strategy.place, added.place, applied.place, rest)


def _joined(*guards: Guard) -> Guard | None:
    """The conjunction of guards; None where it cannot hold, or lost a literal."""
    joined: Guard | None = frozenset()
    for guard in guards:
        joined = conjoin(joined, guard) if joined is not None else None
    return None if joined is None or is_maybe(joined) else joined


def _makings(program: Program, variable: Object) -> list[Occurrence]:
    """Where a variable is made."""
    return [
        one
        for one in program.happened(VariableMade)
        if isinstance(one.event, VariableMade) and one.event.variable is variable
    ]


def _updates(program: Program, variable: Object) -> list[Occurrence]:
    """The updates that apply a variable as gradients and add up those of all replicas."""
    return [
        one
        for one in program.happened(Applied)
        if isinstance(one.event, Applied)
        and any(sum_of is variable for sum_of, _ in _sums_in(one))
        and not (isinstance(one.event.state, Record) and one.event.state.get("apart") != NONE)
    ]


def _sums_in(applied: Occurrence) -> Iterator[tuple[Value, Value]]:
    """What an update may apply: each sum, with the gradients that hold it, or the arithmetic that does."""
    assert isinstance(applied.event, Applied)
    for guard, gradients in alternatives(applied.event.gradients, applied.guard):
        if isinstance(gradients, Record):
            for _, accumulator in alternatives(gradients.get("accumulator"), applied.guard | guard):
                yield accumulator, gradients
        elif isinstance(gradients, Unknown) and gradients.origin[:2] == ("operator", "Div"):
            yield gradients.origin[2], gradients


# -- strategies and their replicas


@fact
def _several(program: Program) -> tuple[tuple[Occurrence, Guard], ...]:
    """The strategies that run several replicas where there are several devices, each with when it does."""
    found: list[tuple[Occurrence, Guard]] = []
    for made in program.happened(StrategyMade):
        assert isinstance(made.event, StrategyMade)
        if made.event.key.rpartition(".")[2] in MIRRORED:
            found.extend((made, guard) for guard, one in alternatives(made.event.devices) if _may_be_several(one))
    return tuple(found)


def _may_be_several(devices: Value) -> bool:
    if isinstance(devices, Sequence):
        return devices.open or len(devices.items) > 1
    return devices == NONE or isinstance(devices, Unknown)


def _replicas(program: Program, occurrence: Occurrence) -> Iterator[tuple[Occurrence, Guard]]:
    """The strategies in whose replicas something happens, each with when it does."""
    for place in occurrence.chain:
        for strategy, running in replica_runs(program).get(place, ()):
            for made, guard in _several(program):
                joined = _joined(made.guard, guard, running, occurrence.guard)
                if joined is not None and is_of(strategy, made):
                    yield made, joined


# -- inside and outside of scopes


def _where(program: Program, made: Occurrence, strategy: Occurrence) -> str:
    """Whether a variable is made inside the scope of a strategy, outside of all, or nobody knows."""
    scopes = scopes_around(program, made)
    if any(is_of(scope.strategy, strategy) for scope in scopes) or any(_replicas(program, made)):
        return INSIDE
    if scopes or _is_entered_elsewhere(program) or not _is_all_seen(program, made, strategy):
        return ANYWHERE
    return OUTSIDE


@fact
def _is_entered_elsewhere(program: Program) -> bool:
    """Whether a scope may be entered by code that is not seen."""
    entered = {event.scope for event in program.events(ScopeEntered)}
    names = (canonical(use.qualified).name for part in program.names for use in part.names.uses)
    is_set = any(name.rpartition(".")[2] == "experimental_set_strategy" for name in names)
    return is_set or any(event.scope not in entered for event in program.events(ScopeMade))


def _is_all_seen(program: Program, made: Occurrence, strategy: Occurrence) -> bool:
    """Whether nobody unseen can call what makes a variable in the scope of a strategy."""
    if any(_is_given_around(program, made, one) for one in program.happened(StrategyGiven)):
        return False
    if not is_unreached(made):
        return True
    around = made.chain[0]
    if is_unreached(strategy) and strategy.chain[0] == around:
        return True
    # a function that enters the scope itself is not called inside of it
    return any(
        one.chain[:1] == (around,) and isinstance(one.event, ScopeEntered) and is_of(one.event.strategy, strategy)
        for one in program.happened(ScopeEntered)
    )


def _is_given_around(program: Program, made: Occurrence, given: Occurrence) -> bool:
    """Whether what is handed a strategy calls, or decorates, what makes a variable."""
    decorators = (
        one
        for function in calls_on_the_way(program, made)
        if not isinstance(function, ast.Lambda)
        for one in function.decorator_list
    )
    return given.place in made.chain or any(holds(one, given.place.node) for one in decorators)


# -- what is wrong


def _kind(program: Program, made: Occurrence, strategy: Occurrence, applied: Occurrence) -> str | None:
    event, where = made.event, _where(program, made, strategy)
    assert isinstance(event, VariableMade)
    assert isinstance(strategy.event, StrategyMade)
    if where == OUTSIDE:
        return "shared" if strategy.event.key.rpartition(".")[2] == LOCAL else None
    if where != INSIDE or _word(event.synchronization) not in ("none", "auto", "on_write"):
        return None
    aggregation = _word(event.aggregation)
    if aggregation == "only_first_replica":
        return "first"
    return "summed" if aggregation == "sum" and not _is_divided(applied, event.variable) else None


def _word(value: Value) -> str | None:
    """The member of an enumeration, or the word that stands for it; None where nobody knows."""
    if isinstance(value, Library):
        return value.key.rpartition(".")[2].lower()
    return str(value.value).lower() if isinstance(value, Constant) else None


def _is_divided(applied: Occurrence, variable: Object) -> bool:
    """Whether a sum is divided by what may hold the number of replicas."""
    held_by = [gradients for accumulator, gradients in _sums_in(applied) if accumulator is variable]
    names = ("divided", "divided again", "divided by hand")
    return not all(
        isinstance(one, Record) and all(isinstance(one.get(name), Constant) for name in names) for one in held_by
    )
