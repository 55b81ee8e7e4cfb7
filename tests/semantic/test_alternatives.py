"""The bound on alternatives: what is put together before anything known becomes unknown, and what counts as a cut."""

from __future__ import annotations

from stub_library import trace

MANY = range(20)


def source(*lines: str) -> str:
    return "\n".join(("import lib", "args = lib.args()", *lines, ""))


def test_known_alternatives_beyond_the_bound_are_a_cut() -> None:
    lines = [f"if args.a{index}: x = {index}" for index in MANY]

    assert {cut.bound for cut in trace(source("x = None", *lines)).cuts} == {"alternatives of a value"}


def test_alternatives_that_nobody_knows_are_put_together_before_a_known_one_goes() -> None:
    lines = [f"if args.a{index}: x = args.b{index}" for index in MANY]

    assert not trace(source("x = 1", *lines)).cuts


def test_what_a_loop_varies_and_nobody_knows_is_no_loss() -> None:
    lines = [f"    if args.a{index}: x = args.b{index}" for index in MANY]

    assert not trace(source("x = args.x", "for _ in args.items:", *lines)).cuts


def test_many_comparisons_say_no_more_than_where_they_are_true() -> None:
    lines = [f"if args.a{index}: x = args.b{index}" for index in range(12)]
    program = ("x = args.x", *lines, "lib.show(1)", "if x == 3: lib.show(2)")

    assert not trace(source(*program)).cuts


def test_few_values_under_many_guards_are_each_one_alternative() -> None:
    body = [f"    if args.a{index}: return {index % 3} if args.b{index} else args.c{index}" for index in range(12)]

    assert not trace(source("def f():", *body, "lib.show(f())")).cuts


def test_what_all_contents_hold_is_kept_where_there_are_too_many() -> None:
    entries = [f"if args.a{index}: d['k{index}'] = args.b{index}" for index in range(6)]
    items = [f"if args.a{index}: l.append(args.b{index})" for index in range(6)]

    assert not trace(source("d = {'k': 1}", *entries)).cuts
    assert not trace(source("l = [1]", *items)).cuts
    assert {cut.bound for cut in trace(source("d = {}", "if args.k: d['k'] = 1", *entries)).cuts} == {
        "alternatives of a value"
    }
