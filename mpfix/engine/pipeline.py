"""The data flow of a run on one screen: paths, documents, analyses, fixes, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from mpfix.engine.analysis import Analysis, Job, analyse, analyse_document
from mpfix.engine.apply import settle, unsettled
from mpfix.engine.inputs import Inputs, read_inputs
from mpfix.engine.outcome import Outcome, report_of, with_fixes_of
from mpfix.engine.run_rules import component_crash
from mpfix.errors import SourceError
from mpfix.registry import Registry, load_registry
from mpfix.report import Report, RunError
from mpfix.settings import Settings
from mpfix.source.document import Document
from mpfix.source.write import write_atomically

T = TypeVar("T")
Paths = Sequence[str | Path]


def check(
    paths: Paths,
    settings: Settings | None = None,
    *,
    registry: Registry | None = None,
    with_fixes: bool = True,
    verbose: bool = False,
    stdin: bytes | None = None,
    stdin_filename: str | None = None,
) -> Report:
    """Judge files and folders; nothing is written.

    Args:
        registry: the rules to choose from; those of the built-in pack and of `settings.packs` when left out.
        with_fixes: build and try the repairs too; without them the run is faster and loads no LibCST.
        verbose: also tell where the analysis hit a bound (MP004).
        stdin: what the path `-` stands for, under the name `stdin_filename`.

    Raises:
        UsageError: a selector or a pack is unknown.
    """
    job = _job(settings, registry, with_fixes, verbose)
    inputs = read_inputs(paths, job.settings, stdin=stdin, stdin_filename=stdin_filename)
    return report_of(inputs, tuple(_analysed(document, job).told() for document in inputs.documents))


def apply(
    paths: Paths,
    settings: Settings | None = None,
    *,
    diff: bool = False,
    registry: Registry | None = None,
    verbose: bool = False,
    stdin: bytes | None = None,
    stdin_filename: str | None = None,
) -> Report:
    """Write the fixes that the settings allow, and judge what is left; with `diff` only tell what would change.

    The arguments and errors are those of `check`.
    """
    job = _job(settings, registry, True, verbose)
    inputs = read_inputs(paths, job.settings, stdin=stdin, stdin_filename=stdin_filename)
    settled = tuple(_settled(document, job) for document in inputs.documents)
    written = tuple(outcome if diff else _written(outcome, inputs) for outcome in settled)
    report = report_of(inputs, tuple(outcome.analysis for outcome in written))
    return with_fixes_of(report, written, inputs, diff=diff)


def _job(settings: Settings | None, registry: Registry | None, with_fixes: bool, verbose: bool) -> Job:
    settings = settings or Settings()
    registry = registry or load_registry(settings.packs)
    return Job(settings, registry, registry.selected(settings), with_fixes, verbose)


def _analysed(document: Document, job: Job) -> Analysis:
    return _guarded(
        lambda: analyse_document(document, job),
        lambda error: Analysis((document,), errors=(component_crash(document.display, error),), has_failed=True),
    )


def _settled(document: Document, job: Job) -> Outcome:
    first = _analysed(document, job)
    # nothing is written for a file on which mpfix fails half-way
    settled = _guarded(
        lambda: settle(first, partial(analyse, job=job), unsafe_fixes=job.settings.unsafe_fixes),
        lambda error: unsettled(first, component_crash(document.display, error)),
    )
    return Outcome(settled.last.told(), settled)


def _guarded(action: Callable[[], T], failed: Callable[[Exception], T]) -> T:
    """What `action` gives; where mpfix itself fails on a component, what `failed` makes of that. The run goes on."""
    try:
        return action()
    except Exception as error:
        return failed(error)


def _written(outcome: Outcome, inputs: Inputs) -> Outcome:
    """The outcome once its files are on disk; what cannot be written stays as it was found."""
    written: list[str] = []
    for old, new in outcome.settled.changes:
        if old.display == inputs.stdin_name:
            continue
        try:
            write_atomically(old.path, new.original_bytes, expected=old.original_bytes, display=old.display)
        except SourceError as error:
            failed = unsettled(outcome.settled.first, RunError(error.filename, error.message))
            return Outcome(failed.last, failed)
        written.append(old.display)
    return replace(outcome, written=tuple(written))
