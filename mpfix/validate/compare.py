"""Two variants side by side: one answer to each question that people ask."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from mpfix.validate.figures import distance
from mpfix.validation import Answer, Numerics, Spread, VariantResult, Verdict

MEMORY_FLOOR = 2 * 2**20
MEMORY_SHARE = 0.03
TIME_SHARE = 0.15
LOSS_TOLERANCE = 0.02
"""Relative distance of losses that rounding explains."""

MEMORY, SPEED = "Did memory change?", "Did speed change?"
LEARNING, BROKEN = "Does it learn the same?", "What was broken, and is it gone?"
NO_GPU = "A figure from a CPU says nothing about a GPU, where even its sign can be the opposite"


def answers(before: VariantResult, after: VariantResult, fixes: Mapping[str, int]) -> tuple[Answer, ...]:
    """The four answers, for `after` against `before`."""
    return (
        _memory(before, after),
        _speed(before, after),
        _learning(before, after, fixes),
        _broken(before, after),
    )


def answers_alone(only: VariantResult) -> tuple[Answer, ...]:
    """What can be said of a script that nothing was compared with."""
    if not only.symptoms:
        return (Answer("Is anything broken?", "Nothing that these steps show", Verdict.SAME),)
    sentence = "; ".join(symptom.sentence for symptom in only.symptoms)
    return (Answer("Is anything broken?", _capital(sentence), Verdict.DIFFERENT),)


def seems_different(found: Sequence[Answer]) -> bool:
    """Whether the runs for memory and time part: beyond their spread, which a few runs tell only roughly."""
    return any(
        answer.question.endswith((MEMORY, SPEED)) and answer.verdict in (Verdict.BETTER, Verdict.WORSE)
        for answer in found
    )


def _memory(before: VariantResult, after: VariantResult) -> Answer:
    old, new = before.memory, after.memory
    if old is None or new is None or not before.steps or not after.steps:
        return Answer(MEMORY, "Unknown: one of the two could not be measured", Verdict.UNKNOWN)
    if before.steps < after.steps and not before.ending.is_orderly:
        return Answer(MEMORY, f"Not comparable: {before.label} ended in step {before.steps}", Verdict.UNKNOWN)
    note = "" if old.is_gpu else f". {NO_GPU}"
    pair = f"{_megabytes(old.peak)} {before.label}, {_megabytes(new.peak)} {after.label} ({old.label})"
    verdict = _difference(old.peak, new.peak, max(MEMORY_FLOOR, MEMORY_SHARE * old.peak.middle))
    return Answer(
        MEMORY, f"{_worded(verdict, 'more memory', 'less memory', old.peak, new.peak)}: {pair}{note}", verdict
    )


def _speed(before: VariantResult, after: VariantResult) -> Answer:
    old, new = before.step_seconds, after.step_seconds
    if old is None or new is None:
        return Answer(SPEED, "Unknown: too few steps after the first ones, which are left out", Verdict.UNKNOWN)
    pair = f"{_milliseconds(old)} {before.label}, {_milliseconds(new)} {after.label} for a step (median)"
    verdict = _difference(old, new, TIME_SHARE * old.middle)
    note = "" if before.gpus else ". Half precision is slow on a CPU; on a GPU measure again"
    return Answer(SPEED, f"{_worded(verdict, 'slower', 'faster', old, new)}: {pair}{note}", verdict)


def _difference(old: Spread, new: Spread, floor: float) -> Verdict:
    """More is worse. What the spread of both explains is no difference; one run has no known spread."""
    if not old.is_repeated or not new.is_repeated:
        return Verdict.UNKNOWN
    change = new.middle - old.middle
    if abs(change) <= old.width + new.width + floor:
        return Verdict.SAME
    return Verdict.WORSE if change > 0 else Verdict.BETTER


def _worded(verdict: Verdict, more: str, less: str, old: Spread, new: Spread) -> str:
    change = abs(new.middle - old.middle) / old.middle if old.middle else math.inf
    match verdict:
        case Verdict.WORSE:
            return f"{change:.0%} {more}"
        case Verdict.BETTER:
            return f"{change:.0%} {less}"
        case Verdict.SAME:
            return "No difference"
    return "No verdict from a single run, whose spread is not known (`--repeat 3`)"


def _megabytes(spread: Spread) -> str:
    return f"{spread.middle / 1e6:.1f} MB{_spread_text(spread, 1e6, 'MB')}"


def _milliseconds(spread: Spread) -> str:
    return f"{spread.middle * 1e3:.1f} ms{_spread_text(spread, 1e-3, 'ms')}"


def _spread_text(spread: Spread, unit: float, name: str) -> str:
    return f" (spread {spread.width / unit:.1f} {name})" if spread.is_repeated else ""


def _learning(before: VariantResult, after: VariantResult, fixes: Mapping[str, int]) -> Answer:
    old, new = before.numerics, after.numerics
    if new is None and old is not None:
        return Answer(LEARNING, f"No: {after.label} makes no training step: {after.ending.sentence}", Verdict.WORSE)
    if old is None or new is None or not old.losses or not new.losses:
        return Answer(LEARNING, "Unknown: no loss was seen in both", Verdict.UNKNOWN)
    if before.batch_size != after.batch_size:
        return Answer(LEARNING, "Not comparable: other batches give other losses", Verdict.UNKNOWN)
    spread = max(before.loss_spread or 0.0, after.loss_spread or 0.0)
    sentence, verdict = _losses(before.label, old, after.label, new, spread)
    counted, counted_verdict = _updates(before, after, old, new, fixes)
    if before.ending.is_orderly and not after.ending.is_orderly:
        return Answer(LEARNING, f"{sentence}{counted}. {_capital(after.label)} fails", Verdict.WORSE)
    if not before.ending.is_orderly:
        lead = f"{_capital(before.label)} fails in step {before.steps}, so there is little to compare"
        return Answer(LEARNING, f"{lead}. {sentence}{counted}", Verdict.DIFFERENT)
    if verdict is Verdict.WORSE and counted_verdict is Verdict.DIFFERENT:
        # other updates were meant, and lead elsewhere
        verdict = Verdict.DIFFERENT
    return Answer(LEARNING, f"{sentence}{counted}", counted_verdict if counted_verdict is Verdict.WORSE else verdict)


def _losses(old_name: str, old: Numerics, new_name: str, new: Numerics, spread: float) -> tuple[str, Verdict]:
    pairs = list(zip(old.losses, new.losses, strict=False))
    steps = f"{len(pairs)} step{'' if len(pairs) == 1 else 's'}"
    if all(a == b for a, b in pairs):
        return f"Yes: the losses of {steps} are bit for bit the same", Verdict.SAME
    broken = next((i for i, (a, b) in enumerate(pairs, 1) if math.isfinite(a) and not math.isfinite(b)), None)
    if broken is not None:
        return f"No: the loss of {new_name} is {new.losses[broken - 1]} from step {broken} on", Verdict.WORSE
    if any(not math.isfinite(a) for a, _ in pairs):
        return f"No: the loss of {old_name} is not finite, that of {new_name} is", Verdict.BETTER
    if spread > LOSS_TOLERANCE:
        return f"Unknown: run again, the same script gives losses {spread:.2g} of their size apart", Verdict.UNKNOWN
    distances = [distance(a, b) for a, b in pairs]
    if distances[0] > LOSS_TOLERANCE:
        first = f"{pairs[0][0]:.4g} {old_name}, {pairs[0][1]:.4g} {new_name}"
        return f"No: the loss differs from the first step on, before any update: {first}", Verdict.WORSE
    if max(distances) <= LOSS_TOLERANCE:
        return f"Yes: the losses of {steps} are the same within {max(distances):.2g} of their size", Verdict.SAME
    start = next(i for i, apart in enumerate(distances, 1) if apart > LOSS_TOLERANCE)
    last = f"{pairs[-1][0]:.4g} {old_name}, {pairs[-1][1]:.4g} {new_name}"
    lead = f"No: the losses part in step {start}; in step {len(pairs)} they are {last}"
    if pairs[-1][1] > pairs[-1][0] * (1 + LOSS_TOLERANCE):
        return lead, Verdict.WORSE
    return lead, Verdict.BETTER if pairs[-1][1] < pairs[-1][0] * (1 - LOSS_TOLERANCE) else Verdict.DIFFERENT


def _updates(
    before: VariantResult, after: VariantResult, old: Numerics, new: Numerics, fixes: Mapping[str, int]
) -> tuple[str, Verdict]:
    """The number of updates, where it changed. A fix of accumulation is meant to change it."""
    rates = [item.updates / item.evaluations if item.evaluations else 0.0 for item in (old, new)]
    if math.isclose(rates[0], rates[1], rel_tol=0.05):
        return "", Verdict.SAME
    counts = f". Updates for each micro batch: {rates[0]:.3g} {before.label}, {rates[1]:.3g} {after.label}"
    meant = [code for code in fixes if code.startswith("MP5")]
    if meant:
        return f"{counts}, as the fix of {', '.join(meant)} means it", Verdict.DIFFERENT
    return counts, Verdict.WORSE if rates[1] < rates[0] else Verdict.DIFFERENT


def _broken(before: VariantResult, after: VariantResult) -> Answer:
    old = {symptom.key: symptom.sentence for symptom in before.symptoms}
    new = {symptom.key: symptom.sentence for symptom in after.symptoms}
    parts = [
        *_listed(f"gone from {before.label}", (old[key] for key in old if key not in new)),
        *_listed("still there", (new[key] for key in new if key in old)),
        *_listed(f"new in {after.label}", (new[key] for key in new if key not in old)),
    ]
    if not parts:
        return Answer(BROKEN, "Nothing was, as far as these steps show", Verdict.SAME)
    if any(key not in old for key in new):
        return Answer(BROKEN, _capital("; ".join(parts)), Verdict.WORSE)
    verdict = Verdict.BETTER if any(key not in new for key in old) else Verdict.SAME
    return Answer(BROKEN, _capital("; ".join(parts)), verdict)


def _listed(title: str, sentences: Iterator[str]) -> Iterator[str]:
    text = "; ".join(sentences)
    if text:
        yield f"{title}: {text}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
