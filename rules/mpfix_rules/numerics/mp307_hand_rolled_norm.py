"""MP307: norms and variances whose squares are taken in float16."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import LayerBuilt
from mpfix.frameworks.half_facts import HalfOperation, divisors_of_squares, half_operations
from mpfix.frameworks.policies import COMPUTE_DTYPES
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.half_numbers import half_evidence
from mpfix_rules.repairs.heads import policy_evidence
from mpfix_rules.repairs.norms import layer_in_float32, norm_in_float32

SQUARES = "squares are infinite in float16 from 256 on, their sum sooner: what is divided by its root becomes 0 or NaN"
FUNCTION = "`{}` squares in float16: infinite from 256 on, 0 below 1.7e-4"
DISTANCE = "`{}` squares in float16: no distance is longer than 255.9 pixels"
LAYER = "`UnitNormalization` squares in float16: large inputs become 0, small ones infinite"
BY_HAND = "the normalization is spread over several statements"
NO_NAME = "what is normalized has no name to take the dtype from"
MEETS = "what the distances meet must be in float32 as well"
UPCASTS = ("keras.ops.var",)
"""Takes its squares in float32."""


@rule("MP307", "hand-rolled-norm", severity=Severity.ERROR, half=True, fixable=True)
def hand_rolled_norm(program: Program) -> Iterator[Finding]:
    """Norms of half tensors: by function, by hand, and the one layer that does not cast."""
    for one in half_operations(program, "normalize", "norm", "std", "variance"):
        if one.dtype == "float16" and one.key not in UPCASTS:
            yield _function(program, one)
    for one in half_operations(program, "distance"):
        if one.dtype == "float16":
            message = DISTANCE.format(one.key.rpartition(".")[2])
            yield Finding(one.place, message, evidence=half_evidence(one), guard=one.guard, unfixable_reason=MEETS)
    for place, one in divisors_of_squares(program):
        evidence = half_evidence(one)
        if place != one.place:
            evidence = (*evidence, Evidence(one.place, "it is divided by the root here"))
        yield Finding(place, SQUARES, evidence=evidence, guard=one.guard, unfixable_reason=BY_HAND)
    yield from _layers(program)


def _function(program: Program, one: HalfOperation) -> Finding:
    fix = norm_in_float32(program, one)
    return Finding(
        one.place,
        FUNCTION.format(one.key.rpartition(".")[2]),
        evidence=half_evidence(one),
        guard=one.guard,
        fix=fix,
        unfixable_reason=None if fix is not None else NO_NAME,
    )


def _layers(program: Program) -> Iterator[Finding]:
    for case in program.cases(LayerBuilt, "policy.name"):
        name = case.constant("policy.name")
        if case.event.key == "keras.layers.UnitNormalization" and COMPUTE_DTYPES.get(name, name) == "float16":
            evidence = policy_evidence(case.event.policy, case.guard)
            yield Finding(case.place, LAYER, evidence=evidence, guard=case.guard, fix=layer_in_float32(case.place))
