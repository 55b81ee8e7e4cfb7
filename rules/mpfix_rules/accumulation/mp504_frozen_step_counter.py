"""MP504: an update behind the test of a counter that tracing reads once, and an optimizer's counter that stays at 0."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.frozen_counters import FrozenTest, frozen_tests
from mpfix.frameworks.step_counters import fallen_counters
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program

REASON = "the counter must become a variable and the optimizer be built before, in places that the step does not show"
RAISES = (
    "`fit` does not convert this test of a tensor: `OperatorNotAllowedInGraphError` in the first step; "
    "`tf.cond` decides in each step"
)
FALLEN = (
    "every step divides the optimizer's step counter, so it never gets far from 0: schedules stay at their start, "
    "and Adam corrects its averages as in its first step"
)
FALLEN_REASON = (
    "whether the counter shall count updates or micro batches, and what makes it do so, the step does not tell"
)


@rule("MP504", "frozen-step-counter", severity=Severity.ERROR, words=("function", "train_step", "iterations"))
def frozen_step_counter(program: Program) -> Iterator[Finding]:
    """Windows that are decided while the step is traced, and counters that each step divides."""
    for test in frozen_tests(program):
        yield Finding(
            test.place,
            _message(test),
            evidence=(Evidence(test.update.occurrence.place, "the update that it decides on"),),
            guard=test.update.rest,
            unfixable_reason=REASON,
        )
    for counter in fallen_counters(program):
        yield Finding(
            counter.place,
            FALLEN,
            evidence=(Evidence(counter.update, "the update that it counts"),),
            guard=counter.guard,
            unfixable_reason=FALLEN_REASON,
        )


def _message(test: FrozenTest) -> str:
    if test.raises:
        return RAISES
    return f"`{test.name}` is a Python number, which tracing reads once: the update runs in every step, or in none"
