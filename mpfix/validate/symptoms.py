"""What a variant shows that should not be: each symptom is a measured figure in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from mpfix.validate.endings import shown_place
from mpfix.validate.figures import HALF
from mpfix.validate.runner import ChildResult
from mpfix.validation import Ending, Numerics, Symptom

SMALL_RATIO = 1 / 64
"""Gradients this much smaller than in float32 are no rounding."""
UNDERFLOW_SHARE = 0.01
SKIPPED_SHARE = 0.25
_PROBABILITIES = ("softmax", "sigmoid")


def symptoms_of(
    result: ChildResult, numerics: Numerics | None, ending: Ending, script: Path, *, is_forced: bool = False
) -> tuple[Symptom, ...]:
    """Every symptom of a variant, most telling first; under a policy that `is_forced` the script's has no effect."""
    found = [] if ending.is_orderly else [Symptom("ending", f"the script fails: {ending.sentence}")]
    if numerics is not None:
        found += [*_values(numerics), *_precision(result, numerics, script, is_forced), *_scaling(result, numerics)]
    return tuple(found)


def _values(numerics: Numerics) -> Iterator[Symptom]:
    if numerics.nonfinite:
        yield Symptom("nonfinite", f"NaN or infinity first appears in {numerics.nonfinite}")
    bad = next((i for i, loss in enumerate(numerics.losses, 1) if not math.isfinite(loss)), None)
    if bad is not None:
        yield Symptom("loss", f"the loss is {numerics.losses[bad - 1]} in step {bad}")


def _precision(result: ChildResult, numerics: Numerics, script: Path, is_forced: bool) -> Iterator[Symptom]:
    summary = result.last("summary") or {}
    head = summary.get("head") or {}
    if head.get("dtype") in HALF and head.get("activation") in _PROBABILITIES:
        place = f" ({shown_place(head['place'], script)})" if head.get("place") else ""
        yield Symptom("head", f"the head `{head['layer']}`{place} gives its {head['activation']} in {head['dtype']}")
    if numerics.loss_dtype in HALF:
        yield Symptom("loss-dtype", f"the loss is computed in {numerics.loss_dtype}")
    asked = [line for line in result.of_kind("policy") if line["name"] in ("mixed_float16", "mixed_bfloat16")]
    if asked and not is_forced and numerics.layers and not any(layer.compute in HALF for layer in numerics.layers):
        where = f" ({shown_place(asked[-1]['place'], script)})" if asked[-1]["place"] else ""
        yield Symptom("policy", f"{asked[-1]['name']} was set{where}, but no layer computes in half precision")


def _scaling(result: ChildResult, numerics: Numerics) -> Iterator[Symptom]:
    summary = result.last("summary") or {}
    wrapped, scalings = summary.get("wrapped"), summary.get("scalings", 0)
    ratio = numerics.gradient_ratio
    if ratio is not None and ratio < SMALL_RATIO:
        yield Symptom(
            "gradient-size",
            f"gradients reach the optimizer at {_as_fraction(ratio)} of their size in float32"
            f"{_why_small(ratio, numerics, bool(wrapped), scalings)}",
        )
    elif wrapped and not scalings and numerics.evaluations:
        yield Symptom("never-scaled", "the optimizer divides gradients by a loss scale, but no loss was ever scaled")
    in_float16 = any(layer.compute == "float16" for layer in numerics.layers)
    if in_float16 and not wrapped and not scalings and not numerics.scales:
        yield Symptom("unscaled", f"float16 gradients are taken from a loss that nobody scales{_lost(numerics)}")
    attempts = numerics.updates + numerics.skipped
    if attempts and numerics.skipped / attempts > SKIPPED_SHARE:
        scales = (
            f", the loss scale went from {numerics.scales[0]:g} to {numerics.scales[-1]:g}" if numerics.scales else ""
        )
        yield Symptom("skipped", f"{numerics.skipped} of {attempts} updates were skipped as not finite{scales}")
    under = [item for item in numerics.gradients if (item.underflow or 0) > UNDERFLOW_SHARE]
    if under:
        worst = max(under, key=lambda item: item.underflow or 0)
        yield Symptom(
            "underflow",
            f"gradients of {len(under)} variable{'' if len(under) == 1 else 's'} underflow to zero, most in"
            f" `{worst.name}`: {worst.underflow:.1%} of its numbers",
        )


def _as_fraction(ratio: float) -> str:
    return f"1/{Fraction(1 / ratio).limit_denominator(1).numerator:,}" if ratio > 0 else "0"


def _why_small(ratio: float, numerics: Numerics, wrapped: bool, scalings: int) -> str:
    """What the size says: the loss scale itself, where it is divided out and was never multiplied in."""
    scale = numerics.scales[0] if numerics.scales else None
    if wrapped and not scalings and scale and 0.5 < ratio * scale < 2:
        return f": they are divided by the loss scale {scale:g}, but no loss was ever multiplied by it"
    if scale and 0.02 < ratio * scale < 50:
        return f": something cuts them down while they still carry the loss scale {scale:g}"
    return ""


def _lost(numerics: Numerics) -> str:
    shares = [item.lost_unscaled for item in numerics.gradients if item.lost_unscaled is not None]
    worst = max(shares, default=0.0)
    return f"; up to {worst:.1%} of a variable's gradient is too small for it" if worst > 0 else ""
