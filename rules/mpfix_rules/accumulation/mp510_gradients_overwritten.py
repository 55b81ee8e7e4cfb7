"""MP510: only the gradients of the last micro batch of a window are applied."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.accumulation import kept_elsewhere, overwrites, sums
from mpfix.frameworks.events import Applied, GradientTaken
from mpfix.frameworks.windows import Update, all_updates, updates
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.run import Occurrence
from mpfix.semantic.values import NONE, Record
from mpfix_rules.repairs.accumulation import accumulate_by_hand, add_instead

MESSAGE = "only the gradients of the last micro batch are applied: those of the others in the window are lost"


@rule("MP510", "gradients-overwritten", severity=Severity.ERROR, words=("apply",), fixable=True)
def gradients_overwritten(program: Program) -> Iterator[Finding]:
    """Updates behind a window, of gradients that each iteration takes afresh."""
    # what a bound cut off may keep the gradients
    for update in updates(program) if not program.cuts else ():
        if not update.window or _accumulates(update) or _takes_turns(program, update):
            continue
        lost = _overwritten(program, update) if update.accumulator is not None else _taken(program, update)
        if lost is None:
            continue
        fix, reason = (
            add_instead(program, update, lost)
            if update.accumulator is not None
            else accumulate_by_hand(program, update, lost)
        )
        yield Finding(
            update.occurrence.place,
            MESSAGE,
            evidence=(Evidence(lost.place, "every micro batch computes them here"),),
            guard=update.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _accumulates(update: Update) -> bool:
    event = update.occurrence.event
    state = event.state if isinstance(event, Applied) else NONE
    return isinstance(state, Record) and state.get("accumulates") != NONE


def _takes_turns(program: Program, update: Update) -> bool:
    """Whether the loop updates something else between the windows, as a critic is more often than its partner."""
    others = (one for one in all_updates(program) if one.occurrence.place != update.occurrence.place)
    return any(
        one.occurrence.loops == update.occurrence.loops and one.guard.isdisjoint(update.window) for one in others
    )


def _taken(program: Program, update: Update) -> Occurrence | None:
    """Where each iteration takes the gradients, when nobody else keeps them."""
    has_zeros = update.property("zeros") != NONE
    if update.taken is None or has_zeros or update.taken in kept_elsewhere(program):
        return None
    if any(other.taken == update.taken and not other.window for other in updates(program)):
        return None
    found = [o for o in program.happened(GradientTaken) if o.place == update.taken]
    return next((one for one in found if _is_outside(one, update)), None)


def _overwritten(program: Program, update: Update) -> Occurrence | None:
    """Where each iteration writes over the variable that is applied, when none adds to it."""
    if update.accumulator is None or update.accumulator in sums(program):
        return None
    return next((one for one in overwrites(program, update.accumulator) if _is_outside(one, update)), None)


def _is_outside(occurrence: Occurrence, update: Update) -> bool:
    """Whether something happens in every iteration of the loop, whatever the window says."""
    around = update.occurrence.loops
    return occurrence.loops[: len(around)] == around and occurrence.guard.isdisjoint(update.window)
