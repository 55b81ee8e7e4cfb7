"""MP303: a mask with a number that float16 cannot hold."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.half_facts import FLOAT16_INFINITE, HalfOperation, half_operations
from mpfix.rule import Finding, FixIntent, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.half_numbers import finite_mask, half_evidence, lowest_choice, number_text

PRODUCT = "`{}` is infinite in float16: where the other factor is 0 the product is NaN"
SUM = "`{}` is infinite in float16: so is every sum with it"
CHOICE = "`{}` is infinite in float16: a softmax over a row of nothing else is NaN"


@rule("MP303", "mask-beyond-half", severity=Severity.ERROR, half=True, fixable=True)
def mask_beyond_half(program: Program) -> Iterator[Finding]:
    """Numbers beyond the range of float16 that meet a tensor in float16."""
    for one in half_operations(program, "Mult", "Add", "Sub", "where"):
        if one.dtype != "float16" or one.number is None or abs(one.number) < FLOAT16_INFINITE:
            continue
        if one.computed != "ones" and not _is_meant(one):
            message, severity, fix = _judged(program, one)
            yield Finding(
                one.place,
                message.format(number_text(one.number)),
                evidence=half_evidence(one),
                guard=one.guard,
                severity=severity,
                fix=fix,
                unfixable_reason=None if fix is not None else "what the number stands for is not known",
            )


def _is_meant(one: HalfOperation) -> bool:
    """Whether the sum is as infinite in float32: only a product makes NaN of a minus infinity."""
    return one.how in ("Add", "Sub") and one.number is not None and math.isinf(one.number)


def _judged(program: Program, one: HalfOperation) -> tuple[str, Severity, FixIntent | None]:
    if one.how == "where":
        return CHOICE, Severity.NOTE, lowest_choice(program, one)
    if one.how == "Mult":
        return PRODUCT, Severity.ERROR, finite_mask(program, one)
    return SUM, Severity.ERROR, None
