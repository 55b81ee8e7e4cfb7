"""What happens inside the scopes of strategies, and what their replicas run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from mpfix.frameworks.events import Fitted, ModelBuilt
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.replicas import ReplicasRun, ScopeEntered, ScopeLeft
from mpfix.frameworks.surroundings import calls_on_the_way, function_around
from mpfix.frameworks.variables import VariableMade
from mpfix.record import record
from mpfix.semantic.guards import Guard
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Library, Object, Unknown, Value

ONE_DEVICE = "tensorflow.distribute.OneDeviceStrategy"
REPLICA_CONTEXT = "tensorflow.distribute.get_replica_context"


@record
class Scope:
    """A `with` block of a strategy, or of what may be one."""

    strategy: Value
    guard: Guard


def scopes_around(program: Program, made: Occurrence) -> tuple[Scope, ...]:
    """The scopes that were open when a model or a variable was made, outermost first."""
    return _scopes(program).get(id(made), ())


@fact
def _scopes(program: Program) -> Mapping[int, tuple[Scope, ...]]:
    """The open scopes by the identity of what happened."""
    found: dict[int, tuple[Scope, ...]] = {}
    inside: tuple[Scope, ...] = ()
    order = 0
    for occurrence in program.happened(ScopeEntered, ScopeLeft, ModelBuilt, VariableMade):
        # another root starts with no scope
        inside = inside if occurrence.order >= order else ()
        order = occurrence.order
        event = occurrence.event
        if isinstance(event, ScopeEntered):
            inside = (*inside, Scope(event.strategy, occurrence.guard))
        elif isinstance(event, ScopeLeft):
            inside = inside[:-1]
        else:
            found[id(occurrence)] = inside
    return found


@fact
def replica_runs(program: Program) -> Mapping[Place, tuple[tuple[Value, Guard], ...]]:
    """The calls that run something in the replicas of a strategy: its `run`, and the `fit` of a model in its scope."""
    found: dict[Place, list[tuple[Value, Guard]]] = {}
    for occurrence in program.happened(ReplicasRun, Fitted):
        event = occurrence.event
        if isinstance(event, ReplicasRun):
            running = [(one, guard) for guard, one in alternatives(event.strategy, occurrence.guard)]
        else:
            assert isinstance(event, Fitted)
            scopes = _scopes_of(program, event.model)
            running = [(one.strategy, one.guard) for one in scopes if _is_scope(one.strategy)]
        found.setdefault(occurrence.place, []).extend(running)
    return {place: tuple(running) for place, running in found.items()}


def _scopes_of(program: Program, model: Object) -> Iterator[Scope]:
    """The scopes in which a model is made."""
    for occurrence in program.happened(ModelBuilt):
        if isinstance(occurrence.event, ModelBuilt) and occurrence.event.model is model:
            yield from scopes_around(program, occurrence)


def may_run_in_replicas(program: Program, occurrence: Occurrence) -> bool:
    """Whether something may happen once in each replica of a strategy, also of one that nobody knows.

    A function that is called in several ways counts if one of them is in replicas.
    """
    same = (one for one in program.happened(type(occurrence.event)) if one.place == occurrence.place)
    running = (one for way in same for place in way.chain for one, _ in replica_runs(program).get(place, ()))
    is_several = any(not isinstance(one, Object) or one.key != ONE_DEVICE for one in running)
    return is_several or _asks_for_replica(program, occurrence)


def _is_scope(value: Value) -> bool:
    """Whether what a block enters is a strategy's, or that of something unknown with a `scope`."""
    match value:
        case Unknown(origin=("call", Unknown(origin=("attribute", _, str() as name)), *_)):
            return name == "scope"
        case Unknown(origin=("call", Library(key=key), *_)):
            return key.endswith(".scope")
    return isinstance(value, Object)


def _asks_for_replica(program: Program, occurrence: Occurrence) -> bool:
    """Whether a function on the way asks which replica it is in."""
    return any(one in _in_replicas(program) for one in calls_on_the_way(program, occurrence))


@fact
def _in_replicas(program: Program) -> frozenset[ast.AST]:
    """The functions that ask for the context of their replica."""
    asked = (
        function_around(program, Place(part.module, use.node))
        for part in program.names
        for use in part.names.uses
        if canonical(use.qualified).name == REPLICA_CONTEXT
    )
    return frozenset(one for one in asked if one is not None)
