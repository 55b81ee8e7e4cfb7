"""MP504: an update behind the test of a counter that tracing reads once."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.frozen_counters import FrozenTest, frozen_tests
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program

REASON = "the counter must become a variable and the optimizer be built before, in places that the step does not show"
RAISES = (
    "`fit` does not convert this test of a tensor: `OperatorNotAllowedInGraphError` in the first step; "
    "`tf.cond` decides in each step"
)


@rule("MP504", "frozen-step-counter", severity=Severity.ERROR, words=("function", "train_step"))
def frozen_step_counter(program: Program) -> Iterator[Finding]:
    """Windows that are decided while the step is traced."""
    for test in frozen_tests(program):
        yield Finding(
            test.place,
            _message(test),
            evidence=(Evidence(test.update.occurrence.place, "the update that it decides on"),),
            guard=test.update.rest,
            unfixable_reason=REASON,
        )


def _message(test: FrozenTest) -> str:
    if test.raises:
        return RAISES
    return f"`{test.name}` is a Python number, which tracing reads once: the update runs in every step, or in none"
