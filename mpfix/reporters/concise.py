"""One line for each diagnostic, for editors, `grep` and people in a hurry."""

from __future__ import annotations

from mpfix.report import Report
from mpfix.reporters.frames import place
from mpfix.reporters.lines import printable


def concise(report: Report) -> str:
    """`path:row:column: CODE [name] message` for each diagnostic; no summary."""
    lines = [f"{place(item.span)}: {item.code} [{item.name}] {printable(item.message)}" for item in report.diagnostics]
    return "".join(f"{line}\n" for line in lines)
