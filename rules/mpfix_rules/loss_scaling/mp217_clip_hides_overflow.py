"""MP217: gradients are clipped by value before a loss scale optimizer looks for an overflow in them."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import Clipped
from mpfix.frameworks.steps import Step, is_known_optimizer, may_hold_the_scale, touched, training_steps
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.guards import conjoin
from mpfix.semantic.program import Case, Program
from mpfix_rules.repairs.clips import value_clip_inside
from mpfix_rules.repairs.plan import Plan, planned

BY_VALUE = ("tensorflow.clip_by_value", "keras.ops.clip")
MESSAGE = "turns an overflow into the threshold: the step is applied instead of skipped, and the loss scale stays"


@rule("MP217", "clip-hides-overflow", severity=Severity.ERROR, words=("clip",), fixable=True)
def clip_hides_overflow(program: Program) -> Iterator[Finding]:
    """Clips by value, in the right place for a clip, that leave nothing to check."""
    for step in training_steps(program):
        for case in touched(program, step):
            if case.event.how not in BY_VALUE or not _is_right_otherwise(program, step, case):
                continue
            fix, reason = planned(program, lambda plan, step=step, case=case: _build(plan, step, case))  # type: ignore[misc]
            yield Finding(
                case.place,
                MESSAGE,
                evidence=tuple(_evidence(step)),
                guard=conjoin(case.guard, step.guard),
                fix=fix,
                unfixable_reason=reason,
            )


def _is_right_otherwise(program: Program, step: Step, case: Case[Clipped]) -> bool:
    """Whether a wrapped step scales and unscales, and clips at the size of what it clips."""
    if not (step.wrapped and step.scales_itself and is_known_optimizer(step.event.optimizer)) or step.is_minimize:
        return False
    if program.generation == 3:
        return not step.asked_as_keras_2 and may_hold_the_scale(case.value("threshold"))
    return case.value("gradients.unscaled") == step.event.optimizer


def _build(plan: Plan, step: Step, case: Case[Clipped]) -> None:
    plan.title = "Clip in the inner optimizer, after the check"
    value_clip_inside(plan, step, case)


def _evidence(step: Step) -> Iterator[Evidence]:
    scaled_at = step.place("scaled at")
    if scaled_at is not None:
        yield Evidence(scaled_at, "the loss is scaled here")
    yield Evidence(step.applied, "an overflow is looked for only in here")
