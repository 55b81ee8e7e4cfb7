"""MP513: an optimizer with a state is fed zeros while a window is not full."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.zero_updates import zero_updates
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program

REASON = "the update must be left out between the windows, which changes how the step is built"


@rule("MP513", "zero-gradient-update", severity=Severity.WARNING, words=("apply",))
def zero_gradient_update(program: Program) -> Iterator[Finding]:
    """Updates in every micro batch that get zeros until the window is full."""
    for update in zero_updates(program):
        harm = (
            "moves the weights and its averages decay"
            if update.moves
            else "lets its mean of squares decay, and the next update is too large"
        )
        yield Finding(
            update.case.place,
            f"`{update.optimizer}` gets zeros until the window is full: each such update {harm}",
            evidence=(Evidence(update.zeros, "the zeros are made here"),),
            guard=update.guard,
            unfixable_reason=REASON,
        )
