"""The dtype that each layer of a program computes in, and what decided on it."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.frameworks.events import LayerBuilt
from mpfix.frameworks.policies import COMPUTE_DTYPES
from mpfix.record import record
from mpfix.semantic.alternatives import project
from mpfix.semantic.guards import TRUE, Guard, conjoin, is_maybe
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, TRUE_VALUE, At, Constant, Loop, Object, Record, Value, widened

ASSUMED = "`--assume-policy` says so"
BY_DEFAULT = "no policy is set before it"
OWN = "its own `dtype`"
SET = "the policy is set"
UNKNOWN = "its policy is not known"
WIPED = "the session is cleared, and the policy with it"


@record
class LayerDtype:
    """One layer in one case: where it is built, what it computes in under which guard, and why."""

    place: Place
    layer: str
    """Its class."""
    name: str | None
    """Its `name`, where that is a constant."""
    dtype: str | None
    """The compute dtype; None where nobody knows."""
    policy: str | None
    reason: str
    decided: Place | None
    """Where the reason is, if it has a place of its own."""
    guard: Guard = TRUE


@fact
def layer_dtypes(program: Program) -> tuple[LayerDtype, ...]:
    """Every layer that the program builds, by position; what holds on every path is told without a guard."""
    merged: dict[tuple[object, ...], LayerDtype] = {}
    for occurrence in program.happened(LayerBuilt):
        for one in _of_layer(occurrence):
            key = (one.place, one.layer, one.name, one.dtype, one.policy, one.reason, one.decided)
            known = merged.get(key)
            # the same on two different conditions is shown without either
            same = known is None or known.guard == one.guard
            merged[key] = one if same else LayerDtype(*key)
    return tuple(
        sorted(merged.values(), key=lambda one: (one.place.sort_key, one.layer, one.name or "", str(one.dtype)))
    )


def _of_layer(occurrence: Occurrence) -> Iterator[LayerDtype]:
    event = occurrence.event
    assert isinstance(event, LayerBuilt)
    # the constructor of a project's own layer may have chosen another policy since
    cells = event.layer.box.cells.get("policy") or ((TRUE, event.policy),)
    layer = event.key.rpartition(".")[2]
    name = _name(event.layer)
    for guard, policy in project(cells, occurrence.guard):
        path = conjoin(occurrence.guard, guard)
        if path is None:
            continue
        policy = policy.initial if isinstance(policy, Loop) else policy
        for one_guard, one, text in _names(policy, path):
            if text is None or is_maybe(one_guard):
                yield LayerDtype(occurrence.place, layer, name, None, None, UNKNOWN, None, _shown(one_guard))
            else:
                reason, decided = _reason(one, one_guard)
                dtype = COMPUTE_DTYPES.get(text, text)
                yield LayerDtype(occurrence.place, layer, name, dtype, text, reason, decided, one_guard)


def _names(policy: Value, path: Guard) -> Iterator[tuple[Guard, Record | Value, str | None]]:
    """The alternatives of a policy with the name of each; None for one that nobody knows."""
    for guard, one in alternatives(policy, path):
        both = conjoin(path, guard)
        if both is None:
            continue
        one = widened(one)
        if not isinstance(one, Record):
            yield both, one, None
            continue
        for more, name in alternatives(one.get("name"), both):
            narrower, name = conjoin(both, more), widened(name)
            if narrower is not None:
                known = isinstance(name, Constant) and isinstance(name.value, str)
                yield narrower, one, str(name.value) if known and isinstance(name, Constant) else None


def _reason(policy: Record | Value, guard: Guard) -> tuple[str, Place | None]:
    """What decided on a policy where a guard holds: each of its properties may have alternatives."""
    if not isinstance(policy, Record):
        return UNKNOWN, None
    if _holds(policy, "explicit", guard):
        return OWN, None
    wiped = [one.place for _, one in alternatives(policy.get("wiped at"), guard) if isinstance(one, At)]
    if wiped:
        return WIPED, wiped[0]
    if _holds(policy, "default", guard):
        return (ASSUMED if _holds(policy, "assumed", guard) else BY_DEFAULT), None
    return SET, policy.place


def _holds(policy: Record, name: str, guard: Guard) -> bool:
    found = [one for _, one in alternatives(policy.get(name), guard)]
    return bool(found) and all(one == TRUE_VALUE for one in found)


def _name(layer: Object) -> str | None:
    cells = layer.box.cells.get("argument name", ())
    values = [value for _, value in cells]
    only = values[0] if len(values) == 1 else NONE
    return only.value if isinstance(only, Constant) and isinstance(only.value, str) else None


def _shown(guard: Guard) -> Guard:
    """A guard that lost literals says nothing."""
    return TRUE if is_maybe(guard) else guard
