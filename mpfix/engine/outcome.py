"""The report of a run, put together from what became of each component."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mpfix.diagnostic import Diagnostic
from mpfix.engine.analysis import Analysis
from mpfix.engine.apply import Settled, unified_diff
from mpfix.engine.inputs import Inputs
from mpfix.record import record
from mpfix.report import Report
from mpfix.source.document import Document
from mpfix.source.lines import split_lines


@record
class Outcome:
    """What became of one component."""

    analysis: Analysis
    """Of what its files hold in the end."""
    settled: Settled
    written: tuple[str, ...] = ()
    """Names of the files that were changed on disk."""


def report_of(inputs: Inputs, analyses: Sequence[Analysis], context: Iterable[Document] = ()) -> Report:
    """The report on what is there: diagnostics, errors and counts, sorted.

    Args:
        context: documents that were only read; evidence in them is shown.
    """
    diagnostics = sorted((item for analysis in analyses for item in analysis.diagnostics), key=_sort_key)
    errors = sorted(
        (*inputs.errors, *(error for analysis in analyses for error in analysis.errors)),
        key=lambda error: error.sort_key,
    )
    judged = [analysis for analysis in analyses if len(analysis.failed) < len(analysis.documents)]
    return Report(
        diagnostics=tuple(diagnostics),
        errors=tuple(errors),
        analysed=sum(len(one.documents) - len(one.failed) for one in judged if one.is_relevant),
        irrelevant=sum(len(analysis.documents) for analysis in judged if not analysis.is_relevant),
        failed=len(inputs.errors) + sum(len(analysis.failed) for analysis in analyses),
        suppressed=sum(analysis.suppressed for analysis in analyses),
        generations=tuple(analysis.generation for analysis in judged if analysis.generation and analysis.is_relevant),
        sources=_sources(diagnostics, [*context, *(document for one in analyses for document in one.documents)]),
    )


def with_fixes_of(report: Report, outcomes: Sequence[Outcome], inputs: Inputs, *, diff: bool) -> Report:
    """The report with what was written, or with `diff` would be."""
    by_file = {o.settled.first.documents[0].display: dict(sorted(o.settled.fixed.items())) for o in outcomes}
    totals: Counter[str] = Counter()
    for counts in by_file.values():
        totals.update(counts)
    changes = [change for outcome in outcomes for change in outcome.settled.changes]
    skipped = sorted((entry for o in outcomes for entry in o.settled.skipped), key=lambda entry: entry.sort_key)
    return replace(
        report,
        fixed=dict(sorted(totals.items())),
        fixed_by_file={name: counts for name, counts in sorted(by_file.items()) if counts},
        written=tuple(sorted(name for outcome in outcomes for name in outcome.written)),
        skipped_fixes=tuple(skipped),
        diffs=tuple(sorted((unified_diff(*change) for change in changes), key=lambda item: item.filename))
        if diff
        else (),
        stdin_output=None if diff else _stdin_output(outcomes, inputs),
    )


def _stdin_output(outcomes: Iterable[Outcome], inputs: Inputs) -> bytes | None:
    """What standard input became; unchanged where it could not be read as source."""
    documents = (document for outcome in outcomes for document in outcome.analysis.documents)
    return next((item.original_bytes for item in documents if item.display == inputs.stdin_name), inputs.stdin)


def _sources(
    diagnostics: Iterable[Diagnostic], documents: Iterable[Document]
) -> Mapping[tuple[str, int | None], tuple[str, ...]]:
    """The lines of the files that diagnostics name."""
    named = {span.filename for item in diagnostics for span in (item.span, *(related.span for related in item.related))}
    return {key: lines for document in documents if document.display in named for key, lines in _lines(document)}


def _lines(document: Document) -> list[tuple[tuple[str, int | None], tuple[str, ...]]]:
    if document.kind != "ipynb":
        return [((document.display, None), _split(document.text))]
    from mpfix.source.notebook import cell_sources

    sources = cell_sources(document.original_bytes, document.display)
    return [((document.display, number), _split(source)) for number, source in sources.items()]


def _split(text: str) -> tuple[str, ...]:
    return tuple(line.rstrip("\r\n") for line in split_lines(text))


def _sort_key(diagnostic: Diagnostic) -> tuple[object, ...]:
    return diagnostic.sort_key
