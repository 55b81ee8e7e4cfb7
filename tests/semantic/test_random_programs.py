"""Random programs: what the interpreter says happens under each assignment of flags is what happens."""

from __future__ import annotations

import itertools
import re

import pytest
from concrete import Opaque, really_shown, said_to_be_shown
from random_programs import FLAGS, Programs
from stub_library import shown, trace

from mpfix.semantic.budget import Limits
from mpfix.semantic.guards import describe
from mpfix.semantic.roots import Trace

WIDE = Limits(
    alternatives=64, guard_literals=64, path_literals=64, exact_contexts=999, contexts=999, objects_per_site=99
)
ASSIGNMENTS = tuple(itertools.product((False, True), repeat=FLAGS))
MOST_OPAQUE = 0.1
"""Share of the assignments under which the interpreter may not know a value, where no bound is hit."""


def compare(seed: int, limits: Limits) -> int:
    """How many assignments were compared; the others have a value that nobody knows."""
    source = Programs(seed).make()
    occurrences = shown(trace(source, limits=limits))
    compared = 0
    for flags in ASSIGNMENTS:
        try:
            said = said_to_be_shown(occurrences, flags)
        except Opaque:
            continue
        assert said == really_shown(source, flags), f"seed {seed}, flags {flags}\n{source}"
        compared += 1
    return compared


@pytest.mark.parametrize("start", range(0, 60, 10))
def test_what_is_said_under_the_bounds_is_what_happens(start: int) -> None:
    compared = sum(compare(seed, Limits()) for seed in range(start, start + 10))

    assert compared > 0


@pytest.mark.parametrize("start", range(1000, 1020, 5))
def test_without_bounds_nearly_everything_is_said(start: int) -> None:
    compared = sum(compare(seed, WIDE) for seed in range(start, start + 5))

    assert compared >= (1 - MOST_OPAQUE) * 5 * len(ASSIGNMENTS)


def account(found: Trace) -> list[tuple[object, ...]]:
    """Everything that happened, without the numbers of objects, which reuse may save."""
    return [
        (
            type(occurrence.event).__name__,
            occurrence.place.sort_key,
            describe(occurrence.guard),
            re.sub(r"#\d+", "#", " ".join(map(str, getattr(occurrence.event, "values", ())))),
            [key.place.line for key in occurrence.loops],
            [place.sort_key for place in occurrence.chain],
        )
        for occurrence in found.occurrences
    ]


@pytest.mark.parametrize("start", range(2000, 2020, 5))
def test_reuse_changes_nothing(start: int) -> None:
    for seed in range(start, start + 5):
        source = Programs(seed).make()
        reused, again = (trace(source, limits=WIDE, reuse=reuse, last_pass=True) for reuse in (True, False))
        if not reused.cuts and not again.cuts:
            assert account(reused) == account(again), source
