"""MP301: softmax or sigmoid of a model's output in half precision."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import ModelOutput
from mpfix.frameworks.heads import (
    PROBABILITIES,
    Judged,
    feeding_models,
    is_dense_prediction,
    is_trained,
    losses_of,
    output_cases,
)
from mpfix.frameworks.training import HALF
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Case, Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Object
from mpfix_rules.repairs.heads import float32_head, policy_evidence

FIELDS = ("tensor.activation", "tensor.activation dtype", "tensor.activation maker", "tensor.layer", "tensor.dtype")


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
    cases = [case for case in output_cases(program, *FIELDS, "tensor.policy") if _is_half_probability(case)]
    heads = frozenset(layer for case in cases if isinstance(layer := case.value("tensor.layer"), Object))
    for case in cases:
        maker = case.at("tensor.activation maker")
        if maker is None:
            continue
        losses = losses_of(program, case.event, maker)
        if any(loss.kind == "regression" for loss in losses):
            continue
        if not losses and case.event.model in feeding_models(program):
            continue
        yield _finding(program, case, maker, losses, heads)


def _is_half_probability(case: Case[ModelOutput]) -> bool:
    half = case.constant("tensor.activation dtype") in HALF and case.constant("tensor.dtype") in HALF
    return half and case.constant("tensor.activation") in PROBABILITIES


def _finding(
    program: Program, case: Case[ModelOutput], maker: Place, losses: tuple[Judged, ...], heads: frozenset[Object]
) -> Finding:
    severity, harm = _harm(program, case, losses)
    dtype, activation = case.constant("tensor.activation dtype"), case.constant("tensor.activation")
    return Finding(
        maker,
        f"`{activation}` runs in {dtype}: {harm}",
        evidence=policy_evidence(case.value("tensor.policy")),
        guard=case.guard,
        severity=severity if is_trained(program, case.event.model) else Severity.NOTE,
        fix=float32_head(program, maker, heads),
    )


def _harm(program: Program, case: Case[ModelOutput], losses: tuple[Judged, ...]) -> tuple[Severity, str]:
    if any(loss.form == "log" for loss in losses):
        return Severity.ERROR, "the gradient of its logarithm overflows"
    half_loss = "the value of the loss, its mean and its labels are rounded too"
    if program.generation == 3:
        if losses and all(loss.form == "function" for loss in losses):
            return Severity.WARNING, half_loss
        return Severity.ERROR, "Keras 3 cannot recover the logits, confident mistakes get gradient NaN or 0"
    if case.constant("tensor.activation dtype") == "bfloat16":
        return Severity.NOTE, half_loss
    if is_dense_prediction(case):
        return Severity.ERROR, "from 65520 loss values in a batch on every gradient is 0"
    return Severity.WARNING, half_loss
