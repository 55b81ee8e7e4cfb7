"""MP515: the micro batch at which a window ends is in no sum."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import GradientTaken
from mpfix.frameworks.window_ends import DroppedGradient, dropped_gradients
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program

APPLIED = "the gradients of this micro batch are lost: the sum is applied and zeroed without them"
ZEROED = "the gradients of the micro batch that ends a window are lost: the sum is zeroed in their place"
REASON = "whether the gradients end the old window or begin the new one is for the author to say"


@rule("MP515", "dropped-update-gradient", severity=Severity.ERROR, words=("apply", "get_updates"))
def dropped_update_gradient(program: Program) -> Iterator[Finding]:
    """Updates of a sum that is zeroed while the gradients of the same iteration go nowhere."""
    for dropped in dropped_gradients(program):
        added, applied = dropped.add.place, dropped.update.occurrence.place
        apart = Evidence(added, "they are added only where the window does not end")
        yield Finding(
            added if dropped.is_one else applied,
            ZEROED if dropped.is_one else APPLIED,
            evidence=(
                Evidence(dropped.taken.place, f"every micro batch {_comes(dropped)} them here"),
                Evidence(applied, "the sum is applied here") if dropped.is_one else apart,
            ),
            guard=dropped.update.rest,
            unfixable_reason=REASON,
        )


def _comes(dropped: DroppedGradient) -> str:
    return "computes" if isinstance(dropped.taken.event, GradientTaken) else "brings"
