"""MP003: a suppression that names no rule. The engine reports it."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program


@rule("MP003", "unknown-suppression", severity=Severity.WARNING, fixable=True)
def unknown_suppression(program: Program) -> Iterator[Finding]:
    """Nothing: comments are not part of a program."""
    return iter(())
