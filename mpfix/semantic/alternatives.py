"""Lists of guarded values: what a cell or a choice may be, and where. Pure functions, as those on guards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from mpfix.semantic.guards import TRUE, Guard, conjoin, contradicts, implies, negate, relative, united
from mpfix.semantic.literals import Every, Lost

V = TypeVar("V")

Alternatives = tuple[tuple[Guard, V], ...]
"""Guarded values, newest first: the first whose guard holds is the value."""

MAX_CARRIED = 8
"""Literals of longer guards whose opposite the guards of later alternatives spell out; the order says it anyway."""


def write(alternatives: Alternatives[V], guard: Guard, value: V) -> Alternatives[V]:
    """`alternatives` after `value` was stored under `guard`; entries that can no longer be reached are gone."""
    if not guard:
        return ((TRUE, value),)
    kept = [(guard, value)]
    cover = guard
    for entry in alternatives:
        if implies(entry[0], cover):
            continue
        kept.append(entry)
        cover = _widened(cover, entry[0])
        if not entry[0] or not cover:
            break
    return tuple(kept)


def collapsed(alternatives: Alternatives[V], limit: int, overflow: V) -> Alternatives[V]:
    """The newest alternatives, `limit` with `overflow`, which is always valid and stands for all the others."""
    return (*alternatives[: max(limit - 1, 0)], (TRUE, overflow))


def project(alternatives: Alternatives[V], path: Guard) -> list[tuple[Guard, V]]:
    """The alternatives that are possible under `path`, newest first, with guards relative to it.

    A later guard says what the earlier ones leave.
    """
    known, weight = path, 0
    found: list[tuple[Guard, V]] = []
    last = alternatives[-1] if alternatives else None
    for alternative in alternatives:
        guard, value = alternative
        rest = relative(guard, known)
        here = conjoin(known, rest)
        if here is None:
            continue
        found.append((here - path, value))
        if alternative is last:
            break
        weight += len(rest) if len(rest) > 1 else 0
        left = below(known, rest, weight)
        if left is None:
            break
        known = left
    return found


def remaining(alternatives: Alternatives[V], path: Guard) -> list[tuple[Guard, V]]:
    """As `project`, but a later guard does not repeat what the earlier ones leave: for lists whose order counts."""
    known, weight, last = path, 0, len(alternatives) - 1
    found: list[tuple[Guard, V]] = []
    for index, (guard, value) in enumerate(alternatives):
        rest = relative(guard, known)
        if rest and conjoin(known, rest) is None:
            continue
        found.append((rest, value))
        if not rest or index == last:
            break
        if index == last - 1 and not alternatives[last][0]:
            found.append(alternatives[last])  # `known` does not imply `rest`, so something is left for it
            break
        weight += len(rest) if len(rest) > 1 else 0
        left = below(known, rest, weight)
        if left is None:
            break
        known = left
    return found


def below(known: Guard, rest: Guard, weight: int) -> Guard | None:
    """What is known where `rest` does not hold either; None for nowhere. Disjunctions beyond a weight are left out."""
    if not rest:
        return None
    if len(rest) > 1 and weight > MAX_CARRIED:
        return known
    opposite = negate(rest)
    return conjoin(known, opposite) if opposite is not None else None


def _widened(cover: Guard, guard: Guard) -> Guard:
    """A guard that holds only where `cover` or `guard` does: `cover` without what `guard` is the opposite of."""
    if not guard:
        return TRUE
    for literal in guard:
        condition, holds = literal
        if type(condition) is Lost or (type(condition) is not Every and (condition, not holds) not in cover):
            continue
        opposite = condition.guard if type(condition) is Every else frozenset(((condition, not holds),))
        if opposite <= cover and guard - {literal} <= cover - opposite:
            return cover - opposite
    for literal in cover:
        if type(literal[0]) is Every and guard <= literal[0].guard | (cover - {literal}):
            return cover - {literal}
    return cover


def all_equal(alternatives: Sequence[tuple[Guard, V]]) -> bool:
    """Whether all alternatives have the value of the first."""
    first = alternatives[0][1]
    for _, value in alternatives:  # noqa: SIM110 - a generator takes twice as long here
        if value is not first and value != first:
            return False
    return True


def has_neighbours(flat: Sequence[tuple[Guard, V]]) -> bool:
    """Whether two alternatives in a row have the same value."""
    before = None
    for _, value in flat:
        if value == before:
            return True
        before = value
    return False


def without_repeats(flat: Sequence[tuple[Guard, V]]) -> list[tuple[Guard, V]]:
    """Alternatives that say only what the ones before them leave open, the same value once."""
    kept: list[tuple[Guard, V]] = []
    known: Guard | None = TRUE
    weight = 0
    for index, (guard, value) in enumerate(flat):
        rest = relative(guard, known) if known else guard
        if not rest and (not kept or kept[-1][1] != value):
            kept.append((rest, value))
            break
        if kept and kept[-1][1] == value:
            joined = united(kept[-1][0], rest)
            if joined is not None:
                kept[-1] = (joined, value)
                known = TRUE if len(kept) == 1 else known
                rest = joined
            else:
                kept.append((rest, value))
        elif known and contradicts(rest, known):
            continue
        else:
            kept.append((rest, value))
        if not rest or index == len(flat) - 1:
            break
        weight += len(rest) if len(rest) > 1 else 0
        known = below(known or TRUE, rest, weight)
        if known is None:
            break
    return kept
