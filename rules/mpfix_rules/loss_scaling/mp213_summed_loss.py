"""MP213: a vector with one loss per sample is differentiated, which adds it up."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.releases import needs_first_releases
from mpfix.frameworks.steps import training_steps
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import TRUE_VALUE
from mpfix_rules.repairs.training_step import averaged

MESSAGE = (
    "one loss per sample is differentiated: the gradient is that of the sum, the batch size times that of the mean"
)


@rule("MP213", "summed-loss", severity=Severity.WARNING, words=("apply", "minimize"), fixable=True)
def summed_loss(program: Program) -> Iterator[Finding]:
    """Updates by the gradient of a vector loss."""
    for step in training_steps(program):
        vector = step.place("vector at")
        # the functions in `tf.losses` of TensorFlow 1 give one number
        if step.of("vector") != TRUE_VALUE or vector is None or needs_first_releases(vector.module):
            continue
        fix, reason = averaged(program, step)
        yield Finding(
            vector,
            MESSAGE,
            evidence=(Evidence(step.gradient, "the vector is differentiated here"),),
            guard=step.guard,
            fix=fix,
            unfixable_reason=reason,
        )
