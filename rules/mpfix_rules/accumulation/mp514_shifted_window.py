"""MP514: a window of micro batches that is over at the first one."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.window_starts import shifted_windows
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.window_tests import count_from_one


@rule("MP514", "shifted-window", severity=Severity.WARNING, words=("apply",), fixable=True)
def shifted_window(program: Program) -> Iterator[Finding]:
    """Updates behind `step % n == 0` of sums that hold the gradients of step 0 by then."""
    for shifted in shifted_windows(program):
        fix, reason = count_from_one(program, shifted.update)
        yield Finding(
            shifted.update.occurrence.place,
            "the first window ends at step 0: it updates with a single micro batch, and every later window is shifted",
            evidence=(Evidence(shifted.add.place, "the gradients of step 0 are added here"),),
            guard=shifted.update.rest,
            fix=fix,
            unfixable_reason=reason,
        )
