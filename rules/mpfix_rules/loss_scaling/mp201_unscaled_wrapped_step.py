"""MP201: a loss scale optimizer of Keras 3 applies gradients of a loss that nobody scaled."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.steps import Step, dead_tests, is_same, optimizer_evidence, scaled_beside, training_steps
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.training_step import loss_name, repaired


@rule(
    "MP201",
    "unscaled-wrapped-step",
    severity={3: Severity.ERROR},
    words=("apply_gradients", ".apply("),
    fixable=True,
)
def unscaled_wrapped_step(program: Program) -> Iterator[Finding]:
    """Updates that are divided by a loss scale that never multiplied the loss."""
    for step in training_steps(program):
        if not step.wrapped or not step.is_plain or step.is_minimize or _is_judged_elsewhere(program, step):
            continue
        fix, reason = repaired(program, step)
        yield Finding(
            step.gradient,
            f"`{loss_name(step.gradient)}` is never scaled but Keras 3 divides by the loss scale in "
            f"`{step.event.method}`: updates are 32768 times too small",
            evidence=(*_optimizer(step), Evidence(step.applied, "gradients are divided by the loss scale here")),
            guard=step.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _optimizer(step: Step) -> Iterator[Evidence]:
    yield from (Evidence(place, message) for place, message in optimizer_evidence(step))


def _is_judged_elsewhere(program: Program, step: Step) -> bool:
    """Scaling that never runs is MP202, scaling that is not differentiated MP206."""
    if any(is_same(test.asked.owner, step.event.optimizer) for test in dead_tests(program)):
        return True
    return scaled_beside(program, step) is not None
