"""All units of a run: judged, or settled for `apply`, here or in other processes, unless a cache remembers them.

mpfix failing on one unit is an error of that unit; the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mpfix.engine.analysis import Analysis, Job, analyse, analyse_unit
from mpfix.engine.apply import Objection, Settled, settle, unsettled
from mpfix.engine.components import Unit
from mpfix.engine.outcome import Outcome
from mpfix.engine.plan import plan_fixes
from mpfix.engine.run_rules import component_crash
from mpfix.engine.workers import automatic_jobs, spread
from mpfix.report import RunError

if TYPE_CHECKING:
    from mpfix.engine.cache import Cache

T = TypeVar("T")


def analyse_units(units: Sequence[Unit], job: Job, *, jobs: int, cache: Cache | None) -> tuple[Analysis, ...]:
    """The analysis of each unit, in the order of the units.

    Args:
        jobs: the most processes to use; 0 for as many as the work is worth.
        cache: where analyses are looked up first and remembered; None for nowhere.
    """

    def remember(unit: Unit, analysis: Analysis) -> None:
        if cache is not None:
            cache.store(unit, analysis)

    known = {} if cache is None else _known(units, cache)
    return _all(units, known, partial(_analysed_at, tuple(units), job), jobs, _lost_analysis, remember)


def settle_units(
    units: Sequence[Unit], job: Job, *, jobs: int, cache: Cache | None, objection: Objection | None
) -> tuple[Outcome, ...]:
    """What becomes of each unit when its fixes are written, in the order of the units; nothing is written yet.

    A cached analysis says enough of a unit in which there is nothing to write. The arguments are those of
    `analyse_units`.

    Args:
        objection: as in `settle`; None where nothing is to be written.
    """

    def remember(unit: Unit, outcome: Outcome) -> None:
        if cache is not None and not outcome.settled.changes:
            cache.store(unit, outcome.settled.first)

    known: dict[int, Outcome] = {}
    for number, analysis in _known(units, cache).items() if cache is not None else ():
        plan = plan_fixes(analysis.offers, unsafe_fixes=job.settings.unsafe_fixes)
        if not plan.chosen:
            known[number] = Outcome(analysis, Settled(analysis, analysis, {}, plan.skipped))
    work = partial(_settled_at, tuple(units), job, objection)
    return _all(units, known, work, jobs, _lost_outcome, remember)


def _known(units: Sequence[Unit], cache: Cache) -> dict[int, Analysis]:
    found = ((number, cache.load(unit)) for number, unit in enumerate(units))
    return {number: analysis for number, analysis in found if analysis is not None}


def _all(
    units: Sequence[Unit],
    known: dict[int, T],
    work: Callable[[int], T],
    jobs: int,
    lost: Callable[[Unit, str], T],
    remember: Callable[[Unit, T], None],
) -> tuple[T, ...]:
    """The result of each unit: the known ones, and those that `work` gives for the others."""
    left = [number for number in range(len(units)) if number not in known]
    sizes = [units[number].size for number in left]
    results = dict(known)

    def done(index: int, result: T) -> None:
        results[left[index]] = result
        remember(units[left[index]], result)

    spread(
        partial(_numbered, work, tuple(left)),
        sizes,
        jobs or automatic_jobs(sizes),
        done=done,
        lost=lambda index, how: lost(units[left[index]], how),
    )
    return tuple(results[number] for number in range(len(units)))


def _numbered(work: Callable[[int], T], numbers: Sequence[int], index: int) -> T:
    return work(numbers[index])


def _analysed_at(units: Sequence[Unit], job: Job, number: int) -> Analysis:
    return _analysed(units[number], job).told()


def _settled_at(units: Sequence[Unit], job: Job, objection: Objection | None, number: int) -> Outcome:
    first = _analysed(units[number], job)
    name = units[number].documents[0].display
    # nothing is written for a component on which mpfix fails half-way
    settled = guarded(
        lambda: settle(first, partial(analyse, job=job), unsafe_fixes=job.settings.unsafe_fixes, objection=objection),
        lambda error: unsettled(first, component_crash(name, error)),
    ).told()
    return Outcome(settled.last, settled)


def _analysed(unit: Unit, job: Job) -> Analysis:
    name = unit.documents[0].display
    return guarded(lambda: analyse_unit(unit, job), lambda error: _failed(unit, component_crash(name, error)))


def guarded(action: Callable[[], T], failed: Callable[[Exception], T]) -> T:
    """What `action` gives; where mpfix itself fails on a component, what `failed` makes of that. The run goes on."""
    try:
        return action()
    except Exception as error:
        return failed(error)


def _failed(unit: Unit, error: RunError) -> Analysis:
    return Analysis(unit.documents, errors=(error,), failed=tuple(document.display for document in unit.documents))


def _lost_analysis(unit: Unit, how: str) -> Analysis:
    count = len(unit.documents) + len(unit.context)
    files = "it" if count == 1 else f"it and the {count - 1} files around it"
    message = f"not analysed: the process that had {files} is gone; {how}"
    return _failed(unit, RunError(unit.documents[0].display, message))


def _lost_outcome(unit: Unit, how: str) -> Outcome:
    analysis = _lost_analysis(unit, how)
    return Outcome(analysis, Settled(analysis, analysis))
