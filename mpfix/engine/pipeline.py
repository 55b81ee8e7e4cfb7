"""The data flow of a run on one screen: paths, documents, analyses, fixes, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from mpfix.engine.analysis import Analysis, Job, analyse, analyse_unit
from mpfix.engine.apply import settle, unsettled
from mpfix.engine.components import Unit, form_units
from mpfix.engine.inputs import Inputs, read_inputs
from mpfix.engine.outcome import Outcome, report_of, with_fixes_of
from mpfix.engine.run_rules import component_crash
from mpfix.errors import SourceError
from mpfix.registry import Registry, load_registry
from mpfix.report import Report, RunError
from mpfix.settings import Settings
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
    context: bool = True,
    stdin: bytes | None = None,
    stdin_filename: str | None = None,
) -> Report:
    """Judge files and folders; nothing is written.

    Args:
        registry: the rules to choose from; those of the built-in pack and of `settings.packs` when left out.
        with_fixes: build and try the repairs too; without them the run is faster and loads no LibCST.
        verbose: also tell where the analysis hit a bound (MP004).
        context: read the rest of the files' projects too, to understand them.
        stdin: what the path `-` stands for, under the name `stdin_filename`.

    Raises:
        UsageError: a selector or a pack is unknown.
    """
    job = _job(settings, registry, with_fixes, verbose, context)
    inputs = read_inputs(paths, job.settings, stdin=stdin, stdin_filename=stdin_filename)
    return report_of(inputs, tuple(_analysed(unit, job).told() for unit in _units(inputs, job)))


def apply(
    paths: Paths,
    settings: Settings | None = None,
    *,
    diff: bool = False,
    registry: Registry | None = None,
    verbose: bool = False,
    context: bool = True,
    stdin: bytes | None = None,
    stdin_filename: str | None = None,
) -> Report:
    """Write the fixes that the settings allow, and judge what is left; with `diff` only tell what would change.

    The arguments and errors are those of `check`.
    """
    job = _job(settings, registry, True, verbose, context)
    inputs = read_inputs(paths, job.settings, stdin=stdin, stdin_filename=stdin_filename)
    settled = tuple(_settled(unit, job) for unit in _units(inputs, job))
    written = tuple(outcome if diff else _written(outcome, inputs) for outcome in settled)
    report = report_of(inputs, tuple(outcome.analysis for outcome in written))
    return with_fixes_of(report, written, inputs, diff=diff)


def _job(settings: Settings | None, registry: Registry | None, with_fixes: bool, verbose: bool, context: bool) -> Job:
    settings = settings or Settings()
    registry = registry or load_registry(settings.packs)
    return Job(settings, registry, registry.selected(settings), with_fixes, verbose, context)


def _units(inputs: Inputs, job: Job) -> tuple[Unit, ...]:
    return form_units(inputs.documents, job.settings, job.may_matter, context=job.with_context)


def _analysed(unit: Unit, job: Job) -> Analysis:
    name = unit.documents[0].display
    return _guarded(
        lambda: analyse_unit(unit, job),
        lambda error: Analysis(unit.documents, errors=(component_crash(name, error),), has_failed=True),
    )


def _settled(unit: Unit, job: Job) -> Outcome:
    first = _analysed(unit, job)
    name = unit.documents[0].display
    # nothing is written for a file on which mpfix fails half-way
    settled = _guarded(
        lambda: settle(first, partial(analyse, job=job), unsafe_fixes=job.settings.unsafe_fixes),
        lambda error: unsettled(first, component_crash(name, error)),
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
