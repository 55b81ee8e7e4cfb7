"""MP508: gradients that are local to a step, read outside of it."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.accumulation import Missing, doubled_updates, missing_gradients
from mpfix.rule import Evidence, Finding, FixIntent, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.accumulation import once_per_window

REASON = "what should happen with the gradients outside of the step cannot be read off the code"


@rule(
    "MP508",
    "gradients-out-of-scope",
    severity=Severity.ERROR,
    words=("gradient",),
    fixable=True,
)
def gradients_out_of_scope(program: Program) -> Iterator[Finding]:
    """Names that only a function called before binds to gradients."""
    for missing in missing_gradients(program):
        fix, reason = _repair(program, missing)
        yield Finding(
            missing.occurrence.place,
            f"`{missing.name}` is local to the function that takes the gradients: NameError here",
            evidence=(Evidence(missing.taken.place, "the gradients are taken here"),),
            guard=missing.occurrence.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _repair(program: Program, missing: Missing) -> tuple[FixIntent | None, str | None]:
    """The repair of the loop that also updates in each step (MP511), where this is its other half."""
    for doubled in doubled_updates(program):
        if doubled.kind == "missing" and doubled.again.occurrence.loops == missing.occurrence.loops:
            return once_per_window(program, doubled)
    return None, REASON
