"""MP002: a suppression that silences nothing. The engine reports it, after all rules have run."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program


@rule("MP002", "unused-suppression", severity=Severity.WARNING, fixable=True)
def unused_suppression(program: Program) -> Iterator[Finding]:
    """Nothing: comments are not part of a program."""
    return iter(())
