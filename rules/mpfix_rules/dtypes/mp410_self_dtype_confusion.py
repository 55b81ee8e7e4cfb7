"""MP410: `self.dtype`, the dtype of a layer's variables, where it needs its compute dtype."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.compute_dtypes import judged

OF_VARIABLES = frozenset({"self.dtype"})


@rule("MP410", "self-dtype-confusion", severity=Severity.ERROR, words=("dtype",), half=True, fixable=True)
def self_dtype_confusion(program: Program) -> Iterator[Finding]:
    """Tensors in the dtype of the variables beside half tensors."""
    yield from judged(program, OF_VARIABLES, "`{shown}` is {fixed}, the dtype of the variables,")
