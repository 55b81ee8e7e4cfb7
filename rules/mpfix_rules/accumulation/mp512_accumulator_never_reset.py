"""MP512: a sum of gradients that does not start again where its window does."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.accumulation import starts_again, sums
from mpfix.frameworks.windows import Update, updates
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import At, Constant
from mpfix_rules.repairs.accumulation import reset_after, zeros_before_loop


@rule("MP512", "accumulator-never-reset", severity=Severity.ERROR, words=("apply",), fixable=True)
def accumulator_never_reset(program: Program) -> Iterator[Finding]:
    """Sums that are applied again and again without a new start, and sums that start at every micro batch."""
    for update in updates(program):
        # what a bound cut off may set a sum back
        if not program.cuts:
            yield from _never(program, update)
        yield from _always(program, update)


def _never(program: Program, update: Update) -> Iterator[Finding]:
    found = sums(program).get(update.accumulator) if update.accumulator is not None else None
    loop = update.loop
    if found is None or loop is None or not found.carried_by(loop) or starts_again(program, found, loop):
        return
    fix, reason = reset_after(program, update, found)
    yield Finding(
        update.occurrence.place,
        "the sum is never set back to zero: every update applies all earlier gradients again",
        evidence=(Evidence(found.adds[0].place, "the gradients are added here"),),
        guard=update.guard - found.kept.once,
        fix=fix,
        unfixable_reason=reason,
    )


def _always(program: Program, update: Update) -> Iterator[Finding]:
    """Zeros that each iteration makes, in a loop that applies once in several."""
    zeros, made_in = update.property("zeros"), update.property("zeros in")
    if not update.window or not isinstance(zeros, At) or made_in != Constant(update.occurrence.loops):
        return
    fix, reason = zeros_before_loop(program, update, zeros.place)
    added = update.gradients
    yield Finding(
        zeros.place,
        "the sum is set back to zero at every micro batch: only the last one of a window counts",
        evidence=(Evidence(added.place, "the gradients are added here"),) if hasattr(added, "place") else (),
        guard=update.rest,
        fix=fix,
        unfixable_reason=reason,
    )
