"""MP109: clear_session throws the policy away."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import LayerBuilt, PolicySet
from mpfix.frameworks.policy_order import MIXED
from mpfix.frameworks.training import trains
from mpfix.rule import Evidence, Finding, FixIntent, rule
from mpfix.semantic.guards import Guard, conjoin
from mpfix.semantic.program import Program, alternatives
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import At, Constant, Loop, Record, Value
from mpfix_rules.repairs.policy_calls import set_again

Wiped = tuple[Place, Place, str]
"""Where the session is cleared, where the policy was set, and its name."""


@rule("MP109", "policy-wiped", severity={3: Severity.ERROR}, words=("clear_session",), half=True, fixable=True)
def policy_wiped(program: Program) -> Iterator[Finding]:
    """Layers built after a session was cleared that held a half policy."""
    if not trains(program):
        return
    found: dict[Wiped, tuple[Occurrence, Guard]] = {}
    for occurrence in program.happened(LayerBuilt):
        event = occurrence.event
        if isinstance(event, LayerBuilt) and event.trains:
            for wiped, guard in _wiped(program, occurrence, event.policy):
                found.setdefault(wiped, (occurrence, guard))
    for (cleared, setter, name), (occurrence, guard) in found.items():
        fix, reason = _repair(program, cleared, setter, name)
        yield Finding(
            cleared,
            f"`clear_session` throws the policy `{name}` away: what is built after it is float32",
            evidence=(Evidence(setter, "the policy is set here"), Evidence(occurrence.place, "built in float32")),
            guard=guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _wiped(program: Program, occurrence: Occurrence, policy: Value) -> Iterator[tuple[Wiped, Guard]]:
    """The policies that a layer would have but for a cleared session."""
    for extra, one in alternatives(policy, occurrence.guard):
        guard = conjoin(occurrence.guard, extra)
        if guard is None:
            continue
        if isinstance(one, Record):
            yield from _lost(one, guard)
        elif isinstance(one, Loop):
            for recurrence in program.recurrences:
                if recurrence.name == "policy" and recurrence.loop == one.loop and recurrence.box == one.box:
                    for more, after in alternatives(recurrence.next, guard):
                        both = conjoin(guard, more)
                        if isinstance(after, Record) and both is not None:
                            yield from _lost(after, both)


def _lost(policy: Record, guard: Guard) -> Iterator[tuple[Wiped, Guard]]:
    for _, name in alternatives(policy.get("wiped name"), guard):
        cleared, setter = policy.get("wiped at"), policy.get("wiped")
        if isinstance(name, Constant) and name.value in MIXED and isinstance(cleared, At) and isinstance(setter, At):
            yield (cleared.place, setter.place, name.value), guard


def _repair(program: Program, cleared: Place, setter: Place, name: str) -> tuple[FixIntent | None, str | None]:
    conditions = [one.guard for one in program.happened(PolicySet) if one.place == setter]
    if any(conditions):
        return None, "the policy is only set on a condition"
    return set_again(program, cleared, setter, name)
