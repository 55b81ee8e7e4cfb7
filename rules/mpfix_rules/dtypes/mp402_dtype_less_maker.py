"""MP402: a tensor made without a dtype that meets a half tensor inside a layer."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.compute_dtypes import judged

WITHOUT_DTYPE = frozenset({"default"})


@rule("MP402", "dtype-less-maker", severity=Severity.ERROR, half=True, fixable=True)
def dtype_less_maker(program: Program) -> Iterator[Finding]:
    """Tensors in the default dtype of their function beside half tensors."""
    yield from judged(program, WITHOUT_DTYPE, "`{shown}` is {fixed}, the default,")
