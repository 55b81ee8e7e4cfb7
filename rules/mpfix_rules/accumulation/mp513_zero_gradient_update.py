"""MP513: an optimizer with a state is fed zeros while a window is not full."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.zero_updates import ZeroUpdate, zero_updates
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program

REASON = "the update must be left out between the windows, which changes how the step is built"


@rule("MP513", "zero-gradient-update", severity=Severity.WARNING, words=("apply",))
def zero_gradient_update(program: Program) -> Iterator[Finding]:
    """Updates in every micro batch that get zeros until the window is full."""
    for update in zero_updates(program):
        made = Evidence(update.zeros, "the zeros are made here")
        applied = Evidence(update.case.place, "they are applied here")
        yield Finding(
            update.zeros if update.apart else update.case.place,
            f"{_subject(update)} gets zeros until the window is full: {_harm(update)}",
            evidence=(applied if update.apart else made,),
            guard=update.guard,
            unfixable_reason=REASON,
        )


def _subject(update: ZeroUpdate) -> str:
    return "the optimizer" if update.optimizer is None else f"`{update.optimizer}`"


def _harm(update: ZeroUpdate) -> str:
    if update.optimizer is None:
        return "any but plain SGD moves the weights or forgets its averages in each such update"
    if update.moves:
        return "each such update moves the weights and its averages decay"
    return "each such update lets its mean of squares decay, and the next update is too large"
