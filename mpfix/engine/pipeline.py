"""The data flow of a run on one screen: paths, documents, analyses, fixes, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mpfix.engine.analysis import Job
from mpfix.engine.apply import unsettled
from mpfix.engine.components import Unit, form_units
from mpfix.engine.inputs import Inputs, read_inputs
from mpfix.engine.outcome import Outcome, report_of, with_fixes_of
from mpfix.engine.run_units import analyse_units, settle_units
from mpfix.errors import SourceError
from mpfix.registry import Registry, load_registry
from mpfix.report import Report, RunError
from mpfix.settings import Settings
from mpfix.source.document import Document
from mpfix.source.write import Replacement, objection, write_together

if TYPE_CHECKING:
    from mpfix.engine.cache import Cache

Paths = Sequence[str | Path]


def check(
    paths: Paths,
    settings: Settings | None = None,
    *,
    registry: Registry | None = None,
    with_fixes: bool = True,
    verbose: bool = False,
    context: bool = True,
    jobs: int = 1,
    cache: bool = False,
    stdin: bytes | None = None,
    stdin_filename: str | None = None,
) -> Report:
    """Judge files and folders; nothing is written.

    Args:
        registry: the rules to choose from; those of the built-in pack and of `settings.packs` when left out.
        with_fixes: build and try the repairs too; without them the run is faster and loads no LibCST.
        verbose: also tell where the analysis hit a bound (MP004).
        context: read the rest of the files' projects too, to understand them.
        jobs: the most processes to use; 0 for as many as the work is worth. The report is the same for any number.
        cache: look up and keep results in the folder `settings.cache_dir`. The report is the same with and without.
        stdin: what the path `-` stands for, under the name `stdin_filename`.

    Raises:
        UsageError: a selector or a pack is unknown.
    """
    job = _job(settings, registry, with_fixes, verbose, context)
    inputs = read_inputs(paths, job.settings, stdin=stdin, stdin_filename=stdin_filename)
    units = _units(inputs, job)
    analyses = analyse_units(units, job, jobs=jobs, cache=_cache(job) if cache else None)
    return report_of(inputs, analyses, _context(units))


def apply(
    paths: Paths,
    settings: Settings | None = None,
    *,
    diff: bool = False,
    registry: Registry | None = None,
    verbose: bool = False,
    context: bool = True,
    jobs: int = 1,
    cache: bool = False,
    stdin: bytes | None = None,
    stdin_filename: str | None = None,
) -> Report:
    """Write the fixes that the settings allow, and judge what is left; with `diff` only tell what would change.

    The arguments and errors are those of `check`.
    """
    job = _job(settings, registry, True, verbose, context)
    inputs = read_inputs(paths, job.settings, stdin=stdin, stdin_filename=stdin_filename)
    units = _units(inputs, job)
    settled = settle_units(
        units,
        job,
        jobs=jobs,
        cache=_cache(job) if cache else None,
        objection=None if diff else partial(_objection, inputs.stdin_name),
    )
    written = tuple(outcome if diff else _written(outcome, inputs) for outcome in settled)
    report = report_of(inputs, tuple(outcome.analysis for outcome in written), _context(units))
    return with_fixes_of(report, written, inputs, diff=diff)


def _job(settings: Settings | None, registry: Registry | None, with_fixes: bool, verbose: bool, context: bool) -> Job:
    settings = settings or Settings()
    registry = registry or load_registry(settings.packs)
    return Job(settings, registry, registry.selected(settings), with_fixes, verbose, context)


def _cache(job: Job) -> Cache:
    # a run without it starts sooner
    from mpfix.engine.cache import open_cache

    return open_cache(job)


def _units(inputs: Inputs, job: Job) -> tuple[Unit, ...]:
    return form_units(inputs.documents, job.settings, job.may_matter, context=job.with_context, folders=inputs.folders)


def _context(units: Sequence[Unit]) -> list[Document]:
    return [document for unit in units for document in unit.context]


def _objection(stdin_name: str | None, document: Document) -> str | None:
    """Why a document cannot be written; what standard input holds is answered, not written."""
    return None if document.display == stdin_name else objection(document.path, expected=document.original_bytes)


def _written(outcome: Outcome, inputs: Inputs) -> Outcome:
    """The outcome once its files are on disk; if one of them cannot be written, all stay as they were found."""
    changes = [
        Replacement(old.path, new.original_bytes, old.original_bytes, old.display)
        for old, new in outcome.settled.changes
        if old.display != inputs.stdin_name
    ]
    try:
        write_together(changes)
    except SourceError as error:
        others = ", ".join(f"`{change.display}`" for change in changes if change.display != error.filename)
        message = f"{error.message}; so {others} stays as it was too" if others else error.message
        failed = unsettled(outcome.settled.first, RunError(error.filename, message))
        return Outcome(failed.last, failed)
    return replace(outcome, written=tuple(change.display for change in changes))
