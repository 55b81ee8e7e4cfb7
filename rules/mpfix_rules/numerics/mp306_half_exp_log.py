"""MP306: exponentials in float16, and logarithms of half probabilities."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.half_facts import HalfOperation, half_operations
from mpfix.frameworks.half_values import is_bounded
from mpfix.rule import Evidence, Finding, FixIntent, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import NONE, At
from mpfix_rules.repairs.half_numbers import half_evidence
from mpfix_rules.repairs.logarithms import joined_logarithm

EXP = "`exp` of a float16 tensor: infinite from 11.1 on, 0 from -17.4 on"
POWER = "a power with a float16 tensor in the exponent: infinite beyond 65504"
LOG = "the logarithm of a {} `{}`: it is minus infinity where a probability rounds to 0"
FLOAT32 = "the result and what uses it must be in float32 together"
APART = "the probabilities are made elsewhere"


@rule("MP306", "half-exp-log", severity=Severity.WARNING, half=True, fixable=True)
def half_exp_log(program: Program) -> Iterator[Finding]:
    """Exponentials of half tensors that nothing bounds, and logarithms of what a half softmax gave."""
    for one in half_operations(program, "exp", "expm1", "Pow"):
        is_exponent = one.how != "Pow" or (one.is_right and one.number is not None and one.number > 1.0)
        if one.dtype == "float16" and is_exponent and not is_bounded(one.tensor):
            yield _finding(one, POWER if one.how == "Pow" else EXP, None, FLOAT32)
    for one in half_operations(program, "log"):
        # of what leaves a model the rule for heads judges
        if one.computed in ("softmax", "sigmoid") and one.tensor.get("model") == NONE:
            fix = joined_logarithm(program, one)
            yield _finding(one, LOG.format(one.dtype, one.computed), fix, APART)


def _finding(one: HalfOperation, message: str, fix: FixIntent | None, reason: str) -> Finding:
    made, evidence = one.tensor.get("computed at"), half_evidence(one)
    if one.how == "log" and isinstance(made, At):
        evidence = (*evidence, Evidence(made.place, "the probabilities are made here"))
    return Finding(
        one.place,
        message,
        evidence=evidence,
        guard=one.guard,
        fix=fix,
        unfixable_reason=None if fix is not None else reason,
    )
