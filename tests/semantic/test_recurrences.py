"""Loops: short ones unrolled, others learnt, their values varying."""

from __future__ import annotations

from dataclasses import replace

from stub_library import story, trace

from mpfix.semantic.budget import Limits


def test_loops_inside_each_other_are_unrolled_up_to_32_bodies() -> None:
    inner = "for k in (1, 2, 3, 4, 5, 6, 7, 8):\n        for m in {}:\n            lib.show(k, m)"
    loops = f"for i in (1, 2, 3, 4):\n    {inner}"

    assert story(loops.format("(9,)")) == [f"{k}, 9" for _ in range(4) for k in range(1, 9)]
    assert story(loops.format("(9, 10)")) == [f"{k}, m in a loop" for _ in range(4) for k in range(1, 9)]


def test_a_loop_that_would_take_too_many_of_a_roots_steps_is_learnt() -> None:
    body = "    lib.work(i)\n" * 50
    loop = f"for i in (1, 2, 3, 4, 5, 6, 7, 8):\n{body}    lib.show(i)\nelse:\n    lib.show('else')\n"
    source = f"import lib\n{loop}"
    few = replace(Limits(), root_steps=trace(source).steps // 2, spare_steps=1)

    assert story(loop) == [*map(str, range(1, 9)), "'else'"]
    assert story(loop, limits=few) == ["1", "i in a loop", "'else'"]
    assert not trace(source, limits=few).cuts


def test_a_body_known_to_be_dear_is_learnt_at_once() -> None:
    body = "    lib.work(i)\n" * 50
    loops = f"def f(n):\n  for i in (1, 2, 3, 4, 5):\n{body}    lib.show(i)\nf(1)\nf(2)\n"
    few = replace(Limits(), root_steps=trace(f"import lib\n{loops}").steps * 3 // 5, spare_steps=1)

    assert story(loops, limits=few) == ["1", "i in a loop", "i in a loop"]


def test_a_known_sequence_is_unrolled() -> None:
    assert story(
        """
        total = 0
        for k in (1, 2, 3):
            if k == 2:
                continue
            total = total + k
        lib.show(total)
        for k in (1, 2):
            if args.stop:
                break
            lib.show(k)
        else:
            lib.show("else")
        """
    ) == [
        "4",
        "1 if not `args.stop`",
        "2 if not `args.stop`",
        "'else' if not `args.stop`",
    ]


def test_values_that_a_loop_changes_vary_in_it() -> None:
    assert story(
        """
        total = 0
        last = None
        count = 0
        for x in lib.data():
            total = total + x
            last = x
            count += 1
            lib.show(total)
        lib.show(total, last, count)
        """
    ) == [
        "total + x in a loop",
        "total + x, last, count + 1",
    ]


def test_what_is_made_while_loops_are_learnt_takes_no_place_of_what_they_make() -> None:
    assert story(
        """
        for a in lib.data():
            for b in lib.data():
                for c in lib.data():
                    for d in lib.data():
                        made = []
                        made.append(d)
                        lib.show(made[0])
        """
    ) == ["d in a loop in a loop in a loop in a loop"]


def test_a_value_reset_in_an_outer_loop_varies_in_the_inner_one() -> None:
    assert story(
        """
        for epoch in range(3):
            acc = 0
            for x in lib.data():
                acc = acc + x
                lib.show(acc)
            lib.show(acc)
        """
    ) == [
        "acc + x in a loop in a loop",
        "acc + x in a loop",
    ]


def test_a_counter_tested_twice_in_one_iteration_is_one_condition() -> None:
    assert story(
        """
        step = 0
        for x in lib.data():
            step += 1
            if step % 4 == 0:
                lib.show("apply")
            if step % 4 == 0:
                lib.show("again")
        """
    ) == [
        "'apply' in a loop if `(step + 1) % 4 == 0`",
        "'again' in a loop if `(step + 1) % 4 == 0`",
    ]


def test_an_endless_loop_without_break_does_not_fall_through() -> None:
    assert story(
        """
        n = 0
        while n < 10:
            n += 1
            if n == 5:
                break
            lib.show(n)
        lib.show("after")
        while True:
            lib.show("endless")
        lib.show("never")
        """
    ) == [
        "n + 1 in a loop if `n + 1 != 5` and `n < 10`",
        "'after'",
        "'endless' in a loop",
    ]


def test_a_break_falls_through_an_endless_loop() -> None:
    assert story(
        """
        while True:
            if args.a:
                break
            lib.show(1)
        lib.show(2)
        """
    ) == [
        "1 in a loop if not `args.a`",
        "2",
    ]


def test_a_return_in_a_learnt_loop_narrows_what_follows() -> None:
    assert story(
        """
        def f():
            for x in lib.data():
                if args.a:
                    return 1
                lib.show(x)
            lib.show("after")
            return 2
        lib.show(f())
        """
    ) == [
        "x in a loop if not `args.a`",
        "'after' if not `args.a`",
        "1 if `args.a` | 2",
    ]


def test_generators_give_their_elements_in_a_loop() -> None:
    assert story(
        """
        def numbers():
            yield 1
            yield 2
        for n in numbers():
            lib.show(n)
        def more():
            yield from numbers()
        for n in more():
            lib.show(n)
        """
    ) == [
        "n in a loop",
        "n in a loop",
    ]


def test_comprehensions_map_over_known_elements() -> None:
    assert story(
        """
        lib.show(*[x + 1 for x in (1, 2)])
        lib.show(len([x for x in (1, 2, 3) if x != 2]))
        d = {k: v for k, v in zip(("a", "b"), (1, 2))}
        lib.show(d["a"], d["b"], "a" in d, "z" in d)
        lib.show(sum(x for x in (1, 2)))
        lib.show([x for x in lib.data()][0])
        """
    ) == [
        "2, 3",
        "2",
        "1, 2, True, False",
        "3",
        "item of lib.data()",
    ]
