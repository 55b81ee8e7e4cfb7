"""Too many alternatives: fewer that still tell apart what is known, before the bound on them takes any of it."""

from __future__ import annotations

from mpfix.semantic.alternatives import Alternatives
from mpfix.semantic.guards import TRUE, Guard, Lost, bounded, conjoin, either, negate
from mpfix.semantic.literals import Tangle, depth
from mpfix.semantic.values import NONE, Bound, Library, Loop, Mapping, Sequence, Unknown, Value

SPARE = 4
"""Alternatives are joined until there is room for this many more: the next write does not join them again."""

MOST_NESTED = 16
"""Losses inside each other in a guard that is the sum of others."""


def says_nothing(value: Value) -> bool:
    """Whether nothing is known of a value.

    Nobody knows it, or it varies in a loop and nobody knows it anywhere, or it is what `None` has not.
    """
    if isinstance(value, Loop):
        return isinstance(value.widened, Unknown) and isinstance(value.initial, Unknown)
    if isinstance(value, Bound):
        return value.receiver == NONE and isinstance(value.function, Library)
    return isinstance(value, Unknown)


def loses_something(alternatives: Alternatives[Value]) -> bool:
    """Whether a value that somebody knows is lost where all of these become unknown."""
    return not all(says_nothing(value) for _, value in alternatives)


def joined_contents(contents: list[Value]) -> tuple[Value, bool] | None:
    """Contents of one list or dict as one, and whether something known is lost; None where they are contents of none.

    A list may hold the items of all, as after a loop that adds to it; a dict has what it has in each of them.
    """
    sequences = [one for one in contents if isinstance(one, Sequence)]
    if len(sequences) == len(contents):
        return Sequence(tuple(dict.fromkeys(item for one in sequences for item in one.items)), True), False
    mappings = [one for one in contents if isinstance(one, Mapping)]
    if len(mappings) < len(contents):
        return None
    common = tuple(pair for pair in mappings[0].entries if all(pair in one.entries for one in mappings))
    lost = (value for one in mappings for pair in one.entries if pair not in common for value in pair[1:])
    return Mapping(common, True), not all(map(says_nothing, lost))


def condensed(
    alternatives: Alternatives[Value], limit: int, unknown: Value, literals: int
) -> Alternatives[Value] | None:
    """At most `limit` alternatives with the same known values, all others as one `unknown`; None where that fails."""
    same = [(guard, unknown if says_nothing(value) else value) for guard, value in alternatives]
    joined = _joined_neighbours(same, max(limit - SPARE, 1))
    if len(joined) > limit:
        if len({value for _, value in same}) > limit:
            return None
        joined = _by_value(same)
    return tuple((bounded(guard, literals), value) for guard, value in joined)


def _joined_neighbours(alternatives: list[tuple[Guard, Value]], enough: int) -> list[tuple[Guard, Value]]:
    """One alternative for neighbours with one value, the oldest first, until there are few enough."""
    joined: list[tuple[Guard, Value]] = []
    for index in range(len(alternatives) - 1, -1, -1):
        guard, value = alternatives[index]
        if joined and joined[-1][1] == value and index + 1 + len(joined) > enough:
            joined[-1] = (either_or_tangle(guard, joined[-1][0]), value)
        else:
            joined.append((guard, value))
    joined.reverse()
    return joined


def _by_value(alternatives: list[tuple[Guard, Value]]) -> list[tuple[Guard, Value]]:
    """One alternative for each value, under all that says it; what holds where no other does comes last, as it was."""
    last = alternatives[-1][1] if not alternatives[-1][0] else None
    found: dict[Value, Guard] = {}
    for guard, value in reversed(alternatives):
        opposite = negate(guard)
        for other in [one for one in found if one != value]:
            left = conjoin(found[other], opposite) if opposite is not None else None
            if left is None:
                del found[other]
            else:
                found[other] = left
        before = found.pop(value, None)
        if value != last:
            found[value] = guard if before is None else either_or_tangle(guard, before)
    by_value = [(guard, value) for value, guard in reversed(found.items())]
    return [*by_value, (TRUE, last)] if last is not None else by_value


def either_or_tangle(a: Guard, b: Guard) -> Guard:
    """Where `a` or `b` holds; losses inside losses, which grow with each guard that is added, are one loss then."""
    both = either(a, b) or TRUE
    return both if depth(both) <= MOST_NESTED else frozenset({(Lost(frozenset({(Tangle(hash(both)), True)})), True)})
