"""MP204: float16 gradients without loss scaling."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.side_doors import is_bare_and_unscaled, side_doors
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
    if not step.wrapped:
        # an optimizer that the model's own compile keeps is MP205
        return is_bare_and_unscaled(program, step) and step.event.optimizer not in side_doors(program)
    if step.state("off") == TRUE_VALUE or step.state("factor") != NONE:
        return False
    # on Keras 3 that is MP201; `minimize` of Keras 2 scales by itself
    plain = program.generation == 2 and not step.is_minimize and step.is_plain
    return plain and scaled_beside(program, step) is None


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
