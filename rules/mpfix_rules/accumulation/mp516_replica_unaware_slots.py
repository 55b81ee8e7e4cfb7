"""MP516: replicas of a strategy add their gradients to a variable that is not one for each of them."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.replica_sums import replica_sums
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program

MESSAGES = {
    "shared": "made outside the strategy's scope, the variable is one for all replicas: each adds its gradients to it "
    "and applies those of all, which the update adds up once more",
    "first": "the variable keeps what the first replica adds: the gradients of all other replicas are lost",
    "summed": "each replica gets the sum of all replicas, which the update adds up once more: gradients times the "
    "number of replicas",
}
REASONS = {
    "shared": "where the variable can be made in the strategy's scope is for the author to say",
    "first": "whether the sum is meant for gradients alone is for the author to say",
    "summed": "whether the loss is scaled for it is for the author to say",
}


@rule("MP516", "replica-unaware-slots", severity=Severity.WARNING, words=("Variable",))
def replica_unaware_slots(program: Program) -> Iterator[Finding]:
    """Variables that replicas add gradients to and apply, and that are not kept for each replica."""
    for one in replica_sums(program):
        yield Finding(
            one.made,
            MESSAGES[one.kind],
            evidence=(
                Evidence(one.strategy, "the strategy is made here"),
                Evidence(one.added, "each replica adds its gradients here"),
                Evidence(one.applied, "each replica applies them here"),
            ),
            guard=one.guard,
            unfixable_reason=REASONS[one.kind],
        )
