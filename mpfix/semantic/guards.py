"""Guards: conjunctions of literals. Pure functions that know no Python and no framework.

The only disjunction is one literal, `(Every(guard), False)`: not all of `guard` hold; `Every` never stands positive,
its literals do. What is known never depends on the order of a set or on a hash: sorting is by `str` alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from mpfix.semantic.literals import (
    IMPLIED_KINDS,
    TRUE,
    Condition,
    Equal,
    Every,
    Guard,
    Literal,
    Lost,
    Switch,
    about,
    bounded,
    describe,
    holds_all,
    is_maybe,
    needs_switch_against_default,
    weight,
)

MAX_WEIGHT = 32
"""Literals in one disjunction, nested ones counted; the opposite of a heavier guard is lost."""

MOST_EXITS = 64
"""Exits with several literals that are looked at on a path that has lost literals already."""

__all__ = [
    "TRUE", "Condition", "Equal", "Every", "Guard", "Literal", "Lost", "Switch", "bounded", "conjoin", "contradicts",
    "describe", "either", "forget", "implies", "is_maybe", "needs_switch_against_default", "negate", "outside",
    "relative", "united", "weight",
]  # fmt: skip


REMEMBERED = 1 << 15
"""Answers that each of the hot functions keeps; `forget` lets them go."""


def forget() -> None:
    """Let go of remembered answers, and of the syntax trees they hold."""
    for remembering in (_contradict, _relative, _conjoined, _clauses, negate):
        remembering.cache_clear()
    _abouts.clear()


_abouts: dict[Guard, frozenset[Condition]] = {}


def _about(guard: Guard) -> frozenset[Condition]:
    known = _abouts.get(guard)
    return known if known is not None else _speaks_of(guard, about(guard))


def _speaks_of(guard: Guard, conditions: frozenset[Condition]) -> frozenset[Condition]:
    """Remember what a guard speaks of."""
    if len(_abouts) >= REMEMBERED:
        _abouts.clear()
    _abouts[guard] = conditions
    return conditions


def contradicts(a: Guard, b: Guard) -> bool:
    """Whether `a` and `b`, each possible alone, cannot hold together, as far as the literals show it."""
    if not a or not b:
        return False
    return _contradict(a, b)


@lru_cache(maxsize=REMEMBERED)
def _contradict(a: Guard, b: Guard) -> bool:
    shared = _about(a) & _about(b)
    if not shared:
        return False
    small, large = (b, a) if len(a) > len(b) else (a, b)
    for condition, holds in small:
        if (condition, not holds) in large or (
            holds and type(condition) is Equal and _equals_another(large, condition)
        ):
            return True
    both: Guard | None = None
    for condition, _ in (*a, *b):
        if type(condition) is Every and not condition.about.isdisjoint(shared):
            both = a | b if both is None else both
            if condition.plain <= both and _denied(condition.guard, both):
                return True
    return False


def _denied(clause: Guard, both: Guard) -> bool:
    """Whether `both` says that all of `clause` hold, of which not all may."""
    for literal in clause - both:  # noqa: SIM110 - a generator takes twice as long here
        if not _follows(literal, both):
            return False
    return True


def implies(path: Guard, guard: Guard) -> bool:
    """Whether `guard` holds wherever `path` does, as far as the literals show it."""
    return guard <= path or not relative(guard, path)


def relative(guard: Guard, base: Guard) -> Guard:
    """What `guard` says beyond `base`: no literal that `base` implies, and what it leaves of disjunctions."""
    if not guard or not base:
        return guard
    return _relative(guard, base)


@lru_cache(maxsize=REMEMBERED)
def _relative(guard: Guard, base: Guard) -> Guard:
    rest = guard - base
    gone: list[Literal] = []
    left: Guard = TRUE
    for literal in rest:
        if type(literal[0]) not in IMPLIED_KINDS:
            continue
        if _follows(literal, base):
            gone.append(literal)
        elif (shortened := _shortened(literal, base)) is not None:
            gone.append(literal)
            left |= shortened
    return rest.difference(gone) | left if gone else rest


def conjoin(a: Guard, b: Guard, limit: int | None = None) -> Guard | None:
    """Both guards at once; None when they contradict. Beyond `limit` literals those of `a`, the older, go first."""
    if not b:
        return a
    return _conjoined(a, b, limit)


@lru_cache(maxsize=REMEMBERED)
def _conjoined(a: Guard, b: Guard, limit: int | None) -> Guard | None:
    if not a:
        return b if limit is None or len(b) <= limit else bounded(b, limit, newest=b)
    joined: Guard | None = a | b
    # each of the two is settled in itself: what they do to each other is about what both speak of
    about_a, about_b = _about(a), _about(b)
    shared = about_a & about_b
    if shared and _contradict(a, b):
        return None
    if shared and _interact(a, b, shared):
        joined = _settled(_without_other_constants(a | b), shared)
    else:
        _speaks_of(a | b, about_a | about_b)
    return joined if joined is None or limit is None or len(joined) <= limit else bounded(joined, limit, newest=b)


def _interact(a: Guard, b: Guard, shared: frozenset[Condition]) -> bool:
    """Whether the literals of `b` may shorten or imply those of `a`, or the other way round."""
    equals = 0
    for condition, _ in (*a, *b):
        if type(condition) is Every and not condition.about.isdisjoint(shared):
            return True
        equals += type(condition) is Equal
    return equals > 1


def _without_other_constants(guard: Guard) -> Guard:
    """`x == 1` says that `x` is nothing else."""
    known = {condition.subject for condition, holds in guard if holds and type(condition) is Equal}
    if not known:
        return guard
    return frozenset(one for one in guard if one[1] or type(one[0]) is not Equal or one[0].subject not in known)


@lru_cache(maxsize=REMEMBERED)
def negate(guard: Guard) -> Guard | None:
    """The opposite of a guard; None when that cannot be. One too heavy to reason about is lost."""
    if not guard:
        return None
    if len(guard) == 1:
        ((condition, holds),) = guard
        if type(condition) is Every:
            return condition.guard
        if type(condition) is not Lost:
            return frozenset(((condition, not holds),))
    opposite = Every(guard)
    literal: Literal = (opposite, False)
    if opposite.maybe or opposite.weight > MAX_WEIGHT:
        literal = (Lost(frozenset((literal,))), True)
    return frozenset((literal,))


def either(a: Guard | None, b: Guard | None) -> Guard | None:
    """Where `a` or `b` holds; None stands for nowhere."""
    if a is None or b is None:
        return b if a is None else a
    joined = united(a, b)
    if joined is not None:
        return joined
    first, second = negate(a), negate(b)
    both = conjoin(first, second) if first is not None and second is not None else None
    return TRUE if both is None else negate(both)


def outside(path: Guard, exits: Iterable[Guard], limit: int | None = None) -> Guard | None:
    """What holds on `path` where none of `exits` does; None when they leave nothing of it."""
    waiting: list[Guard] = []
    for one in exits:
        rest = relative(one, path)
        if len(rest) > 1:
            waiting = _with(waiting, rest)
            continue
        left = _without(path, rest, limit)
        if left is None:
            return None
        path = left
    for index, one in enumerate(waiting):
        if index >= MOST_EXITS and is_maybe(path):
            break  # what more is lost makes no difference
        left = _without(path, relative(one, path), limit)
        if left is None:
            return None
        path = left
    return path


def _equals_another(guard: Guard, equal: Equal) -> bool:
    """Whether `guard` says that the subject of `equal` equals another constant."""
    for other, holds in guard:
        if holds and type(other) is Equal and other.subject == equal.subject and other.constant != equal.constant:
            return True
    return False


def _follows(literal: Literal, base: Guard) -> bool:
    """Whether `base` implies a literal that it does not hold itself."""
    condition, holds = literal
    if type(condition) is Equal:
        return not holds and _equals_another(base, condition)
    if type(condition) is Every:
        return not condition.about.isdisjoint(_about(base)) and _denies(base, condition)
    return type(condition) is Lost and holds_all(condition, base)


def _denies(base: Guard, every: Every) -> bool:
    """Whether `base` says that `every` does not hold."""
    if not every.opposites.isdisjoint(base):
        return True
    for equal in every.equals:
        if _equals_another(base, equal):
            return True
    for inner in every.every:
        if inner <= base:
            return True
    for clause in _clauses(base):  # noqa: SIM110 - as above
        if clause <= every.guard:
            return True
    return False


@lru_cache(maxsize=REMEMBERED)
def _clauses(guard: Guard) -> tuple[Guard, ...]:
    """What the disjunctions of a guard say not to hold together."""
    return tuple([condition.guard for condition, _ in guard if type(condition) is Every])


def _shortened(literal: Literal, base: Guard) -> Guard | None:
    """What is left of a disjunction under `base`; None for a literal that stays as it is."""
    condition = literal[0]
    if type(condition) is not Every or condition.about.isdisjoint(_about(base)):
        return None
    left = condition.guard - base
    implied = [part for part in left - condition.plain if _follows(part, base)]
    if implied:
        left = left.difference(implied)
    if not left or len(left) == len(condition.guard):
        return None
    return negate(left) or TRUE


def _settled(guard: Guard, shared: frozenset[Condition]) -> Guard | None:
    """A guard with its disjunctions about `shared` shortened by its other literals; None where nothing can hold."""
    again = True
    while again:
        again = False
        for literal in _clauses_about(guard, shared):
            if literal not in guard:
                continue
            rest = guard - {literal}
            if _follows(literal, rest):
                guard = rest
                continue
            left = _shortened(literal, rest)
            if left is None:
                continue
            if contradicts(rest, left):
                return None
            guard, again = rest | left, True
            shared |= _about(left)
    return guard


def _stands_alone(every: Every, guard: Guard) -> bool:
    """Whether the other literals of `guard` surely say nothing about a disjunction of it."""
    if (
        len(every.plain) < len(every.guard)
        or not every.guard.isdisjoint(guard)
        or not every.opposites.isdisjoint(guard)
    ):
        return False
    for clause in _clauses(guard):  # noqa: SIM110 - as above
        if clause < every.guard:
            return False
    return True


def _clauses_about(guard: Guard, shared: frozenset[Condition]) -> list[Literal]:
    """The disjunctions that speak of something in `shared` and that others may shorten or imply, in a fixed order."""
    found: list[Literal] = []
    for literal in guard:
        every = literal[0]
        if type(every) is Every and not every.about.isdisjoint(shared) and not _stands_alone(every, guard):
            found.append(literal)
    return sorted(found, key=_clause_text) if len(found) > 1 else found


def _clause_text(literal: Literal) -> str:
    return str(literal[0])


def _without(path: Guard, exit_guard: Guard, limit: int | None) -> Guard | None:
    if contradicts(exit_guard, path):
        return path
    opposite = negate(exit_guard)
    return None if opposite is None else conjoin(path, opposite, limit)


def _with(guards: list[Guard], added: Guard) -> list[Guard]:
    """Guards with one more; it joins one of the last where both together are one guard."""
    for index in range(len(guards) - 1, max(len(guards) - 9, -1), -1):
        joined = united(guards[index], added)
        if joined is not None:
            return _with(guards[:index] + guards[index + 1 :], joined)
    return [*guards, added]


def united(a: Guard, b: Guard) -> Guard | None:
    """The guard that holds where `a` or `b` does; None where that is no conjunction of their literals."""
    if a <= b or b <= a:
        return a if len(a) < len(b) else b
    shared = a & b
    opposite = negate(a - shared)
    return shared if opposite == b - shared else None
