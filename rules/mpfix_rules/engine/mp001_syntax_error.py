"""MP001: text that is not Python. The engine reports it, before there is a program to ask."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program


@rule("MP001", "syntax-error", severity=Severity.ERROR)
def syntax_error(program: Program) -> Iterator[Finding]:
    """Nothing: a program exists only for text that parses."""
    return iter(())
