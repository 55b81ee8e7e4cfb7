"""MP401: a float32 tensor, named so, that meets a half tensor inside a layer."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.compute_dtypes import judged

LITERAL = frozenset({"cast", "literal", "number"})


@rule("MP401", "float32-literal-in-call", severity=Severity.ERROR, half=True, fixable=True)
def float32_literal_in_call(program: Program) -> Iterator[Finding]:
    """Casts to float32, and tensors made in it by name or of plain numbers, beside half tensors."""
    yield from judged(program, LITERAL, "`{shown}` is {fixed}")
