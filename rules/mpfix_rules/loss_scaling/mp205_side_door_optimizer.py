"""MP205: optimizers that a model's own `compile` keeps and nobody wraps."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.side_doors import SideDoor, side_doors
from mpfix.frameworks.steps import optimizer_evidence
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.training_step import repaired_all


@rule("MP205", "side-door-optimizer", severity=Severity.ERROR, words=("compile",), half=True, fixable=True)
def side_door_optimizer(program: Program) -> Iterator[Finding]:
    """Bare optimizers that reach a mixed_float16 model past the standard `compile`."""
    for door in side_doors(program).values():
        fix, reason = repaired_all(program, door.steps)
        yield Finding(
            door.kept,
            f"`{door.name}` is not the optimizer of the standard `compile`, so nobody wraps it: "
            "small float16 gradients become zero",
            evidence=tuple(_evidence(door)),
            guard=door.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _evidence(door: SideDoor) -> Iterator[Evidence]:
    step = door.steps[0]
    half = step.place("half")
    if half is not None:
        yield Evidence(half, "under this policy layers compute in float16")
    yield from (Evidence(place, message) for place, message in optimizer_evidence(step))
    yield Evidence(step.gradient, "the loss is not scaled here")
