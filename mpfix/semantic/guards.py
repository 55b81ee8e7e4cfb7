"""Guards: conjunctions of literals, and lists of guarded values. Pure functions that know no Python and no framework.

A condition is any hashable object, compared by equality: the identity of an unknown value, `Equal`, `Switch`, `Lost`.
A literal says whether it holds, a guard is a conjunction of literals. There is no disjunction: `a or b` adds none.
What is known never depends on the order of a set or on a hash: sorting is by `str` alone.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TypeVar

V = TypeVar("V")

Condition = Hashable
Literal = tuple[Condition, bool]
Guard = frozenset[Literal]
Alternatives = tuple[tuple[Guard, V], ...]
"""Guarded values, newest first: the first whose guard holds is the value."""

TRUE: Guard = frozenset()


@dataclass(frozen=True, slots=True)
class Equal:
    """The condition `subject == constant`. One subject equals at most one constant."""

    subject: Condition
    constant: Hashable

    def __str__(self) -> str:
        return f"{self.subject} == {_spelled(self.constant)}"


@dataclass(frozen=True, slots=True)
class Switch:
    """The truth of a constant that people flip: a module-level boolean or an environment variable with a default."""

    name: str
    default: Hashable

    def __str__(self) -> str:
        return self.name


class Lost:
    """Literals that a bound removed from a guard: it holds when all of them hold. Stands only positive in a guard.

    A chain, because one path may lose thousands of literals one by one; equal losses are equal conditions.
    """

    __slots__ = ("_hash", "before", "dropped", "length")

    def __init__(self, dropped: Guard, before: Lost | None = None) -> None:
        self.dropped = dropped
        self.before = before
        self.length: int = 1 if before is None else before.length + 1
        self._hash: int = hash((dropped, 0 if before is None else before._hash))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Lost):
            return NotImplemented
        mine: Lost | None = self
        yours: Lost | None = other
        while mine is not yours:
            if mine is None or yours is None or mine._hash != yours._hash or mine.dropped != yours.dropped:
                return False
            mine, yours = mine.before, yours.before
        return True

    def __str__(self) -> str:
        return "other conditions"

    def __repr__(self) -> str:
        return f"Lost({self.length})"


def contradicts(a: Guard, b: Guard) -> bool:
    """Whether `a` and `b`, each possible alone, cannot hold together."""
    if not a or not b:
        return False
    if len(a) > len(b):
        a, b = b, a
    for condition, holds in a:
        if (condition, not holds) in b or (holds and type(condition) is Equal and _equals_another(b, condition)):
            return True
    return False


def implies(path: Guard, guard: Guard) -> bool:
    """Whether `guard` holds wherever `path` does, as far as the literals show it."""
    return guard <= path or not relative(guard, path)


def relative(guard: Guard, base: Guard) -> Guard:
    """The literals of `guard` that `base` does not imply."""
    if not guard or not base:
        return guard
    rest = guard - base
    if not rest or not any(_follows(literal, base) for literal in rest):
        return rest
    return frozenset(literal for literal in rest if not _follows(literal, base))


def conjoin(a: Guard, b: Guard, limit: int | None = None) -> Guard | None:
    """Both guards at once; None when they contradict. Beyond `limit` literals those of `a`, the older, go first."""
    if not b:
        return a
    if contradicts(a, b):
        return None
    joined = a | b if a else b
    return joined if limit is None or len(joined) <= limit else bounded(joined, limit, newest=b)


def bounded(guard: Guard, limit: int, newest: Guard = TRUE) -> Guard:
    """`guard` with at most `limit` literals and, when some had to go, one `Lost` literal for all of them.

    Literals with the same text go or stay together, so that the choice is the same on every machine.
    """
    losses = [condition for condition, _ in guard if isinstance(condition, Lost)]
    excess = len(guard) - len(losses) - limit
    if excess <= 0:
        return guard
    plain = [literal for literal in guard if not isinstance(literal[0], Lost)]
    ranked = sorted((literal in newest, str(literal[0]), literal[1]) for literal in plain)
    last = ranked[excess - 1]
    dropped = frozenset(item for item in plain if (item in newest, str(item[0]), item[1]) <= last)
    return (guard - dropped - {(loss, True) for loss in losses}) | {(_chained(dropped, losses), True)}


def is_maybe(guard: Guard) -> bool:
    """Whether `guard` lost a literal to a bound: what it guards proves nothing."""
    return any(isinstance(condition, Lost) for condition, _ in guard)


def negate(guard: Guard) -> Guard | None:
    """The opposite of a guard of one literal; None when it is not one literal."""
    if len(guard) != 1:
        return None
    ((condition, holds),) = guard
    return None if isinstance(condition, Lost) else frozenset(((condition, not holds),))


def common(a: Guard, b: Guard, base: Guard = TRUE) -> Guard:
    """What holds after an `if` whose two sides, entered under `base`, both fall through as `a` and `b`."""
    shared = a & b
    return shared if base <= shared else base | relative(shared, base)


def write(alternatives: Alternatives[V], guard: Guard, value: V, limit: int, overflow: V) -> Alternatives[V]:
    """`alternatives` after `value` was stored under `guard`.

    Entries that can no longer be reached go. Beyond `limit` entries the oldest collapse into `overflow`, always valid.
    """
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
    if len(kept) > limit:
        kept[max(limit - 1, 0) :] = [(TRUE, overflow)]
    return tuple(kept)


def project(alternatives: Alternatives[V], path: Guard) -> list[tuple[Guard, V]]:
    """The alternatives that are possible under `path`, newest first, with guards relative to it.

    A later guard says what the earlier ones leave: the negation of those that come down to one literal.
    """
    known = path
    above: list[Guard] = []
    found: list[tuple[Guard, V]] = []
    for guard, value in alternatives:
        if not guard and known is path and not above:
            found.append((guard, value))
            break
        rest = relative(guard, known)
        here = None if contradicts(rest, known) else _below(rest, above, known)
        if here is None:
            continue
        found.append((here if known is path else (known - path) | here, value))
        if not rest:
            break
        opposite = negate(rest)
        if opposite is None:
            above.append(rest)
        else:
            known = known | opposite
    return found


def needs_switch_against_default(guard: Guard) -> bool:
    """Whether `guard` holds only where some switch is set against its default."""
    return any(_default_of(condition) is (not holds) for condition, holds in guard)


def describe(guard: Guard) -> str:
    """`guard` for people, such as "`args.amp` and not `cfg.debug`"; empty when it always holds."""
    ones = {condition.subject for condition, holds in guard if holds and isinstance(condition, Equal)}
    told = [
        literal for literal in guard if literal[1] or not (isinstance(literal[0], Equal) and literal[0].subject in ones)
    ]
    told.sort(key=lambda literal: (isinstance(literal[0], Lost), str(literal[0]), literal[1]))
    return " and ".join(dict.fromkeys(_literal_text(condition, holds) for condition, holds in told))


def _literal_text(condition: Condition, holds: bool) -> str:
    if isinstance(condition, Lost):
        return str(condition)
    if isinstance(condition, Equal) and not holds:
        return f"`{condition.subject} != {_spelled(condition.constant)}`"
    return f"`{condition}`" if holds else f"not `{condition}`"


def _spelled(constant: Hashable) -> str:
    return json.dumps(constant, ensure_ascii=False) if isinstance(constant, str) else str(constant)


def _default_of(condition: Condition) -> bool | None:
    """Whether `condition` holds by default; None when no switch says so."""
    if isinstance(condition, Switch):
        return bool(condition.default)
    if isinstance(condition, Equal) and isinstance(condition.subject, Switch):
        return bool(condition.subject.default == condition.constant)
    return None


def _equals_another(guard: Guard, equal: Equal) -> bool:
    """Whether `guard` says that the subject of `equal` equals another constant."""
    return any(
        holds and type(other) is Equal and other.subject == equal.subject and other.constant != equal.constant
        for other, holds in guard
    )


def _follows(literal: Literal, base: Guard) -> bool:
    """Whether `base` implies a literal that it does not hold itself."""
    condition, holds = literal
    if type(condition) is Equal:
        return not holds and _equals_another(base, condition)
    return type(condition) is Lost and _holds_all(condition, base)


def _holds_all(loss: Lost | None, base: Guard) -> bool:
    """Whether `base` still holds every literal that `loss` stands for."""
    while loss is not None and (loss, True) not in base:
        if not loss.dropped <= base:
            return False
        loss = loss.before
    return True


def _chained(dropped: Guard, losses: list[Lost]) -> Lost:
    """One loss for `dropped` and earlier `losses`; the longest of them is the chain to extend."""
    if len(losses) <= 1:
        return Lost(dropped, losses[0] if losses else None)
    longest = max(loss.length for loss in losses)
    tails = [loss for loss in losses if loss.length == longest]
    before = tails[0] if len(tails) == 1 else None
    return Lost(dropped | {(loss, True) for loss in losses if loss is not before}, before)


def _widened(cover: Guard, guard: Guard) -> Guard:
    """What `cover` and `guard` hold together: without the one literal in which `guard` is its complement."""
    if not guard:
        return TRUE
    opposite = [(condition, not holds) for condition, holds in guard if (condition, not holds) in cover]
    if len(opposite) != 1:
        return cover
    literal = opposite[0]
    return cover - {literal} if guard - {(literal[0], not literal[1])} <= cover else cover


def _below(rest: Guard, above: list[Guard], known: Guard) -> Guard | None:
    """`rest` with what the longer guards `above` leave of it; None when they leave nothing."""
    if not above:
        return rest
    here = rest
    for guard in above:
        full = known | here
        if contradicts(guard, full):
            continue
        left = relative(guard, full)
        if not left:
            return None
        here = here | (negate(left) or TRUE)
    return here
