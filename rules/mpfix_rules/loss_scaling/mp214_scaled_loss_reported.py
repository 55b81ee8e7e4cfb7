"""MP214: a loss is returned, logged or put into a metric while it carries the loss scale."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.reports import LossReturned, ScaledReport, scaled_reports
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.reported_losses import unscaled_report

WORDS = ("get_scaled_loss", "scale_loss")


@rule("MP214", "scaled-loss-reported", severity=Severity.WARNING, words=WORDS, fixable=True)
def scaled_loss_reported(program: Program) -> Iterator[Finding]:
    """Losses that are told with their loss scale."""
    for report in scaled_reports(program):
        fix, reason = unscaled_report(program, report)
        is_returned = isinstance(report.occurrence.event, LossReturned)
        yield Finding(
            report.scaling if report.overwritten else report.place,
            _message(report, is_returned),
            evidence=(_evidence(report, is_returned),),
            guard=report.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _message(report: ScaledReport, is_returned: bool) -> str:
    if report.overwritten:
        told = "returned" if is_returned else "reported"
        return f"the scaled loss takes the name of `{report.overwritten}`, which is {told}: 32768 times what it is"
    return f"{'returns' if is_returned else 'reports'} the loss with its loss scale: 32768 times what it is"


def _evidence(report: ScaledReport, is_returned: bool) -> Evidence:
    if report.overwritten:
        return Evidence(report.place, f"the loss is {'returned' if is_returned else 'reported'} here")
    return Evidence(report.scaling, "the loss is scaled here")
