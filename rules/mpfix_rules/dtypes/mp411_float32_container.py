"""MP411: half tensors put into a container that was made for float32."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.dtype_containers import float32_containers
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.compute_dtypes import repaired_container
from mpfix_rules.repairs.heads import policy_evidence
from mpfix_rules.repairs.places import shown


@rule(
    "MP411",
    "float32-container",
    severity=Severity.ERROR,
    words=("TensorArray", "map_fn"),
    half=True,
    fixable=True,
)
def float32_container(program: Program) -> Iterator[Finding]:
    """Tensor arrays and results of `map_fn` in float32 that get half tensors."""
    for filled in float32_containers(program):
        repair = repaired_container(program, filled)
        yield Finding(
            filled.maker,
            f"`{shown(filled.maker.node)}` holds float32 and gets {filled.half_dtype} tensors: TensorFlow raises an "
            "error",
            evidence=(
                Evidence(filled.case.place, f"a {filled.half_dtype} tensor goes in here"),
                *policy_evidence(filled.policy, filled.case.guard),
            ),
            guard=filled.case.guard,
            fix=repair.fix,
            unfixable_reason=repair.reason,
        )
