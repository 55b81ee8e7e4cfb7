"""MP302: a regression, or Keras 2 logits of each pixel, in half precision."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import ModelOutput
from mpfix.frameworks.heads import Judged, is_dense_prediction, is_half, losses_of, output_cases
from mpfix.frameworks.training import HALF
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Case, Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, Object
from mpfix_rules.repairs.heads import float32_head, policy_evidence

FIELDS = ("tensor.dtype", "tensor.maker", "tensor.layer", "tensor.policy")


@rule(
    "MP302",
    "half-model-output",
    severity={2: Severity.ERROR, 3: Severity.WARNING},
    half=True,
    fixable=True,
)
def half_model_output(program: Program) -> Iterator[Finding]:
    """Outputs that a loss would want in float32."""
    cases = [case for case in output_cases(program, *FIELDS) if case.constant("tensor.dtype") in HALF]
    heads = frozenset(layer for case in cases if isinstance(layer := case.value("tensor.layer"), Object))
    for case in cases:
        maker = case.at("tensor.maker")
        if maker is None:
            continue
        told = _told(program, case, losses_of(program, case.event, maker))
        if told is not None:
            yield _finding(program, case, maker, heads, told)


def _told(program: Program, case: Case[ModelOutput], losses: tuple[Judged, ...]) -> tuple[Severity, str] | None:
    """How bad it is, and why; None where nothing is wrong."""
    felt = [loss for loss in losses if loss.dtype == NONE or is_half(loss.dtype)]
    kinds = {loss.kind for loss in felt}
    dtype = case.constant("tensor.dtype")
    if "regression" in kinds:
        if dtype == "bfloat16":
            return Severity.WARNING, "the output is bfloat16: predictions move in steps of 4 at 1000"
        if program.generation == 2:
            return (
                Severity.ERROR,
                "the output is float16: an error of 256 makes the loss infinite, targets beyond 65504 are infinite",
            )
        return (
            Severity.WARNING,
            "the output is float16: predictions move in steps (0.5 at 1000), metrics overflow, "
            "large errors lower the loss scale",
        )
    if "logits" in kinds and program.generation == 2 and dtype == "float16" and is_dense_prediction(case):
        return Severity.ERROR, "the logits are float16: from 65520 loss values in a batch on every gradient is 0"
    return None


def _finding(
    program: Program, case: Case[ModelOutput], maker: Place, heads: frozenset[Object], told: tuple[Severity, str]
) -> Finding:
    severity, message = told
    return Finding(
        maker,
        message,
        evidence=policy_evidence(case.value("tensor.policy")),
        guard=case.guard,
        severity=severity,
        fix=float32_head(program, maker, heads),
    )
