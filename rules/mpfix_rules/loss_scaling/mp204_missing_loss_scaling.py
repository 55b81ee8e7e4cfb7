"""MP204: float16 gradients without loss scaling."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.steps import Step, optimizer_evidence, scaled_beside, training_steps
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import NONE, TRUE_VALUE
from mpfix_rules.repairs.training_step import optimizer_name, repaired

_RISK = "small ones become zero in `tape.gradient`"


@rule("MP204", "missing-loss-scaling", severity=Severity.WARNING, words=("apply", "minimize"), half=True, fixable=True)
def missing_loss_scaling(program: Program) -> Iterator[Finding]:
    """Steps of a mixed_float16 model whose loss nobody scales."""
    for step in training_steps(program):
        half = step.place("half")
        if half is None or not _lacks_scaling(program, step):
            continue
        fix, reason = repaired(program, step)
        yield Finding(
            step.gradient,
            _message(program, step),
            evidence=tuple(_evidence(step)),
            guard=step.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _lacks_scaling(program: Program, step: Step) -> bool:
    if step.wrapped is None or step.state("off") == TRUE_VALUE or step.state("factor") != NONE:
        return False
    if step.wrapped:
        # on Keras 3 that is MP201; `minimize` of Keras 2 scales by itself
        plain = program.generation == 2 and not step.is_minimize and step.is_plain
        return plain and scaled_beside(program, step) is None
    return _is_bare_and_unscaled(program, step)


def _is_bare_and_unscaled(program: Program, step: Step) -> bool:
    """Only a scale made by hand can protect an optimizer that is not wrapped."""
    if step.of("hand") != NONE or step.of("divided by hand") != NONE or step.of("unscaled") != NONE:
        return False
    if step.of("scaled") == NONE:
        return True
    # `scale_loss` of a bare Keras 3 optimizer gives its argument back
    return program.generation == 3 and step.scales_itself and not step.asked_as_keras_2


def _message(program: Program, step: Step) -> str:
    if step.wrapped:
        optimizer = optimizer_name(step)
        return (
            f"`{optimizer}` is a loss scale optimizer, but nothing scales the loss: small float16 gradients become zero"
        )
    return f"float16 gradients without loss scaling: {_RISK}"


def _evidence(step: Step) -> Iterator[Evidence]:
    half = step.place("half")
    if half is not None:
        yield Evidence(half, "under this policy layers compute in float16")
    yield from (Evidence(place, message) for place, message in optimizer_evidence(step))
