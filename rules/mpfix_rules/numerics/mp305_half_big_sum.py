"""MP305: sums and means of many numbers in float16."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.half_facts import HalfOperation, half_operations, has_many_axes, is_large_sum
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import NONE
from mpfix_rules.repairs.float32_sums import summed_in_float32
from mpfix_rules.repairs.half_numbers import half_evidence

SUM = "a sum over many elements in float16: infinite beyond 65504, in steps of 2 and more from 2048 on"
SQUARES = "a mean of squares in float16: squares are infinite from 256 on, the gradient is 0 from 65520 elements on"
MEAN = "a mean over many elements in float16: its gradient is 0 from 65520 elements on"


@rule("MP305", "half-big-sum", severity=Severity.ERROR, half=True, fixable=True)
def half_big_sum(program: Program) -> Iterator[Finding]:
    """Reductions of whole tensors that are in float16."""
    operations = half_operations(program, "sum", "mean", "l2 loss")
    found = [(one, _harm(one)) for one in operations if one.dtype == "float16"]
    harmful = [(one, message) for one, message in found if message is not None]
    for one, message in harmful:
        fix = summed_in_float32(program, one, (other for other, _ in harmful))
        yield Finding(
            one.place,
            message,
            evidence=half_evidence(one),
            guard=one.guard,
            fix=fix,
            unfixable_reason=None if fix is not None else "what is summed has no place for a cast",
        )


def _harm(one: HalfOperation) -> str | None:
    if one.how == "l2 loss":
        return SUM
    if not is_large_sum(one):
        return None
    if one.how == "sum":
        return SUM
    # Keras 3 takes means in float32
    if one.key.startswith("keras.ops.") or one.axis != NONE:
        return None
    if one.computed in ("square", "Pow"):
        return SQUARES
    return MEAN if has_many_axes(one) else None
