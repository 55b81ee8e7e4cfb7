"""MP511: gradients applied at every micro batch and again for the window."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.accumulation import doubled_updates
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.accumulation import once_per_window


@rule(
    "MP511",
    "applied-every-step",
    severity=Severity.ERROR,
    words=("apply",),
    fixable=True,
)
def applied_every_step(program: Program) -> Iterator[Finding]:
    """Updates of every micro batch in loops that update once more when the window is full."""
    for doubled in doubled_updates(program):
        fix, reason = once_per_window(program, doubled)
        yield Finding(
            doubled.place,
            "updates the weights at every micro batch, and again at the end of each window: nothing is accumulated",
            evidence=(Evidence(doubled.again_place, "the window is applied here"),),
            guard=doubled.each.guard,
            fix=fix,
            unfixable_reason=reason,
        )
