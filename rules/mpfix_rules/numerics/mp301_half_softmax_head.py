"""MP301: softmax or sigmoid of a model's output in half precision."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.heads import Head, half_heads, is_dense_prediction, is_trained, layers_of
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.heads import float32_head, policy_evidence, worst_by_place

UNTRAINED = "the probabilities are rounded to three digits, and nothing seen here trains them"


@rule(
    "MP301",
    "half-softmax-head",
    severity={2: Severity.WARNING, 3: Severity.ERROR},
    words=("softmax", "sigmoid"),
    half=True,
    fixable=True,
)
def half_softmax_head(program: Program) -> Iterator[Finding]:
    """Probabilities that leave a model in half precision."""
    yield from worst_by_place(_findings(program))


def _findings(program: Program) -> Iterator[Finding]:
    heads = [head for head in half_heads(program) if head.kind in ("probabilities", "blended")]
    layers = layers_of(half_heads(program))
    for head in heads:
        is_learnt = is_trained(program, head.case.event.model)
        severity, harm = _harm(program, head) if is_learnt else (Severity.NOTE, UNTRAINED)
        yield Finding(
            head.maker,
            f"`{head.activation}` runs in {head.dtype}: {harm}",
            evidence=policy_evidence(head.policy, head.case.guard),
            guard=head.case.guard,
            severity=severity,
            fix=float32_head(program, head.maker, layers, passed_by=head.passed_by),
        )


def _harm(program: Program, head: Head) -> tuple[Severity, str]:
    if any(loss.form == "log" for loss in head.losses):
        return Severity.ERROR, "the gradient of its logarithm overflows"
    if head.kind == "blended" and any(loss.kind == "probabilities" for loss in head.losses):
        return (
            Severity.ERROR,
            "averaged or resized it has no logits to recover, confident mistakes get gradient inf or NaN",
        )
    half_loss = "the value of the loss, its mean and its labels are rounded too"
    if program.generation == 3:
        if head.losses and all(loss.form == "function" for loss in head.losses):
            return Severity.WARNING, half_loss
        return Severity.ERROR, "Keras 3 cannot recover the logits, confident mistakes get gradient NaN or 0"
    if head.dtype == "bfloat16":
        return Severity.NOTE, half_loss
    if head.kind != "blended" and is_dense_prediction(head.case):
        return Severity.ERROR, "from 65520 loss values in a batch on every gradient is 0"
    return Severity.WARNING, half_loss
