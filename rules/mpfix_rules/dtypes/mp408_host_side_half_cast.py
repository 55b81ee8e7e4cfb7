"""MP408: the input pipeline computes in half on the host."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.host_casts import host_halves
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.host_casts import in_float32

RANGES = {
    "float16": "float16 has no integers beyond 2048 and nothing beyond 65504",
    "bfloat16": "bfloat16 has no integers beyond 256",
}


@rule("MP408", "host-side-half-cast", severity=Severity.WARNING, words=("map",), half=True, fixable=True)
def host_side_half_cast(program: Program) -> Iterator[Finding]:
    """Casts to half in `Dataset.map` with arithmetic behind them."""
    for half in host_halves(program):
        fix, reason = in_float32(program, half)
        yield Finding(
            half.cast.place,
            f"the input pipeline computes in half: {RANGES[half.dtype]}, and the layers cast their inputs themselves",
            evidence=(Evidence(half.use.place, "the half values are computed with here"),),
            guard=half.cast.guard,
            fix=fix,
            unfixable_reason=reason,
        )
