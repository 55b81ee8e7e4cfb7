"""A validation for people: the answers, then the figures, as rich tables."""

from __future__ import annotations

from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

from mpfix.reporters.validation_rows import MARKS, Table, fixes_line, headline, tables
from mpfix.validation import ValidationReport, Verdict

_STYLES = {
    Verdict.SAME: "green",
    Verdict.BETTER: "bold green",
    Verdict.WORSE: "bold red",
    Verdict.DIFFERENT: "yellow",
    Verdict.UNKNOWN: "dim",
}


def validation_text(report: ValidationReport, *, width: int = 100, color: bool = False) -> str:
    """The whole report.

    Args:
        width: columns of the terminal.
        color: whether to write ANSI escape sequences.
    """
    out = StringIO()
    console = Console(
        file=out, width=width, force_terminal=color, no_color=not color, highlight=False, legacy_windows=False
    )
    console.print(Text(headline(report), style="bold"))
    fixes = fixes_line(report)
    if fixes:
        console.print(Text(fixes))
    if report.failure:
        console.print(Text(f"Not measured: {report.failure}", style="bold red"))
        _print_tracebacks(console, report)
    if report.answers:
        console.print()
        console.print(_answers(report))
    for table in tables(report):
        console.print()
        console.print(_drawn(table))
    if report.notes:
        console.print()
    for note in report.notes:
        console.print(Text(note))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _answers(report: ValidationReport) -> Drawn:
    drawn = Drawn(box=None, show_header=False, padding=(0, 2, 0, 0))
    drawn.add_column(no_wrap=True)
    drawn.add_column(no_wrap=len(report.answers) <= 4)
    drawn.add_column()
    for answer in report.answers:
        mark = Text(MARKS[answer.verdict], style=_STYLES[answer.verdict])
        drawn.add_row(mark, Text(answer.question, style="bold"), Text(answer.sentence))
    return drawn


def _drawn(table: Table) -> Drawn:
    drawn = Drawn(
        box=box.SIMPLE_HEAD,
        title=table.title,
        title_style="bold",
        title_justify="left",
        caption=table.caption or None,
        caption_justify="left",
        pad_edge=False,
    )
    for i, heading in enumerate(table.heading):
        drawn.add_column(Text(heading), overflow="fold", ratio=None if i else 1)
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    return drawn


def _print_tracebacks(console: Console, report: ValidationReport) -> None:
    """What the script said when it failed; once where all variants failed alike."""
    for text in dict.fromkeys(variant.ending.traceback for variant in report.variants if variant.ending.traceback):
        console.print(Text(text.rstrip()))
