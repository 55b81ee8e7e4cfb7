"""MP004: a place where the analysis gave up. The engine reports it from what the interpreter cut."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program


@rule("MP004", "analysis-bound", severity=Severity.NOTE)
def analysis_bound(program: Program) -> Iterator[Finding]:
    """Nothing: bounds are hit while the program is made."""
    return iter(())
