"""MP301: softmax or sigmoid of a model's output in half precision."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import ModelOutput
from mpfix.frameworks.training import HALF, PROBABILITIES, compiled_models, losses_of, trains
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Case, Program
from mpfix.semantic.values import Object, Record
from mpfix_rules.repairs.heads import float32_layer

FIELDS = ("tensor.activation", "tensor.activation dtype", "tensor.activation maker", "tensor.layer")


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
    cases = [case for case in program.cases(ModelOutput, *FIELDS) if _is_half_probability(case)]
    heads = frozenset(layer for case in cases if isinstance(layer := case.value("tensor.layer"), Object))
    for case in cases:
        maker = case.at("tensor.activation maker")
        dtype, activation = case.constant("tensor.activation dtype"), case.constant("tensor.activation")
        if maker is None:
            continue
        yield Finding(
            maker,
            f"`{activation}` runs in {dtype}: {_harm(program.generation)}",
            evidence=_evidence(case),
            guard=case.guard,
            severity=_severity(program, case, dtype),
            fix=float32_layer(program, maker, heads),
        )


def _is_half_probability(case: Case[ModelOutput]) -> bool:
    half = case.constant("tensor.activation dtype") in HALF
    return half and case.constant("tensor.activation") in PROBABILITIES


def _harm(generation: int) -> str:
    if generation == 3:
        return "Keras 3 cannot recover the logits, confident mistakes get gradient NaN or 0"
    return "the loss and its labels are computed in half precision too"


def _evidence(case: Case[ModelOutput]) -> tuple[Evidence, ...]:
    tensor = case.event.tensor
    policy = tensor.get("policy") if isinstance(tensor, Record) else None
    return (Evidence(policy.place, "the policy is set here"),) if isinstance(policy, Record) else ()


def _severity(program: Program, case: Case[ModelOutput], dtype: str) -> Severity | None:
    if not trains(program):
        return Severity.NOTE
    if program.generation == 2:
        return Severity.NOTE if dtype == "bfloat16" else None
    losses = losses_of(program, case.event.model)
    only_functions = bool(losses) and all(getattr(o.event, "form", "") == "function" for o in losses)
    if only_functions and case.event.model not in compiled_models(program):
        return Severity.WARNING
    return None
