"""MP216: on Keras 3 a train step returns its loss under a name that `fit` reads from a metric nobody updates."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.step_logs import ZeroLoss, zero_losses
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.step_logs import tracked

MESSAGE = "`fit` reports 0.0: Keras 3 has a metric of the name `loss`, reads that instead, and nobody has updated it"


@rule("MP216", "loss-reported-zero", severity={3: Severity.WARNING}, words=("train_step",), fixable=True)
def loss_reported_zero(program: Program) -> Iterator[Finding]:
    """Losses of own train steps that nobody gets to see."""
    for zero in zero_losses(program):
        fix, reason = tracked(program, zero)
        yield Finding(
            zero.place,
            MESSAGE,
            evidence=tuple(_evidence(zero)),
            guard=zero.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _evidence(zero: ZeroLoss) -> Iterator[Evidence]:
    if isinstance(zero.model.place.node, ast.Call):
        yield Evidence(zero.model.place, "the model is made here")
