"""MP502: gradients of a window that are averaged never, twice, or into the void."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.accumulation import divisions, sums, vain_divisions
from mpfix.frameworks.double_divisions import double_divisions
from mpfix.frameworks.events import Applied
from mpfix.frameworks.surroundings import is_dropped
from mpfix.frameworks.windows import Update, all_updates, updates
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import FALSE_VALUE, NONE, At, Record, Value
from mpfix_rules.repairs.averages import divide_when_applied, undivided_loss, use_division

TWICE = "the gradients are averaged twice: the update shrinks with the length of the window"


@rule("MP502", "lopsided-average", severity=Severity.WARNING, words=("apply",), fixable=True)
def lopsided_average(program: Program) -> Iterator[Finding]:
    """Sums that are never divided, divided twice, or divided in vain."""
    twice: set[Place] = set()
    for update in updates(program):
        is_sum = update.accumulator is not None and update.accumulator in sums(program)
        # what a bound cut off may divide a sum
        if is_sum and not program.cuts:
            yield from _never(program, update)
        for finding in _twice(program, update):
            twice.add(finding.place)
            yield finding
    yield from _twice_somewhere(program, twice)
    for update in all_updates(program):
        if update.accumulator is None:
            yield from _unused(program, update)


def _never(program: Program, update: Update) -> Iterator[Finding]:
    assert update.accumulator is not None
    found = sums(program)[update.accumulator]
    added = [gradients for _, gradients in found.added()]
    if not all(_is_undivided_mean(one) for one in added) or not _is_undivided_mean(update.gradients):
        return
    known = list(divisions(program, update.accumulator))
    if not all(is_dropped(program, one.place) for one in known):
        return
    for vain in known[:1]:
        fix, reason = use_division(program, update, vain.place)
        yield Finding(
            vain.place,
            "the sum of the gradients is divided here, but the undivided sum is applied",
            evidence=(Evidence(update.occurrence.place, "the sum is applied here"),),
            guard=update.guard,
            fix=fix,
            unfixable_reason=reason,
        )
        return
    fix, reason = divide_when_applied(program, update)
    yield Finding(
        update.occurrence.place,
        "the sum of the gradients is applied, not their mean: the update grows with the length of the window",
        evidence=(Evidence(found.adds[0].place, "the gradients are added here"),),
        guard=update.guard,
        fix=fix,
        unfixable_reason=reason,
    )


def _unused(program: Program, update: Update) -> Iterator[Finding]:
    """Gradients of a single step whose average nobody reads."""
    for vain in vain_divisions(program, update):
        fix, reason = use_division(program, update, vain.place)
        yield Finding(
            vain.place,
            "the gradients are divided here, but they are applied undivided",
            evidence=(Evidence(update.occurrence.place, "the gradients are applied here"),),
            guard=update.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _is_undivided_mean(gradients: Value) -> bool:
    """Whether gradients are those of a mean over samples that nothing divided since."""
    if not isinstance(gradients, Record):
        return False
    whole = gradients.get("loss at") != NONE and gradients.get("vector") == FALSE_VALUE
    changed = ("divided", "divided again", "summed", "averaged", "divided by hand", "factor")
    return whole and all(gradients.get(name) == NONE for name in changed)


def _twice(program: Program, update: Update) -> Iterator[Finding]:
    by, first = update.property("divided"), _place(update.property("divided at"))
    if first is None or update.property("vector") != FALSE_VALUE or update.property("summed") != NONE:
        return
    second = _again(program, update, by)
    if second is None:
        return
    fix, reason = undivided_loss(program, update, first)
    place, message = second
    yield Finding(
        first,
        TWICE,
        evidence=(Evidence(place, message),),
        guard=update.guard,
        fix=fix,
        unfixable_reason=reason,
    )


def _twice_somewhere(program: Program, known: set[Place]) -> Iterator[Finding]:
    """Losses and sums of their gradients over the same number, whoever applies them."""
    for double in double_divisions(program):
        if double.first not in known:
            yield Finding(
                double.first,
                TWICE,
                evidence=(Evidence(double.second, "the sum is divided again here"),),
                guard=double.guard,
                unfixable_reason="the update is not in sight: which of the divisions is meant is for the author to say",
            )


def _again(program: Program, update: Update, by: Value) -> tuple[Place, str] | None:
    """Where gradients that are divided `by` something are divided by the same once more."""
    second = _place(update.property("divided again at"))
    if second is not None and update.accumulator in sums(program) and update.property("divided again") == by:
        return second, "the sum is divided again here"
    event = update.occurrence.event
    state = event.state if isinstance(event, Applied) else NONE
    if program.generation == 3 and isinstance(state, Record) and state.get("accumulates") == by:
        made = _place(state.get("made at"))
        return (made, "the optimizer averages by itself") if made is not None else None
    return None


def _place(value: Value) -> Place | None:
    return value.place if isinstance(value, At) else None
