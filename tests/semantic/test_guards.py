"""Guards against brute force: what they say about a program is what running it under every assignment gives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from mpfix.semantic.alternatives import Alternatives, collapsed, project, remaining, write
from mpfix.semantic.guards import (
    TRUE,
    Equal,
    Every,
    Guard,
    Literal,
    Lost,
    Switch,
    bounded,
    conjoin,
    contradicts,
    describe,
    either,
    forget,
    implies,
    is_maybe,
    needs_switch_against_default,
    negate,
    outside,
    relative,
)

BOOLEANS = ("a", "b", "c", "d", "e", "f")
CONSTANTS = ("x", "y", "z")
CONDITIONS = (*BOOLEANS, *(Equal("s", constant) for constant in CONSTANTS))
OVERFLOW = -1
UNLIMITED = 10_000

Assignment = dict[str, object]
Test = tuple[object, object]


def stored(cell: Alternatives[int], guard: Guard, value: int, limit: int) -> Alternatives[int]:
    """A write with its bound, as the store does it."""
    written = write(cell, guard, value)
    return written if len(written) <= limit else collapsed(written, limit, OVERFLOW)


@dataclass(frozen=True)
class Write:
    value: int


@dataclass(frozen=True)
class Read:
    pass


@dataclass(frozen=True)
class Leave:
    pass


@dataclass(frozen=True)
class Branch:
    test: Test
    body: tuple[object, ...]
    orelse: tuple[object, ...]


@dataclass(frozen=True)
class Bounds:
    path: int = UNLIMITED
    guard: int = UNLIMITED
    alternatives: int = UNLIMITED


@dataclass
class Guarded:
    """Runs both sides of every branch once, as the interpreter does, and keeps what each read saw."""

    bounds: Bounds
    cell: Alternatives[int] = ((TRUE, 0),)
    reads: dict[int, list[tuple[Guard, tuple[list[tuple[Guard, int]], ...]]]] = field(default_factory=dict)
    exits: list[Guard] = field(default_factory=list)

    def block(self, body: tuple[object, ...], path: Guard | None) -> Guard | None:
        for statement in body:
            if path is None:
                return None
            path = self.statement(statement, path)
        return path

    def statement(self, statement: object, path: Guard) -> Guard | None:
        if isinstance(statement, Write):
            guard = bounded(path, self.bounds.guard)
            self.cell = stored(self.cell, guard, statement.value, self.bounds.alternatives)
        elif isinstance(statement, Read):
            views = project(self.cell, path), remaining(self.cell, path)
            self.reads.setdefault(id(statement), []).append((path, views))
        elif isinstance(statement, Branch):
            return self.branch(statement, path)
        elif isinstance(statement, Leave):
            self.exits.append(path)
            return None
        return path

    def branch(self, statement: Branch, path: Guard) -> Guard | None:
        mark = len(self.exits)
        for test, body in zip(sides(statement.test), (statement.body, statement.orelse), strict=True):
            inside = conjoin(path, test, self.bounds.path) if test is not None else None
            self.block(body, inside)
        return outside(path, self.exits[mark:], self.bounds.path)


def sides(test: Test) -> tuple[Guard | None, Guard | None]:
    """Where a test is true and where it is false: a literal, `("and", ...)` or `("or", ...)`."""
    if test[0] not in ("and", "or"):
        guard = frozenset({test})
        return guard, negate(guard)
    joined: Guard | None = None if test[0] == "or" else TRUE
    for part in test[1]:
        yes, _ = sides(part)
        if test[0] == "or":
            joined = either(joined, yes)
        else:
            joined = conjoin(joined, yes) if joined is not None and yes is not None else None
            if joined is None:
                break
    return joined, TRUE if joined is None else negate(joined)


def run(body: tuple[object, ...], assignment: Assignment) -> Iterator[tuple[int, int]]:
    """Executes the program for real: (read, value seen) in order."""
    cell = 0
    waiting = list(reversed(body))
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, Write):
            cell = statement.value
        elif isinstance(statement, Read):
            yield id(statement), cell
        elif isinstance(statement, Branch):
            taken = statement.body if is_true(statement.test, assignment) else statement.orelse
            waiting.extend(reversed(taken))
        else:
            return


def is_true(test: Test, assignment: Assignment) -> bool:
    if test[0] in ("and", "or"):
        return (any if test[0] == "or" else all)(is_true(part, assignment) for part in test[1])
    return holds(test, assignment)


def holds(literal: Literal, assignment: Assignment) -> bool:
    condition, value = literal
    if isinstance(condition, Every):
        return satisfied(condition.guard, assignment) is value
    if isinstance(condition, Lost):
        return satisfied(condition.dropped, assignment) and (
            condition.before is None or holds((condition.before, True), assignment)
        )
    if isinstance(condition, Equal):
        return (assignment[str(condition.subject)] == condition.constant) is value
    return assignment[str(condition)] is value


def satisfied(guard: Guard, assignment: Assignment) -> bool:
    return all(holds(literal, assignment) for literal in guard)


def assignments() -> list[Assignment]:
    values = itertools.product(*([(False, True)] * len(BOOLEANS)), (*CONSTANTS, "none"))
    return [dict(zip((*BOOLEANS, "s"), row, strict=True)) for row in values]


ASSIGNMENTS = assignments()
literals = st.tuples(st.sampled_from(CONDITIONS), st.booleans())
tests = st.recursive(
    literals,
    lambda inner: st.tuples(st.sampled_from(("and", "or")), st.lists(inner, min_size=2, max_size=3).map(tuple)),
    max_leaves=4,
)
plain = st.frozensets(literals, max_size=5).filter(
    lambda guard: any(satisfied(guard, assignment) for assignment in ASSIGNMENTS)
)
clauses = plain.filter(lambda guard: len(guard) > 1).map(lambda guard: (Every(guard), False))
guards = st.one_of(
    plain,
    st.tuples(plain, clauses).map(lambda both: conjoin(both[0], frozenset({both[1]}))).filter(lambda g: g is not None),
).filter(lambda guard: any(satisfied(guard, assignment) for assignment in ASSIGNMENTS))
simple = st.one_of(st.builds(Write, st.integers(1, 9)), st.builds(Read), st.builds(Leave))
blocks = st.recursive(
    st.lists(simple, max_size=3).map(tuple),
    lambda inner: st.lists(
        st.one_of(st.builds(Write, st.integers(1, 9)), st.builds(Read), st.builds(Branch, tests, inner, inner)),
        max_size=5,
    ).map(tuple),
    max_leaves=25,
)
bounds = st.builds(Bounds, st.integers(0, 3), st.integers(0, 3), st.integers(1, 4))


def fresh(body: tuple[object, ...]) -> tuple[object, ...]:
    """The program with every read an object of its own, so that reads can be told apart; it ends in one."""
    return (*(_fresh(statement) for statement in body), Read())


def _fresh(statement: object) -> object:
    if isinstance(statement, Branch):
        body, orelse = (tuple(_fresh(s) for s in side) for side in (statement.body, statement.orelse))
        return Branch(statement.test, body, orelse)
    return Read() if isinstance(statement, Read) else statement


def differences(body: tuple[object, ...], limits: Bounds) -> Iterator[tuple[int, int]]:
    """For each real read: the value that it gives and the one that the guards say."""
    program = fresh(body)
    guarded = Guarded(limits)
    guarded.block(program, TRUE)
    for assignment in ASSIGNMENTS:
        for read, value in run(program, assignment):
            ((path, views),) = guarded.reads[read]
            assert satisfied(path, assignment)
            for seen in views:
                yield value, next(v for guard, v in seen if satisfied(guard, assignment))


@settings(max_examples=100, deadline=None)
@given(blocks)
def test_reads_give_what_execution_gives(body: tuple[object, ...]) -> None:
    for value, told in differences(body, Bounds()):
        assert told == value


@settings(max_examples=100, deadline=None)
@given(blocks, bounds)
def test_bounds_only_weaken(body: tuple[object, ...], limits: Bounds) -> None:
    for value, told in differences(body, limits):
        assert told in (value, OVERFLOW)


@settings(max_examples=80, deadline=None)
@given(blocks, bounds)
def test_bounds_keep_lists_and_guards_short(body: tuple[object, ...], limits: Bounds) -> None:
    guarded = Guarded(limits)
    guarded.block(fresh(body), TRUE)

    assert len(guarded.cell) <= limits.alternatives
    for guard, _ in guarded.cell:
        assert len([condition for condition, _ in guard if not isinstance(condition, Lost)]) <= limits.guard
        assert len([condition for condition, _ in guard if isinstance(condition, Lost)]) <= max(limits.guard, 1)


@settings(max_examples=60, deadline=None)
@given(guards, guards)
def test_contradiction_and_implication_are_sound(a: Guard, b: Guard) -> None:
    both = [x for x in ASSIGNMENTS if satisfied(a, x) and satisfied(b, x)]

    assert not (contradicts(a, b) and both)
    assert contradicts(a, b) == contradicts(b, a)
    if not any(isinstance(condition, Every) for condition, _ in a | b):
        assert contradicts(a, b) == (not both)
    if implies(a, b):
        assert all(satisfied(b, x) for x in ASSIGNMENTS if satisfied(a, x))
    joined = conjoin(a, b)
    assert both == ([] if joined is None else [x for x in ASSIGNMENTS if satisfied(joined, x)])


@settings(max_examples=60, deadline=None)
@given(guards, guards)
def test_relative_keeps_exactly_what_the_base_does_not_say(guard: Guard, base: Guard) -> None:
    rest = relative(guard, base)

    for assignment in ASSIGNMENTS:
        if satisfied(base, assignment):
            assert satisfied(rest, assignment) == satisfied(guard, assignment)


@settings(max_examples=60, deadline=None)
@given(guards, guards)
def test_either_and_the_opposite_are_exact(a: Guard, b: Guard) -> None:
    joined, opposite = either(a, b), negate(a)

    assert joined is not None
    for assignment in ASSIGNMENTS:
        assert satisfied(joined, assignment) == (satisfied(a, assignment) or satisfied(b, assignment))
        assert (opposite is not None and satisfied(opposite, assignment)) != satisfied(a, assignment)


@settings(max_examples=60, deadline=None)
@given(guards, st.lists(guards, max_size=5))
def test_outside_is_what_the_exits_leave(path: Guard, exits: list[Guard]) -> None:
    left = outside(path, exits)

    for assignment in ASSIGNMENTS:
        stays = satisfied(path, assignment) and not any(satisfied(one, assignment) for one in exits)
        assert (left is not None and satisfied(left, assignment)) == stays


@settings(max_examples=60, deadline=None)
@given(guards, guards, st.integers(0, 3))
def test_a_bounded_guard_means_the_same_and_is_maybe(a: Guard, b: Guard, limit: int) -> None:
    joined = conjoin(a, b)
    if joined is None:
        return
    short = bounded(joined, limit, newest=b)

    assert is_maybe(short) == (len(joined) > limit)
    assert [x for x in ASSIGNMENTS if satisfied(short, x)] == [x for x in ASSIGNMENTS if satisfied(joined, x)]
    assert short == bounded(joined, limit, newest=b)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(guards, st.integers(1, 9)), max_size=8), guards, st.integers(1, 6))
def test_writes_under_any_guards_read_back(writes: list[tuple[Guard, int]], path: Guard, limit: int) -> None:
    cell: Alternatives[int] = ((TRUE, 0),)
    for guard, value in writes:
        cell = stored(cell, guard, value, limit)
    seen = project(cell, path)

    for assignment in (x for x in ASSIGNMENTS if satisfied(path, x)):
        real = next((v for g, v in reversed(writes) if satisfied(g, assignment)), 0)
        assert next(v for g, v in seen if satisfied(g, assignment)) in (real, OVERFLOW)
    for guard, _ in seen:
        assert not guard & path
        assert not contradicts(guard, path)


def guard_of(*texts: str) -> Guard:
    return frozenset((text.removeprefix("not "), not text.startswith("not ")) for text in texts)


def test_a_write_on_every_path_leaves_one_value() -> None:
    assert write(((guard_of("a"), 1), (TRUE, 0)), TRUE, 2) == ((TRUE, 2),)


def test_complements_hide_what_is_below() -> None:
    cell = write(((TRUE, 0),), guard_of("g", "a"), 1)
    cell = write(cell, guard_of("h"), 2)
    cell = write(cell, guard_of("g", "not a"), 3)

    assert project(cell, guard_of("g", "not h")) == [(guard_of("not a"), 3), (guard_of("a"), 1)]
    assert write(((guard_of("not a"), 1), (TRUE, 0)), guard_of("a"), 2) == (
        (guard_of("a"), 2),
        (guard_of("not a"), 1),
    )


def test_after_an_early_return_the_rest_knows_the_flag() -> None:
    cell = ((guard_of("amp"), 1), (TRUE, 0))

    assert project(cell, guard_of("amp")) == [(TRUE, 1)]
    assert project(cell, guard_of("not amp")) == [(TRUE, 0)]
    assert project(cell, TRUE) == [(guard_of("amp"), 1), (guard_of("not amp"), 0)]


def test_a_later_entry_knows_what_a_longer_guard_leaves() -> None:
    cell = ((guard_of("a", "b"), 1), (guard_of("a"), 2), (TRUE, 0))

    assert project(cell, TRUE) == [
        (guard_of("a", "b"), 1),
        (guard_of("a", "not b"), 2),
        (guard_of("not a"), 0),
    ]


def test_one_subject_equals_one_constant() -> None:
    half, single = Equal("cfg.dtype", "float16"), Equal("cfg.dtype", "float32")

    assert contradicts(frozenset({(half, True)}), frozenset({(single, True)}))
    assert implies(frozenset({(half, True)}), frozenset({(single, False)}))
    assert not contradicts(frozenset({(half, False)}), frozenset({(single, False)}))
    assert not contradicts(frozenset({(half, True)}), frozenset({(Equal("other", "float32"), True)}))


def test_a_loss_is_positive_only_and_the_same_for_the_same_literals() -> None:
    path = guard_of("a", "b", "c")
    first, second = bounded(path, 1), bounded(path, 1)

    assert first == second
    assert first == guard_of("c") | {(Lost(guard_of("a", "b")), True)}
    assert is_maybe(negate(first) or TRUE)
    assert relative(first, path) == TRUE


def test_ten_thousand_lost_literals_are_one_short_guard() -> None:
    def ladder() -> Guard:
        path: Guard = TRUE
        for index in range(10_000):
            path = conjoin(path, frozenset({(f"c{index:05}", False)}), 16) or TRUE
        return path

    first = ladder()
    forget()
    second = ladder()

    assert len(first) == 17
    assert first == second
    assert first is not second


def test_literals_with_one_text_go_together() -> None:
    class Twin:
        def __str__(self) -> str:
            return "twin"

    twins = frozenset({(Twin(), True), (Twin(), True), ("z", True)})

    assert {literal[0] for literal in bounded(twins, 2) if not isinstance(literal[0], Lost)} == {"z"}


def test_switches_remember_their_default() -> None:
    off, on = Switch("MIXED", False), Switch("MIXED", True)
    variable = Equal(Switch("AMP", "0"), "1")

    assert needs_switch_against_default(frozenset({(off, True)}))
    assert not needs_switch_against_default(frozenset({(off, False)}))
    assert needs_switch_against_default(frozenset({(on, False)}))
    assert needs_switch_against_default(frozenset({(variable, True)}))
    assert not needs_switch_against_default(guard_of("a"))


def test_guards_are_told_in_one_order() -> None:
    dtype = Equal("cfg.dtype", "float16")

    assert describe(TRUE) == ""
    assert describe(guard_of("args.amp", "not cfg.debug")) == "`args.amp` and not `cfg.debug`"
    assert describe(frozenset({(dtype, True), (Equal("cfg.dtype", "x"), False)})) == '`cfg.dtype == "float16"`'
    assert describe(frozenset({(dtype, False)})) == '`cfg.dtype != "float16"`'
    assert describe(negate(guard_of("not a", "not b")) or TRUE) == "`a or b`"
    assert describe(negate(guard_of("a", "b")) or TRUE) == "not (`a and b`)"
    assert describe(guard_of("a") | {(Lost(guard_of("b")), True)}) == "`a` and other conditions"
    assert describe(guard_of("a", "b" * 240, "c" * 240)) == "`a` and 2 more conditions"
    assert describe(guard_of("a", "b" * 200)) == f"`a` and `{'b' * 200}`", "what can be read is told"
