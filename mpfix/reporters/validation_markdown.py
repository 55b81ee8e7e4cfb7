"""A validation as Markdown: for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.reporters.validation_rows import MARKS, Table, fixes_line, headline, tables
from mpfix.validation import ValidationReport


def validation_markdown(report: ValidationReport) -> str:
    """The whole report."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: ValidationReport) -> Iterator[str]:
    yield "# Validation"
    yield f"\n{_escaped(headline(report))}"
    fixes = fixes_line(report)
    if fixes:
        yield f"\n{_escaped(fixes)}"
    if report.failure:
        yield f"\n**Not measured**: {_escaped(report.failure)}"
        for text in dict.fromkeys(item.ending.traceback for item in report.variants if item.ending.traceback):
            yield f"\n```text\n{text.rstrip()}\n```"
    if report.answers:
        yield ""
    for answer in report.answers:
        yield f"- **{_escaped(answer.question)}** {_escaped(answer.sentence)} ({MARKS[answer.verdict]})"
    for table in tables(report):
        yield from _table(table)
    if report.notes:
        yield ""
    for note in report.notes:
        yield f"- {_escaped(note)}"


def _table(table: Table) -> Iterator[str]:
    yield f"\n## {table.title}\n"
    yield _row(table.heading)
    yield _row(tuple("---" for _ in table.heading))
    for row in table.rows:
        yield _row(row)
    if table.caption:
        yield f"\n{_escaped(table.caption[:1].upper() + table.caption[1:])}."


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(_escaped(' '.join(cell.split())) for cell in cells)} |"


def _escaped(text: str) -> str:
    """Text in which nothing but our own code marks means something to Markdown."""
    return text.replace("|", "\\|").replace("<", "&lt;")
