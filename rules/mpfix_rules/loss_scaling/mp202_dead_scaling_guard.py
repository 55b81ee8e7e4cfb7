"""MP202: a test for a method that Keras 3 lost decides whether the loss is scaled."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import AttributeTested, Scaled
from mpfix.frameworks.steps import DeadTest, as_meant, dead_tests, is_same
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program, cases_of
from mpfix.semantic.values import FALSE_VALUE, TRUE_VALUE, At, Unknown, Value
from mpfix_rules.repairs.dead_guards import revived

MESSAGE = "no optimizer of Keras 3 has `get_scaled_loss`: this test is never true and the loss is never scaled"


@rule("MP202", "dead-scaling-guard", severity={3: Severity.ERROR}, words=("get_scaled_loss",), fixable=True)
def dead_scaling_guard(program: Program) -> Iterator[Finding]:
    """Guards of the Keras 2 method in programs that do not ask for the one of Keras 3."""
    for dead in dead_tests(program):
        if _asks_for_keras_3(program, dead.asked.owner):
            continue
        for case in cases_of(dead.test, "state.wrapped", "state.automatic", "state.wrapped at", allow_unknown=True):
            if case.value("state.wrapped") == FALSE_VALUE:
                continue
            fix, reason = revived(program, dead)
            yield Finding(
                dead.test.place,
                MESSAGE,
                evidence=tuple(_evidence(dead, case.value("state.wrapped at"), case.value("state.automatic"))),
                guard=case.guard,
                fix=fix,
                unfixable_reason=reason,
            )


def _asks_for_keras_3(program: Program, owner: Value) -> bool:
    """Whether `scale_loss` is called or looked up on the optimizer, or on one nobody knows."""
    for one in (program, as_meant(program)):
        for occurrence in one.happened(Scaled, AttributeTested) if one is not None else ():
            event = occurrence.event
            if isinstance(event, Scaled) and event.method == "scale_loss" and _may_be(event.optimizer, owner):
                return True
            if isinstance(event, AttributeTested) and event.name == "scale_loss" and _may_be(event.owner, owner):
                return True
    return False


def _may_be(one: Value, owner: Value) -> bool:
    return isinstance(one, Unknown) or is_same(one, owner)


def _evidence(dead: DeadTest, wrapped_at: Value, automatic: Value) -> Iterator[Evidence]:
    if isinstance(wrapped_at, At):
        by_compile = automatic == TRUE_VALUE
        message = "compile wraps the optimizer here" if by_compile else "the optimizer is wrapped here"
        yield Evidence(wrapped_at.place, message)
    yield Evidence(dead.scaling.place, "the scaling that never runs")
