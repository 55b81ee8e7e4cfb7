"""MP515: the micro batch at which a window ends is in no sum."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import GradientTaken
from mpfix.frameworks.window_ends import DroppedGradient, dropped_gradients
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program

REASON = "whether the gradients end the old window or begin the new one is for the author to say"


@rule("MP515", "dropped-update-gradient", severity=Severity.ERROR, words=("apply",))
def dropped_update_gradient(program: Program) -> Iterator[Finding]:
    """Updates of a sum that is zeroed while the gradients of the same iteration go nowhere."""
    for dropped in dropped_gradients(program):
        yield Finding(
            dropped.update.occurrence.place,
            "the gradients of this micro batch are lost: the sum is applied and zeroed without them",
            evidence=(
                Evidence(dropped.taken.place, f"every micro batch {_comes(dropped)} them here"),
                Evidence(dropped.add.place, "they are added only where the window does not end"),
            ),
            guard=dropped.update.rest,
            unfixable_reason=REASON,
        )


def _comes(dropped: DroppedGradient) -> str:
    return "computes" if isinstance(dropped.taken.event, GradientTaken) else "brings"
