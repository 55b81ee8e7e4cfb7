"""Whether a program computes in half precision at all, what its layers are, and where policies are taken for probes."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from mpfix.frameworks.ambient import SUPPOSED
from mpfix.frameworks.events import (
    FloatxSet,
    LayerBuilt,
    LayerMapped,
    ModelBuilt,
    PolicyMade,
    PolicySet,
    PolicyUsed,
)
from mpfix.frameworks.policy_order import MIXED, moments
from mpfix.frameworks.surroundings import FunctionNode, function_around, holds, scope_around, statements_around
from mpfix.record import record
from mpfix.semantic.guards import TRUE, Guard
from mpfix.semantic.program import Case, Program, alternatives, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import At, Constant, Loop, Object, Record, Unknown, Value, widened

FULL = frozenset({"float32", "float64"})


def policy_names(policy: Value, guard: Guard = TRUE) -> Iterator[str | None]:
    """The names that a policy may have; None for one that nobody knows."""
    for extra, one in alternatives(policy, guard):
        one = one.initial if isinstance(one, Loop) else one
        if not isinstance(one, Record):
            yield None
            continue
        for _, name in alternatives(one.get("name"), guard | extra):
            name = widened(name)
            yield name.value if isinstance(name, Constant) and isinstance(name.value, str) else None


def set_at(policy: Record, guard: Guard = TRUE) -> Place:
    """Where the policy was set that is in force under a guard: of several, the place of that one."""
    places = [one.place for _, one in alternatives(policy.get("set at"), guard) if isinstance(one, At)]
    return places[0] if places else policy.place


@fact
def may_be_half(program: Program) -> bool:
    """Whether anything in the program may compute in half precision because of a policy or dtype that it is given."""
    policies = [event.policy for event in program.events(PolicySet)]
    policies += [event.policy for event in program.events(LayerBuilt)]
    policies += [event.policy for event in program.events(ModelBuilt)]
    if any(not FULL.issuperset(policy_names(policy)) for policy in policies):
        return True
    names = (alternatives(event.name) for event in program.events(FloatxSet))
    return any(not isinstance(name, Constant) or name.value not in FULL for found in names for _, name in found)


def is_called(program: Program, occurrence: Occurrence) -> bool:
    """Whether something happened from a root of the program on, not in a function that nobody here calls."""
    course, _ = moments(program)[id(occurrence)]
    return not isinstance(course, tuple) or course[-1] is None


@fact
def _called_places(program: Program) -> Mapping[Place, bool]:
    """Where something happened, and whether that was from a root of the program on."""
    found: dict[Place, bool] = {}
    for one in program.occurrences:
        found[one.place] = found.get(one.place, False) or is_called(program, one)
    return found


@fact
def _has_doubtful_policy(program: Program) -> bool:
    """Whether a program sets several policies, or each on a condition: what nobody calls may run under another."""
    sets = program.happened(PolicySet)
    names = {name for one in sets if isinstance(one.event, PolicySet) for name in policy_names(one.event.policy)}
    return len(names) > 1 or (bool(sets) and all(one.guard for one in sets))


def is_only_supposed(program: Program, places: Iterable[Place], guard: Guard) -> bool:
    """Whether what happens at any of these places is seen under a policy that nobody says to be in force there.

    Several policies that no condition tells apart are supposed one after the other, and the guard says which one.
    """
    if any(isinstance(condition, Unknown) and condition.origin[0] == SUPPOSED for condition, _ in guard):
        return True
    called = _called_places(program)
    return _has_doubtful_policy(program) and not all(called.get(place, True) for place in places)


@fact
def trained_layers(program: Program) -> tuple[Occurrence, ...]:
    """Where layers with weights are built."""
    return tuple(one for one in program.happened(LayerBuilt) if getattr(one.event, "trains", False))


@fact
def used_policies(program: Program) -> frozenset[Place]:
    """Where the policy objects were made that something or somebody got."""
    found: set[Place] = set()
    for event in program.events(PolicyUsed):
        for _, one in alternatives(event.policy):
            made = one.get("made at") if isinstance(one, Record) else None
            found |= {place.place for _, place in alternatives(made) if isinstance(place, At)} if made else set()
    return frozenset(found)


@fact
def mapped_layers(program: Program) -> frozenset[Object]:
    """Layers that work in a function that a dataset maps."""
    return frozenset(one.event.layer for one in program.happened(LayerMapped) if isinstance(one.event, LayerMapped))


# -- policies that are tried


@record
class Probe:
    """A policy set in a `try` block whose handler sets another one, at `fallback`."""

    tried: Case[PolicySet]
    fallback: Place


@fact
def probes(program: Program) -> tuple[Probe, ...]:
    """Policies that are set to see whether that fails, where nothing else in the block can."""
    cases = [case for case in program.cases(PolicySet, "policy.name") if case.constant("policy.name") is not None]
    found = []
    for case in cases:
        name = case.constant("policy.name")
        for attempt, frame in _attempts(program, case.occurrence):
            if name not in MIXED or not any(holds(one, frame.node) for one in attempt.body):
                continue
            others = [one for one in cases if one.constant("policy.name") != name and _is_caught(one, frame, attempt)]
            if others and all(_cannot_fail(program, frame, one) for one in attempt.body):
                found.append(Probe(case, others[0].place))
    return tuple(found)


def _attempts(program: Program, occurrence: Occurrence) -> Iterator[tuple[ast.Try, Place]]:
    """The innermost `try` around each call on the way to something, with that call."""
    for frame in (*occurrence.chain, occurrence.place):
        around = statements_around(scope_around(program, frame), frame.node)
        attempt = next((one for one in reversed(around) if isinstance(one, ast.Try)), None)
        if attempt is not None:
            yield attempt, frame


def _is_caught(case: Case[PolicySet], frame: Place, attempt: ast.Try) -> bool:
    """Whether something happens in a handler of a `try` in the module of `frame`."""
    frames = (*case.occurrence.chain, case.place)
    return any(
        one.module is frame.module and any(holds(handler, one.node) for handler in attempt.handlers) for one in frames
    )


SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.Pass, ast.If, ast.Return)


def _cannot_fail(program: Program, frame: Place, statement: ast.stmt, depth: int = 3) -> bool:
    """Whether a statement does no more than make, set and print policies."""
    if not isinstance(statement, SIMPLE) or depth == 0:
        return False
    for node in ast.walk(statement):
        if isinstance(node, (ast.Subscript, ast.Raise, ast.Assert, ast.Await, ast.Yield, ast.YieldFrom)):
            return False
        if isinstance(node, ast.stmt) and not isinstance(node, SIMPLE):
            return False
        if isinstance(node, ast.Call) and not _is_about_policies(program, Place(frame.module, node), depth):
            return False
    return True


def _is_about_policies(program: Program, call: Place, depth: int) -> bool:
    node = call.node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
        return True
    for occurrence in program.happened(PolicySet, PolicyMade):
        if call == occurrence.place:
            return True
        if call not in occurrence.chain:
            continue
        inner = (*occurrence.chain, occurrence.place)[occurrence.chain.index(call) + 1]
        function = function_around(program, inner)
        if function is not None and all(_cannot_fail(program, inner, one, depth - 1) for one in _body(function)):
            return True
    return False


def _body(function: FunctionNode) -> list[ast.stmt]:
    return [ast.Expr(function.body)] if isinstance(function, ast.Lambda) else function.body
