"""The lines that close a report for people: what was found, what can be repaired, which files were judged."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Applicability, Severity
from mpfix.report import Report, is_allowed
from mpfix.reporters.frames import place
from mpfix.reporters.lines import printable


def check_summary(report: Report, *, fixes: bool = True) -> str:
    """The closing lines of `check`; without `fixes` none were built, so none are counted."""
    lines = [_found(report), *(_fixable(report) if fixes else ()), _files(report), *_assumed(report)]
    return "".join(f"{line}\n" for line in lines)


def apply_summary(report: Report, *, diff: bool) -> str:
    """The closing lines of `apply`; with `diff` nothing was written."""
    lines = [_repaired(report, diff=diff), *_skipped(report)]
    if report.diagnostics:
        lines += [f"{_counted(len(report.diagnostics), 'finding')} left.", *_fixable(report)]
    return "".join(f"{line}\n" for line in [*lines, _files(report), *_assumed(report)])


def _found(report: Report) -> str:
    if not report.diagnostics:
        return "No findings." if not report.suppressed else f"No findings ({report.suppressed} suppressed)."
    counts = [(severity, sum(item.severity is severity for item in report.diagnostics)) for severity in Severity]
    named = ", ".join(_counted(number, severity.value) for severity, number in counts if number)
    suppressed = f" ({report.suppressed} suppressed)" if report.suppressed else ""
    return f"Found {named}{suppressed}."


def _fixable(report: Report) -> Iterator[str]:
    fixes = [item.fix for item in report.diagnostics if item.fix is not None]
    by_default = sum(is_allowed(fix.applicability, fix.effect, unsafe_fixes=False) for fix in fixes)
    shown = sum(fix.applicability is Applicability.DISPLAY_ONLY for fix in fixes)
    unsafe = len(fixes) - by_default - shown
    parts = [
        f"{by_default} with `mpfix apply`" if by_default else "",
        f"{unsafe} with `mpfix apply --unsafe-fixes`" if unsafe else "",
        f"{shown} by hand, as shown" if shown else "",
    ]
    if fixes:
        yield f"Fixable: {', '.join(part for part in parts if part)}."


def _files(report: Report) -> str:
    failed = f", {report.failed} failed" if report.failed else ""
    return f"Files: {report.analysed} analysed, {report.irrelevant} skipped as irrelevant{failed}."


def _assumed(report: Report) -> Iterator[str]:
    """One line when nothing but the default decided which Keras a file with something to say was judged for."""
    assumed = [used for used in report.generations if used.by_default]
    if not assumed:
        return
    told = next((used for used in assumed if used.only_in_two is not None), assumed[0])
    where = f"`{told.filename}`" if len(assumed) == 1 else f"{len(assumed)} files"
    doubt = f"; but {printable(told.only_in_two)} exists in Keras 2 only" if told.only_in_two else ""
    yield f"Keras {told.keras} assumed for {where}: no pin and no `--keras` says which{doubt}."


def _repaired(report: Report, *, diff: bool) -> str:
    if not report.fixed_total:
        return "Nothing to write." if not diff else "No change to show."
    codes = ", ".join(f"{code}: {number}" for code, number in sorted(report.fixed.items()))
    files = len(report.diffs) if diff else len(report.written)
    verb = "Would repair" if diff else "Repaired"
    return f"{verb} {_counted(report.fixed_total, 'finding')} in {_counted(files, 'file')} ({codes})."


def _skipped(report: Report) -> Iterator[str]:
    for skipped in report.skipped_fixes:
        finding = f"{place(skipped.span)}: {skipped.code} {printable(skipped.title)}"
        yield f"Not applied: {finding}: {printable(skipped.reason)}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
