"""Calls: binding, contexts, depth, recursion, reuse, callbacks."""

from __future__ import annotations

from dataclasses import replace

from stub_library import story

from mpfix.semantic.budget import Limits


def test_arguments_bind_as_python_binds_them() -> None:
    assert story(
        """
        def f(a, b=2, *rest, k=3, **named):
            lib.show(a, b, rest, k, named.get("z"), len(named))
        f(1)
        f(1, 5, 6, 7, k=8, z=9)
        f(b=1, a=0)
        f(*(1, 2, 3), **{"k": 4, "z": 5})
        """
    ) == [
        "1, 2, (), 3, None, 0",
        "1, 5, (6, 7), 8, 9, 1",
        "0, 1, (), 3, None, 0",
        "1, 2, (3), 4, 5, 1",
    ]


def test_a_mutable_default_is_one_object() -> None:
    assert story(
        """
        def f(x, seen=[]):
            seen.append(x)
            return len(seen)
        lib.show(f(1), f(2))
        """
    ) == [
        "1, 2",
    ]


def test_after_four_contexts_numbers_and_free_strings_widen_and_words_stay() -> None:
    assert story(
        """
        def f(n):
            return n
        lib.show(f(1), f(2), f(3), f(4), f(5), f("float16"), f("other"))
        """
    ) == [
        "1, 2, 3, 4, n, 'float16', n",
    ]


def test_after_sixteen_contexts_a_call_is_cut() -> None:
    calls = "\n".join(f"class A{index}: pass\nf(A{index}())" for index in range(18))

    short = f"def f(o): lib.show(o is None)\n{calls}"

    assert story(short, limits=replace(Limits(), function_steps=1, calm_steps=0)) == ["False"] * 16
    assert story(short, limits=replace(Limits(), function_steps=1)) == ["False"] * 18, "a short program runs whole"
    assert story(short, limits=replace(Limits(), calm_steps=0)) == ["False"] * 18, "so does a function of few steps"


def test_calls_are_followed_sixteen_deep() -> None:
    deeper = "\n".join(f"def f{index}(n): return f{index - 1}(n)" for index in range(1, 18))
    functions = f"def f0(n):\n    lib.show(n)\n    return n\n{deeper}\n"

    assert story(f"{functions}lib.show(f15(1))\nlib.show(f17(2))") == ["1", "1", "f1(n)"]


def test_recursion_is_cut_at_its_second_round() -> None:
    assert story(
        """
        def f(n):
            if args.stop:
                return 0
            return f(n)
        lib.show(f(1))
        """
    ) == [
        "0 if `args.stop` | f(n)",
    ]


def test_a_call_whose_reads_changed_runs_again() -> None:
    assert story(
        """
        class B:
            n = 0
        b = B()
        def f():
            b.n = b.n + 1
            lib.show(b.n)
        f()
        f()
        f()
        """
    ) == [
        "1",
        "2",
        "3",
    ]


def test_closures_see_the_names_of_their_makers() -> None:
    assert story(
        """
        def outer(x):
            def inner(y):
                return x + y
            x = 10
            return inner
        lib.show(outer(1)(2))
        def counter():
            n = 0
            def add():
                nonlocal n
                n += 1
                return n
            return add
        add = counter()
        add()
        lib.show(add())
        fs = [lambda: k for k in (1, 2)]
        g = 1
        def change():
            global g
            g = 2
        change()
        lib.show(g)
        """
    ) == [
        "12",
        "2",
        "2",
    ]


def test_decorators_of_the_project_are_called_and_unknown_ones_change_nothing() -> None:
    assert story(
        """
        import functools
        def twice(f):
            @functools.wraps(f)
            def wrapped(*a, **k):
                f(*a, **k)
                return f(*a, **k)
            return wrapped
        def with_argument(n):
            def decorate(f):
                return lambda x: f(x) + n
            return decorate
        @twice
        def hello(x):
            lib.show(x)
            return x
        @with_argument(10)
        def plus(x):
            return x
        @lib.unknown
        def kept(x):
            return x
        lib.show(hello(1))
        lib.show(plus(1))
        lib.show(kept(1))
        """
    ) == [
        "1",
        "1",
        "1",
        "11",
        "1",
    ]


def test_partial_keeps_its_arguments() -> None:
    assert story(
        """
        import functools
        def f(a, b, k=0):
            return a, b, k
        lib.show(*functools.partial(f, 1, k=2)(3))
        lib.show(*functools.partial(f, 1, k=2)(3, k=4))
        """
    ) == [
        "1, 3, 2",
        "1, 3, 4",
    ]


def test_functions_handed_to_somebody_unseen_are_called_with_unknowns() -> None:
    assert story(
        """
        def f(x):
            lib.show("called", x)
        lib.register(f)
        import threading
        threading.Thread(target=f, args=(1,)).start()
        list(map(f, (1, 2)))
        """
    ) == [
        "'called', x",
        "'called', 1",
        "'called', 1",
        "'called', 2",
    ]


def test_what_several_unseen_functions_may_be_given_is_called_once() -> None:
    assert story(
        """
        def f(x):
            lib.show("called", x)
        data = lib.data()
        if lib.a:
            data = data.repeat()
        if lib.b:
            data = data.shuffle()
        lib.show(data.map(f))
        """
    ) == [
        "'called', x",
        "() if `lib.a` and `lib.b` | data.shuffle().map() if not `lib.a` and `lib.b` | "
        "data.repeat().map() if `lib.a` and not `lib.b` | data.map() if not `lib.a` and not `lib.b`",
    ]


def test_a_star_import_binds_the_names_that_the_library_knows() -> None:
    assert story(
        """
        from lib import *
        show(args)
        """
    ) == [
        "args",
    ]


def test_containers_do_what_python_containers_do() -> None:
    assert story(
        """
        d = {"a": 1}
        d["b"] = 2
        d.update(c=3)
        lib.show(d["a"], d["b"], d.get("c"), d.get("z", 9), d.pop("a"), "a" in d, len(d))
        for k, v in d.items():
            lib.show(k, v)
        l = [1]
        l.append(2)
        l.extend((3, 4))
        l += [5]
        l.insert(0, 0)
        lib.show(l[0], l[-1], len(l), l[1:3], 3 in l, l.pop())
        a, *b = l
        lib.show(a, b)
        (x, y), z = (1, 2), 3
        lib.show(x, y, z)
        l[0] = 7
        lib.show(l[0])
        s = {1, 2}
        s.add(3)
        lib.show(len(s))
        """
    ) == [
        "1, 2, 3, 9, 1, False, 2",
        "'b', 2",
        "'c', 3",
        "0, 5, 6, (1, 2), True, 5",
        "0, (0, 1, 2, 3, 4, ...)",
        "1, 2, 3",
        "7",
        "3",
    ]


def test_plain_operators_on_constants_are_computed() -> None:
    assert story(
        """
        n = 3
        lib.show(f"a{n}", "a" + "b", "A".lower(), f"{args.x}", "x".startswith("x"), -n, not n, n ** 2)
        """
    ) == [
        "'a3', 'ab', 'a', f'{args.x}', True, -3, False, 9",
    ]


def test_text_that_is_known_is_split() -> None:
    assert story(
        """
        for part in "keras.layers".split("."):
            lib.show(part)
        lib.show(args.path.split("."))
        """
    ) == [
        "'keras'",
        "'layers'",
        "args.path.split()",
    ]


def test_a_missing_name_is_unknown() -> None:
    assert story(
        """
        try:
            x = undefined
        except NameError:
            x = 1
        lib.show(x)
        """
    ) == [
        "1 if `an exception in line 4` | undefined",
    ]


def test_rows_that_nobody_counted_are_turned_into_columns() -> None:
    assert story(
        """
        rows = [(1, "a") for one in unknown]
        numbers, words = zip(*rows)
        for number, word in zip(numbers, words):
            lib.show(number, word)
        """
    ) == [
        "1, 'a' in a loop",
    ]


def test_functions_that_nobody_reaches_are_called_as_each_other_call_them() -> None:
    assert story(
        """
        def head(classes, top=True):
            if top:
                lib.show("a head")
            lib.show(classes)
        def small():
            return head(10, top=False)
        def free(top=True):
            if top:
                lib.show("as outsiders call it")
        """,
        last_pass=True,
    ) == [
        "10",
        "'as outsiders call it' if `top`",
    ]
