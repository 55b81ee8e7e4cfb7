"""What a run means to the shell."""

from __future__ import annotations

from enum import IntEnum

from mpfix.diagnostic import Severity
from mpfix.report import Report


class ExitStatus(IntEnum):
    """0 clean, 1 findings remain (or a diff exists), 2 something could not be done, 130 interrupted."""

    CLEAN = 0
    FINDINGS = 1
    FAILED = 2
    INTERRUPTED = 130


def status_of(report: Report, *, fail_on: Severity, exit_zero: bool = False) -> ExitStatus:
    """The status of a run; what could not be judged wins over findings, and `exit_zero` never hides it."""
    if report.errors or report.failed:
        return ExitStatus.FAILED
    found = bool(report.count_at_least(fail_on)) or any(diff.text for diff in report.diffs)
    return ExitStatus.FINDINGS if found and not exit_zero else ExitStatus.CLEAN
