"""What is said about text that is not Python, or that a newer Python understands."""

from __future__ import annotations

import re
import sys

from mpfix.diagnostic import Diagnostic, Severity, Span
from mpfix.semantic.syntax import SyntaxProblem
from mpfix.source.document import Document

SYNTAX_ERROR = "MP001"
SYNTAX_ERROR_NAME = "syntax-error"

_NEWER_SYNTAX = (
    ((3, 14), "template strings", re.compile(r"""(?<![\w"'])(?:t|tr|rt)["']""", re.IGNORECASE)),
    ((3, 14), "`except` with several types and no parentheses", re.compile(r"^\s*except\s+[\w.]+\s*,\s*[\w.]+")),
    ((3, 13), "defaults of type parameters", re.compile(r"^\s*(?:def|class|type)\s+\w+\s*\[[^\]]*=")),
    ((3, 12), "type parameters", re.compile(r"^\s*(?:async\s+def|def|class)\s+\w+\s*\[")),
    ((3, 12), "the `type` statement", re.compile(r"^\s*type\s+\w+\s*(?:\[[^\]]*\]\s*)?=")),
    ((3, 12), "f-strings that hold their own quotes", re.compile(r"""f(["'])[^"']*\{[^}"']*\1""")),
    ((3, 11), "`except*`", re.compile(r"^\s*except\s*\*")),
)


def syntax_diagnostics(document: Document, problem: SyntaxProblem | None) -> tuple[Diagnostic, ...]:
    """What does not parse in a document: its text (`problem`), or single cells of a notebook."""
    found = [
        _diagnostic(cell.span, f"syntax error: {cell.message}; the cell is not analysed")
        for cell in document.broken_cells
    ]
    if problem is not None:
        span = document.span(problem.line, problem.column, problem.line, problem.column + 1)
        found.append(_diagnostic(span, _message(document, problem)))
    return tuple(found)


def _diagnostic(span: Span, message: str) -> Diagnostic:
    return Diagnostic(SYNTAX_ERROR, SYNTAX_ERROR_NAME, Severity.ERROR, message, span)


def _message(document: Document, problem: SyntaxProblem) -> str:
    # generators of the position differ by release: the statement may begin on the line before
    count = document.lines.line_count
    candidates = [document.lines.line(row) for row in (problem.line, problem.line - 1) if 1 <= row <= count]
    for version, what, pattern in _NEWER_SYNTAX:
        if sys.version_info < version and any(pattern.search(line) for line in candidates):
            wanted, running = ".".join(map(str, version)), ".".join(map(str, sys.version_info[:2]))
            needed = f"this needs Python {wanted} or newer ({what})"
            return f"{needed}, and mpfix runs under {running}; the file is not analysed"
    return f"syntax error: {problem.message}; the file is not analysed"
