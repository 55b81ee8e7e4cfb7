"""MP403: `floatx` where a layer needs its compute dtype."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.compute_dtypes import judged

OF_FLOATX = frozenset({"floatx"})


@rule("MP403", "floatx-in-layer", severity=Severity.ERROR, words=("floatx",), half=True, fixable=True)
def floatx_in_layer(program: Program) -> Iterator[Finding]:
    """Tensors in floatx beside half tensors."""
    yield from judged(program, OF_FLOATX, "`{shown}` is in floatx, {fixed} whatever the policy,")
