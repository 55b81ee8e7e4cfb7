"""MP406: statistics that a layer keeps in a weight and updates from what it reads in half."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.half_statistics import half_statistics
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program

REASON = "the weight must be made with `autocast=False`, and what it meets be cast to float32: that is more than a line"


@rule("MP406", "half-statistics", severity=Severity.WARNING, half=True, words=("assign",))
def half_statistics_in_call(program: Program) -> Iterator[Finding]:
    """Updates of float32 weights inside `call` that go through half."""
    for found in half_statistics(program):
        evidence = [Evidence(found.policy, "the policy is set here")] if found.policy is not None else []
        if found.read != found.occurrence.place:
            evidence.append(Evidence(found.read, "the weight is read here"))
        yield Finding(
            found.occurrence.place,
            f"the weight is read in {found.dtype} inside `call` and `{found.method}` stores it rounded: "
            "small changes are lost",
            evidence=tuple(evidence),
            guard=found.guard,
            unfixable_reason=REASON,
        )
