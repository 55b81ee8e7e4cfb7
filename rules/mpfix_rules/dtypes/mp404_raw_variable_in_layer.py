"""MP404: a variable of TensorFlow in a layer, which no policy casts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from mpfix.diagnostic import Applicability, Severity
from mpfix.frameworks.dtype_clashes import Clash, clashes_of_uncast_weights, dtype_clashes
from mpfix.frameworks.half_weights import half_assignments, half_weights
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import Object
from mpfix_rules.repairs.compute_dtypes import RAISES, cast_at, cast_of_assigned, judged, operand_at
from mpfix_rules.repairs.heads import policy_evidence
from mpfix_rules.repairs.places import shown, statement_of

VARIABLES = frozenset({"variable"})
KEPT = "`{shown}` is kept in {dtype}, no float32 weight takes its updates: those that {dtype} rounds away are lost"
ASSIGNED = "`{shown}` is no weight of the layer, stays {own} and is assigned a {given} tensor: {harm}"
UNMADE = "the weight must be made with `add_weight`, which also changes its name in checkpoints"


@rule(
    "MP404", "raw-variable-in-layer", severity=Severity.ERROR, half=True, words=("Variable", "autocast"), fixable=True
)
def raw_variable_in_layer(program: Program) -> Iterator[Finding]:
    """Variables that are no weights of their layer beside half tensors."""
    # weights that are told not to be cast are meant to be read in float32
    clashes = ((clash.fixed, clash.maker) for clash in dtype_clashes(program))
    weights = {maker for fixed, maker in clashes if isinstance(fixed, Object) and fixed.key == "weight"}
    for finding in judged(program, VARIABLES, "`{shown}` is no weight of the layer, stays {fixed}"):
        if finding.place not in weights:
            # whether it should have been a weight, with its place in checkpoints, is for the author to say
            fix = replace(finding.fix, applicability=Applicability.UNSAFE) if finding.fix is not None else None
            yield replace(finding, fix=fix)
    yield from _uncast_weights(program)
    yield from _half_weights(program)
    yield from _half_assignments(program)


def _uncast_weights(program: Program) -> Iterator[Finding]:
    """Weights that their layer was told not to cast, where nothing else casts them: one finding for each statement."""
    together: dict[ast.AST, list[Clash]] = {}
    for clash in clashes_of_uncast_weights(program):
        together.setdefault(statement_of(program, clash.place.node), []).append(clash)
    for clashes in together.values():
        first = clashes[0]
        operand, repair = operand_at(first, fixed=True), cast_at(program, clashes)
        what = f"`{shown(operand)}`" if operand is not None else "a weight of the layer"
        makers = dict.fromkeys(one.maker for one in clashes if one.maker is not None)
        made = (Evidence(maker, "the weight is made here, without autocast") for maker in makers)
        yield Finding(
            first.place,
            f"{what} is not autocast, stays {first.fixed_dtype} and meets a {first.half_dtype} tensor: {RAISES}",
            evidence=(*made, *(policy_evidence(first.policy, first.guard) if first.policy is not None else ())),
            guard=first.guard,
            fix=repair.fix,
            unfixable_reason=repair.reason,
        )


def _half_weights(program: Program) -> Iterator[Finding]:
    """Variables that are in half where the other weights of the layer are in float32."""
    for one in half_weights(program):
        message = KEPT.format(shown=shown(one.maker.node), dtype=one.dtype)
        evidence = policy_evidence(one.policy, one.guard)
        yield Finding(one.maker, message, evidence=evidence, guard=one.guard, unfixable_reason=UNMADE)


def _half_assignments(program: Program) -> Iterator[Finding]:
    """Variables that are given half tensors: a weight would cast them."""
    for case in half_assignments(program):
        variable, repair = case.event.weight, cast_of_assigned(program, case)
        call = case.place.node
        receiver = call.func.value if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else call
        message = ASSIGNED.format(
            shown=shown(receiver), own=case.constant("own"), given=case.constant("given"), harm=RAISES
        )
        yield Finding(
            case.place,
            message,
            evidence=(
                Evidence(variable.place, "the variable is made here"),
                *policy_evidence(case.event.policy, case.guard),
            ),
            guard=case.guard,
            fix=repair.fix,
            unfixable_reason=repair.reason,
        )
