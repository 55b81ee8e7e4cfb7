"""The report for people: framed source, evidence, and the fix as a small diff."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Applicability, Diagnostic, Fix, Related, Span
from mpfix.report import Report
from mpfix.reporters.frames import Frame, Sources, fix_diff, gutter_digits, place, source_frame
from mpfix.reporters.lines import printable
from mpfix.reporters.style import BLUE, BOLD, SEVERITY_COLOURS, Paint

_WHO_APPLIES = {
    Applicability.SAFE: "safe",
    Applicability.UNSAFE: "unsafe, needs `--unsafe-fixes`",
    Applicability.DISPLAY_ONLY: "display-only, apply it by hand",
}


def text(report: Report, *, width: int = 100, color: bool = False) -> str:
    """Every diagnostic of `report` in its frame, each followed by an empty line.

    Args:
        width: columns of the terminal; source lines are cropped, messages are not.
        color: whether to write ANSI escape sequences.
    """
    paint = Paint(color)
    return "".join(
        f"{line}\n" for item in report.diagnostics for line in _diagnostic(item, report.sources, width, paint)
    )


def _diagnostic(item: Diagnostic, sources: Sources, width: int, paint: Paint) -> Iterator[str]:
    frame = Frame(gutter_digits(_spans(item)), width, paint)
    indent = " " * frame.digits
    colour = SEVERITY_COLOURS[item.severity]
    yield f"{paint(f'{item.severity.value}[{item.code}]', colour)} {paint(printable(item.message), BOLD)}"
    yield f"{indent}{paint('-->', BLUE)} {place(item.span)}"
    yield from source_frame(frame, item.span, sources, mark="^", colour=colour, context=1)
    for related in item.related:
        yield from _evidence(frame, related, sources)
    yield from (f"{indent} {paint('=', BLUE)} {note}" for note in _notes(item))
    if item.fix is not None:
        yield from fix_diff(frame, item.fix.edits, sources)
    yield ""


def _spans(item: Diagnostic) -> list[Span]:
    edits = item.fix.edits if item.fix else ()
    return [item.span, *(related.span for related in item.related), *(edit.span for edit in edits)]


def _evidence(frame: Frame, related: Related, sources: Sources) -> Iterator[str]:
    yield f"{' ' * frame.digits}{frame.paint(':::', BLUE)} {place(related.span)}: {printable(related.message)}"
    yield from source_frame(frame, related.span, sources, mark="-", colour=BLUE)


def _notes(item: Diagnostic) -> Iterator[str]:
    """The facts below the frames, one line each; the fix comes last because its diff follows."""
    if item.guard is not None:
        yield f"when: {printable(item.guard)}"
    if item.keras is not None:
        yield f"keras: {item.keras}"
    yield f"help: `mpfix rule {item.code}` explains {item.name}"
    if item.fix is not None:
        yield _fix_title(item.fix)
    elif item.unfixable_reason is not None:
        yield f"no fix: {printable(item.unfixable_reason)}"


def _fix_title(fix: Fix) -> str:
    return f"fix: {printable(fix.message)} ({_WHO_APPLIES[fix.applicability]}; {fix.effect.value})"
