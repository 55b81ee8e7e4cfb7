"""Literals: conditions that may hold or not, what they say by default, and how they read. No Python, no framework.

A condition is any hashable object, compared by equality: the identity of an unknown value, `Equal`, `Switch`, `Every`,
`Lost`. A literal says whether it holds, a guard is a conjunction of literals.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import dataclass

Condition = Hashable
Literal = tuple[Condition, bool]
Guard = frozenset[Literal]
TRUE: Guard = frozenset()

MAX_DESCRIPTION = 240
"""Characters of a guard for people."""


class Equal:
    """The condition `subject == constant`. One subject equals at most one constant."""

    __slots__ = ("_hash", "constant", "subject")

    def __init__(self, subject: Condition, constant: Hashable) -> None:
        self.subject, self.constant = subject, constant
        self._hash: int = hash((Equal, subject, constant))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal) and self.subject == other.subject and self.constant == other.constant

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Equal({self})"

    def __str__(self) -> str:
        return f"{self.subject} == {_spelled(self.constant)}"


@dataclass(frozen=True, slots=True)
class Switch:
    """The truth of a constant that people flip: a module-level boolean or an environment variable with a default.

    One that is `open` is a parameter that callers of tomorrow may pass: neither of its sides needs an edit.
    """

    name: str
    default: Hashable
    open: bool = False

    def __str__(self) -> str:
        return self.name


class Every:
    """The condition that all literals of a guard hold. Stands only negated: `not (a and b)`, or `a or b`."""

    __slots__ = (
        "_hash", "_text", "about", "depth", "equals", "every", "guard", "maybe", "opposites", "plain", "weight",
    )  # fmt: skip

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.opposites: Guard = frozenset([(condition, not holds) for condition, holds in guard])
        """What each literal denies."""
        self.equals = tuple([part for part, holds in guard if holds and type(part) is Equal])
        self.every = tuple([part.guard for part, _ in guard if type(part) is Every])
        """The guards of the disjunctions in this one."""
        self.plain: Guard = frozenset([literal for literal in guard if type(literal[0]) not in IMPLIED_KINDS])
        """Literals that only a guard which holds them implies."""
        self.about: frozenset[Condition] = about(guard)
        self.weight: int = weight(guard)
        self.maybe: bool = is_maybe(guard)
        self.depth: int = depth(guard)
        self._hash: int = hash((Every, guard))
        self._text: str | None = None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Every) and self._hash == other._hash and self.guard == other.guard)

    def __str__(self) -> str:
        if self._text is None:
            self._text = " and ".join(sorted(_plain_text(*literal) for literal in self.guard))
        return self._text

    def __repr__(self) -> str:
        return f"Every({self})"


@dataclass(frozen=True, slots=True)
class Tangle:
    """A condition that is too long a tale to be told: losses inside losses. Stands only in what a guard lost."""

    key: int


class Lost:
    """Literals that a bound removed from a guard: it holds when all of them hold. Stands only positive in a guard.

    A chain, because one path may lose thousands of literals one by one; equal losses are equal conditions.
    """

    __slots__ = ("_hash", "before", "depth", "dropped", "length")

    def __init__(self, dropped: Guard, before: Lost | None = None) -> None:
        self.dropped = dropped
        self.before = before
        self.length: int = 1 if before is None else before.length + 1
        self.depth: int = max(1 + depth(dropped), 0 if before is None else before.depth)
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


IMPLIED_KINDS = frozenset({Equal, Every, Lost})
"""Kinds of conditions that a guard may imply without holding them."""


def weight(guard: Guard) -> int:
    """How many literals a guard holds, those of its disjunctions counted."""
    return sum(part.weight if type(part) is Every else 1 for part, _ in guard)


def depth(guard: Guard) -> int:
    """How many losses are inside each other in a guard."""
    return max((part.depth for part, _ in guard if type(part) is Every or type(part) is Lost), default=0)


def about(guard: Guard) -> frozenset[Condition]:
    """What a guard speaks of; guards about different things neither contradict nor imply each other."""
    found: set[Condition] = set()
    for condition, _ in guard:
        if type(condition) is Every:
            found |= condition.about
        else:
            found.add(condition.subject if type(condition) is Equal else condition)
    return frozenset(found)


def is_maybe(guard: Guard) -> bool:
    """Whether `guard` lost a literal to a bound: what it guards proves nothing."""
    return any(type(condition) is Lost or (type(condition) is Every and condition.maybe) for condition, _ in guard)


def needs_switch_against_default(guard: Guard, *, open_too: bool = False) -> bool:
    """Whether `guard` holds only where some switch is set against its default; those that are open count if asked."""
    return any(_by_default(literal, open_too) is False for literal in guard)


def describe(guard: Guard) -> str:
    """`guard` for people, such as "`args.amp` and not `cfg.debug`"; empty when it always holds."""
    ones = {condition.subject for condition, holds in guard if holds and isinstance(condition, Equal)}
    told = [
        literal for literal in guard if literal[1] or not (isinstance(literal[0], Equal) and literal[0].subject in ones)
    ]
    told.sort(key=lambda literal: (isinstance(literal[0], Lost), str(literal[0]), literal[1]))
    return " and ".join(_readable(list(dict.fromkeys(_literal_text(condition, holds) for condition, holds in told))))


def _readable(parts: list[str]) -> list[str]:
    """The parts of a description in their order; of a long one the shortest, and how many more there are."""
    if len(" and ".join(parts)) <= MAX_DESCRIPTION:
        return parts
    room, kept = MAX_DESCRIPTION, set()
    for part in sorted(parts, key=lambda one: (len(one), one)):
        room -= len(part) + len(" and ")
        if room < 0:
            break
        kept.add(part)
    count = len(parts) - len(kept)
    return [*(part for part in parts if part in kept), f"{count} more condition{'s' if count > 1 else ''}"]


def _literal_text(condition: Condition, holds: bool) -> str:
    if isinstance(condition, Lost):
        return str(condition)
    return f"`{_plain_text(condition, holds)}`" if holds or type(condition) is Equal else _negative_text(condition)


def _negative_text(condition: Condition) -> str:
    if isinstance(condition, Every):
        if all(not holds for _, holds in condition.guard):
            return "`" + " or ".join(sorted(str(part) for part, _ in condition.guard)) + "`"
        return f"not `{condition}`" if len(condition.guard) == 1 else f"not (`{condition}`)"
    return f"not `{condition}`"


def _plain_text(condition: Condition, holds: bool) -> str:
    """A literal as Python would say it."""
    if holds:
        return str(condition)
    if isinstance(condition, Equal):
        return f"{condition.subject} != {_spelled(condition.constant)}"
    if isinstance(condition, Every):
        if all(not holds for _, holds in condition.guard):
            return "(" + " or ".join(sorted(str(part) for part, _ in condition.guard)) + ")"
        return f"not ({condition})"
    return f"not {condition}"


def _spelled(constant: Hashable) -> str:
    return json.dumps(constant, ensure_ascii=False) if isinstance(constant, str) else str(constant)


def _by_default(literal: Literal, open_too: bool) -> bool | None:
    """Whether a literal holds where every switch has its default; None when switches do not decide it."""
    condition, holds = literal
    if isinstance(condition, Every):
        answers = [_by_default(inner, open_too) for inner in condition.guard]
        return True if False in answers else (None if None in answers else False)
    if isinstance(condition, Switch):
        return None if condition.open and not open_too else bool(condition.default) is holds
    if isinstance(condition, Equal) and isinstance(condition.subject, Switch):
        return bool(condition.subject.default == condition.constant) is holds
    return None


def bounded(guard: Guard, limit: int, newest: Guard = TRUE) -> Guard:
    """`guard` with at most `limit` literals and, when some had to go, one `Lost` literal for all of them.

    Literals with the same text go or stay together, so that the choice is the same on every machine.
    """
    losses = [condition for condition, _ in guard if isinstance(condition, Lost)]
    excess = len(guard) - len(losses) - limit
    if excess <= 0:
        return guard if len(losses) < 2 else _rest_of(guard, losses) | {(_chained(TRUE, losses), True)}
    plain = [literal for literal in guard if not isinstance(literal[0], Lost)]
    ranked = sorted((literal in newest, str(literal[0]), literal[1]) for literal in plain)
    last = ranked[excess - 1]
    dropped = frozenset(item for item in plain if (item in newest, str(item[0]), item[1]) <= last)
    return _rest_of(guard - dropped, losses) | {(_chained(dropped, losses), True)}


def _rest_of(guard: Guard, losses: list[Lost]) -> Guard:
    return guard - {(loss, True) for loss in losses}


def holds_all(loss: Lost | None, base: Guard) -> bool:
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
