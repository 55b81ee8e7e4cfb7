"""MP304: a small number that float16 rounds to 0, or whose reciprocal it cannot hold."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.half_facts import (
    FLOAT16_INFINITE,
    FLOAT16_VARIANCE,
    FLOAT16_ZERO,
    HalfOperation,
    half_operations,
    rounds_to_one,
)
from mpfix.frameworks.half_values import number_of
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import NONE, At
from mpfix_rules.repairs.epsilons import float32_around, in_float32
from mpfix_rules.repairs.half_numbers import half_evidence, number_text

ADDED = "`{}` is 0 in float16: the sum is what it was before, 0 stays 0"
LOWER = "`{}` is 0 in float16: it keeps nothing away from 0"
UPPER = "`{}` is 1 in {}: it keeps nothing away from 1"
DIVISOR = "`{}` is too small for a divisor in float16: {} divided by it is infinite"
VARIANCE = "`{}` beside a variance in float16: the gradient of its root is infinite where the variance is small"
ROOT = "`{}` under `rsqrt` in float16: the gradient of the root is infinite where it is added to a number near 0"
PUT = "the number is in float16 before it is used: it and what it meets must be in float32"
ELSEWHERE = "what uses the sum does not stand around it"
BOUND = "the limit and what uses its result must be in float32 both"
STATISTICS = "the statistics must be computed in float32, with what they are computed of"
LARGE = "the quotient does not fit into float16 either: compute it and what uses it in float32"


@rule("MP304", "epsilon-vanishes", severity=Severity.ERROR, half=True, fixable=True)
def epsilon_vanishes(program: Program) -> Iterator[Finding]:
    """Small numbers that are meant to keep a half tensor away from 0 or 1; a cast that put one into half has it."""
    for one in half_operations(program, "Add", "Sub", "maximum", "clip"):
        if one.dtype == "float16" and one.number is not None and 0.0 < one.number <= FLOAT16_ZERO:
            yield _vanished(program, one, one.number)
    for one in half_operations(program, "minimum"):
        if one.number is not None and rounds_to_one(one.number, one.dtype):
            yield _finding(one, UPPER.format(f"1 - {number_text(1.0 - one.number)}", one.dtype), BOUND)
    for one in half_operations(program, "Div", "reciprocal"):
        yield from _divisor(one)
    for one in half_operations(program, "rsqrt"):
        yield from _root(one)
    for one in half_operations(program, "batch norm"):
        if one.dtype == "float16" and one.number is not None and 0.0 < one.number <= FLOAT16_VARIANCE:
            yield _finding(one, VARIANCE.format(number_text(one.number)), STATISTICS)


def _vanished(program: Program, one: HalfOperation, number: float) -> Finding:
    if one.how not in ("Add", "Sub"):
        return _finding(one, LOWER.format(number_text(number)), BOUND)
    message = ADDED.format(number_text(number))
    if one.put_at is not None:
        return _finding(one, message, PUT)
    place = float32_around(program, one)
    fix = in_float32(program, one, place) if place is not None else None
    reason = None if fix is not None else ELSEWHERE if place is None else LARGE
    return Finding(one.place, message, evidence=half_evidence(one), guard=one.guard, fix=fix, unfixable_reason=reason)


def _finding(one: HalfOperation, message: str, reason: str) -> Finding:
    place, evidence = one.put_at or one.place, half_evidence(one)
    if place != one.place:
        evidence = (*evidence, Evidence(one.place, "it is used here"))
    return Finding(place, message, evidence=evidence, guard=one.guard, unfixable_reason=reason)


def _root(one: HalfOperation) -> Iterator[Finding]:
    """A number beside a variance that is in half; where its squares are taken in half too, that is what is wrong."""
    number, added = number_of(one.tensor.get("added")), one.tensor.get("added at")
    if one.dtype != "float16" or not isinstance(added, At) or one.tensor.get("variance at") != NONE:
        return
    if number is not None and FLOAT16_ZERO < number <= FLOAT16_VARIANCE:
        evidence = half_evidence(one)
        if added.place != one.place:
            evidence = (*evidence, Evidence(one.place, "its root is taken here"))
        reason, message = STATISTICS, ROOT.format(number_text(number))
        yield Finding(added.place, message, evidence=evidence, guard=one.guard, unfixable_reason=reason)


def _divisor(one: HalfOperation) -> Iterator[Finding]:
    """A divisor to which a number was added that is too small for the plain number above the line."""
    number, added = number_of(one.tensor.get("added")), one.tensor.get("added at")
    if one.dtype != "float16" or number is None or number <= FLOAT16_ZERO or not isinstance(added, At):
        return
    numerator = 1.0 if one.how == "reciprocal" else one.number if one.is_right else None
    if numerator is not None and abs(numerator) / number >= FLOAT16_INFINITE:
        evidence = (*half_evidence(one), Evidence(one.place, "the sum is a divisor here"))
        message = DIVISOR.format(number_text(number), number_text(numerator))
        yield Finding(added.place, message, evidence=evidence, guard=one.guard, unfixable_reason=LARGE)
