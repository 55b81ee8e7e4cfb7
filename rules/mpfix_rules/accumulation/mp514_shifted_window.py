"""MP514: a window of micro batches that is over at the first one."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.window_starts import shifted_windows
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.window_tests import count_from_one

SHIFTED = "the first window ends at step 0: it updates with a single micro batch, and every later window is shifted"
EXTRA = "step 0 ends a window of its own: it updates with a single micro batch, and the window after it is too short"
EXTRA_REASON = "the early update may be there to make the optimizer's variables: these must then be made before"


@rule("MP514", "shifted-window", severity=Severity.WARNING, words=("apply",), fixable=True)
def shifted_window(program: Program) -> Iterator[Finding]:
    """Updates behind `step % n == 0` of sums that hold the gradients of step 0 by then."""
    for shifted in shifted_windows(program):
        fix, reason = (None, EXTRA_REASON) if shifted.extra else count_from_one(program, shifted.update)
        yield Finding(
            shifted.test,
            EXTRA if shifted.extra else SHIFTED,
            evidence=(
                Evidence(shifted.add.place, "the gradients of step 0 are added here"),
                Evidence(shifted.update.occurrence.place, "the sum is applied here"),
            ),
            guard=shifted.update.rest,
            fix=fix,
            unfixable_reason=reason,
        )
