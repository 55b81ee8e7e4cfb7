"""MP302: a regression, or Keras 2 logits of each pixel, in half precision."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.heads import Head, half_heads, layers_of
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import TRUE_VALUE, Record
from mpfix_rules.repairs.heads import float32_head, policy_evidence, worst_by_place

LOGITS = "the logits are float16: from 65520 loss values in a batch on every gradient is 0"
RAW = (
    "the loss takes the float16 output for probabilities, without a softmax or `from_logits=True`: "
    "its gradient is infinite from 1.5e-5 down"
)
MEETS = "what it is computed with before it leaves must be float32 as well"
TANH = "the `tanh` output is {}: its values, and in Keras 2 the loss and its targets, are rounded to three digits"
BFLOAT16 = "the output is bfloat16: predictions move in steps of 4 at 1000"
KERAS_2 = "the output is float16: an error of 256 makes the loss infinite, targets beyond 65504 are infinite"
KERAS_3 = (
    "the output is float16: predictions move in steps (0.5 at 1000), metrics overflow, "
    "large errors lower the loss scale"
)


@rule(
    "MP302",
    "half-model-output",
    severity={2: Severity.ERROR, 3: Severity.WARNING},
    half=True,
    fixable=True,
)
def half_model_output(program: Program) -> Iterator[Finding]:
    """Outputs that a loss would want in float32."""
    yield from worst_by_place(_findings(program))


def _findings(program: Program) -> Iterator[Finding]:
    layers = layers_of(half_heads(program))
    for head in half_heads(program):
        if head.kind in ("probabilities", "blended"):
            continue
        severity, message = _told(program, head)
        tensor = head.case.event.tensor
        is_derived = isinstance(tensor, Record) and tensor.get("derived") == TRUE_VALUE
        fix = float32_head(program, head.maker, layers, passed_by=head.passed_by, meets_others=is_derived)
        yield Finding(
            head.maker,
            message,
            evidence=policy_evidence(head.policy, head.case.guard),
            guard=head.case.guard,
            severity=severity,
            fix=fix,
            unfixable_reason=MEETS if fix is None and is_derived else None,
        )


def _told(program: Program, head: Head) -> tuple[Severity, str]:
    if head.kind == "logits":
        return Severity.ERROR, LOGITS
    if head.kind == "raw":
        return Severity.ERROR, RAW
    if head.kind == "tanh":
        return Severity.WARNING, TANH.format(head.dtype)
    if head.dtype == "bfloat16":
        return Severity.WARNING, BFLOAT16
    return (Severity.ERROR, KERAS_2) if program.generation == 2 else (Severity.WARNING, KERAS_3)
