"""MP219: on Keras 3 several replicas train in float16, and only the first one is looked at for an overflow."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.replicas import unseen_overflows
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program

MESSAGE = (
    "an overflow is looked for on the first replica only: one on another replica makes all weights infinite or NaN"
)
REASON = "no argument of Keras 3 changes it: mixed_bfloat16, Keras 2 or one device avoid it"


@rule(
    "MP219",
    "replica-overflow-unseen",
    severity={3: Severity.WARNING},
    words=("MirroredStrategy",),
    half=True,
)
def replica_overflow_unseen(program: Program) -> Iterator[Finding]:
    """Strategies of several replicas in whose scopes losses are scaled."""
    for unseen in unseen_overflows(program):
        policy = () if unseen.policy is None else (Evidence(unseen.policy, "the policy is set here"),)
        yield Finding(
            unseen.strategy,
            MESSAGE,
            evidence=(*policy, Evidence(unseen.wrapped, "the optimizer is wrapped here")),
            guard=unseen.guard,
            unfixable_reason=REASON,
        )
