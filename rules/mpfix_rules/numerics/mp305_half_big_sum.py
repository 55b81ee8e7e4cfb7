"""MP305: sums and means of many numbers in float16."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.half_counters import half_counters
from mpfix.frameworks.half_facts import (
    HalfOperation,
    half_operations,
    has_many_axes,
    is_large_count,
    is_large_event,
    is_large_sum,
)
from mpfix.frameworks.labels import EXACT
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import NONE
from mpfix_rules.repairs.float32_sums import summed_in_float32
from mpfix_rules.repairs.half_numbers import half_evidence

SUM = "a sum over many elements in float16: infinite beyond 65504, in steps of 2 and more from 2048 on"
COUNT = "a count of many elements in float16: infinite beyond 65504, in steps of 2 and more from 2048 on"
LIKELIHOOD = (
    "a log-likelihood of many elements, summed in float16: infinite beyond 65504, in steps of 2 and more from 2048 on"
)
SQUARES = "a mean of squares in float16: squares are infinite from 256 on, the gradient is 0 from 65520 elements on"
UNCAST = "what is summed has no place for a cast"
MADE = "the distribution must be made of float32 tensors"
MEETS = "what the count meets must be in float32 as well"
TOTAL = "a running total in {}: it stops growing, at {} where ones are added"
STAYS = "what the total meets must have its dtype as well"
MEAN = "a mean over many elements in float16: its gradient is 0 from 65520 elements on"
UNCASTABLE = {"count": MEETS, "log prob": MADE}
"""Operations whose first argument is not what a cast would mend, with what would."""


@rule("MP305", "half-big-sum", severity=Severity.ERROR, half=True, fixable=True)
def half_big_sum(program: Program) -> Iterator[Finding]:
    """Reductions of whole tensors that are in float16."""
    operations = half_operations(program, "sum", "mean", "l2 loss", *UNCASTABLE)
    found = [(one, _harm(one)) for one in operations if one.dtype == "float16"]
    harmful = [(one, message) for one, message in found if message is not None]
    sums = [one for one, _ in found if one.how not in UNCASTABLE]
    for one, message in harmful:
        fix = summed_in_float32(program, one, sums) if one.how not in UNCASTABLE else None
        yield Finding(
            one.place,
            message,
            evidence=half_evidence(one),
            guard=one.guard,
            fix=fix,
            unfixable_reason=None if fix is not None else UNCASTABLE.get(one.how, UNCAST),
        )
    yield from _totals(program)


def _totals(program: Program) -> Iterator[Finding]:
    """Counters and totals that a variable in half keeps."""
    for one in half_counters(program):
        yield Finding(
            one.maker,
            TOTAL.format(one.dtype, EXACT[one.dtype]),
            evidence=(Evidence(one.added, "it is added to here"),),
            guard=one.guard,
            unfixable_reason=STAYS,
        )


def _harm(one: HalfOperation) -> str | None:
    if one.how == "l2 loss":
        return SUM
    if one.how == "count":
        return COUNT if is_large_count(one) else None
    if one.how == "log prob":
        return LIKELIHOOD if is_large_event(one) else None
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
