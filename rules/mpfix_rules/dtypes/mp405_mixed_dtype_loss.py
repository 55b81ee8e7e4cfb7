"""MP405: a loss written by hand that mixes half predictions with something in float32."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.dtype_clashes import Clash, clashes_in_losses
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.compute_dtypes import float32_predictions
from mpfix_rules.repairs.heads import policy_evidence
from mpfix_rules.repairs.places import shown


@rule("MP405", "mixed-dtype-loss", severity=Severity.ERROR, half=True, fixable=True)
def mixed_dtype_loss(program: Program) -> Iterator[Finding]:
    """Predictions of a model in half beside labels and numbers in float32, outside of layers."""
    for clash in clashes_in_losses(program):
        repair = float32_predictions(program, clash)
        yield Finding(
            clash.place,
            f"`{shown(clash.place.node)}` mixes {clash.half_dtype} predictions with {clash.fixed_dtype}: "
            "TensorFlow raises an error",
            evidence=tuple(_evidence(clash)),
            guard=clash.guard,
            fix=repair.fix,
            unfixable_reason=repair.reason,
        )


def _evidence(clash: Clash) -> Iterator[Evidence]:
    if clash.maker is not None:
        yield Evidence(clash.maker, f"the {clash.fixed_dtype} tensor is made here")
    if clash.policy is not None:
        yield from policy_evidence(clash.policy, clash.guard)
