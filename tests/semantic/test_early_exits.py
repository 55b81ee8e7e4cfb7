"""Paths that end: what runs after them, and under which guard."""

from __future__ import annotations

from stub_library import story


def test_after_an_early_return_the_rest_knows_the_flag() -> None:
    assert story(
        """
        def f():
            if not args.amp:
                return 1
            lib.show("amp")
            return 2
        lib.show(f())
        """
    ) == [
        "'amp' if `args.amp`",
        "1 if not `args.amp` | 2",
    ]


def test_a_nested_return_leaves_what_not_both_conditions_say() -> None:
    assert story(
        """
        def f():
            if args.a:
                if args.b:
                    return 1
            lib.show("rest")
            return 2
        lib.show(f())
        """
    ) == [
        "'rest' if not (`args.a and args.b`)",
        "1 if `args.a` and `args.b` | 2",
    ]


def test_a_helper_that_raises_narrows_its_caller() -> None:
    assert story(
        """
        def check():
            if not args.amp:
                raise ValueError("no")
        check()
        lib.show("amp")
        """
    ) == [
        "'amp' if `args.amp`",
    ]


def test_sys_exit_in_a_helper_ends_that_path_of_the_program() -> None:
    assert story(
        """
        import sys
        def check():
            if args.help:
                sys.exit(0)
        check()
        lib.show("run")
        """
    ) == [
        "'run' if not `args.help`",
    ]


def test_nothing_runs_after_a_helper_that_always_raises() -> None:
    assert story(
        """
        def fail():
            raise ValueError("no")
        lib.show(1)
        fail()
        lib.show(2)
        """
    ) == [
        "1",
    ]


def test_a_call_whose_arguments_do_not_fit_raises() -> None:
    assert story(
        """
        def show(first, *, last=None):
            lib.show("in show")
        if args.none:
            show()
        elif args.name:
            show(1, other=2)
        else:
            show(1, last=2)
        lib.show("after")
        """
    ) == [
        "'in show' if not `args.name` and not `args.none`",
        "'after' if not `args.name` and not `args.none`",
    ]


def test_an_instance_that_cannot_be_made_ends_the_path() -> None:
    assert (
        story(
            """
        class Net:
            def __init__(self, depth):
                self.build(depth)
            def build(self):
                lib.show("never built")
        Net(*args.depths)
        lib.show("after")
        """
        )
        == []
    )


def test_a_misfit_goes_to_its_handler() -> None:
    assert story(
        """
        def old(x):
            lib.show("never")
        try:
            old(1, 2)
        except TypeError:
            lib.show("caught")
        """
    ) == [
        "'caught'",
    ]


def test_what_may_bring_arguments_of_its_own_fits() -> None:
    assert story(
        """
        @outside.inject
        def decorated(x):
            lib.show("decorated")
        class Base:
            def hook(self):
                "For heirs."
            def run(self):
                self.hook(1, 2)
                lib.show("after the hook")
        @outside.configurable
        class Net:
            def __init__(self, depth):
                lib.show("made")
        decorated()
        Base().run()
        Net()
        dict_ = outside.settings()
        Net(**dict_)
        """
    ) == [
        "'decorated'",
        "'after the hook'",
        "'made'",
        "'made'",
    ]


def test_os_exit_ends_the_path() -> None:
    assert story(
        """
        import os
        if args.a:
            os._exit(1)
        lib.show(1)
        """
    ) == [
        "1 if not `args.a`",
    ]


def test_a_try_body_may_have_stopped_anywhere() -> None:
    assert story(
        """
        try:
            x = lib.load()
        except OSError:
            x = 1
        lib.show(x)
        """
    ) == [
        "1 if `an exception in line 4` | x",
    ]


def test_what_the_program_raises_goes_to_the_handler_that_catches_it() -> None:
    assert story(
        """
        def risky():
            if args.bad:
                raise KeyError("x")
            return 1
        x = 0
        try:
            x = risky()
        except KeyError:
            lib.show("caught")
        finally:
            lib.show("finally")
        lib.show(x)
        """
    ) == [
        "'caught' if `an exception in line 9 or args.bad`",
        "'finally'",
        "1 if not `an exception in line 9` and not `args.bad` | 0",
    ]


def test_finally_runs_after_a_return() -> None:
    assert story(
        """
        def f():
            try:
                return 1
            finally:
                lib.show("finally")
            lib.show("never")
        lib.show(f())
        """
    ) == [
        "'finally'",
        "1",
    ]


def test_the_else_of_a_try_runs_where_nothing_was_raised() -> None:
    assert story(
        """
        try:
            lib.load()
        except OSError:
            lib.show("handler")
        else:
            lib.show("else")
        """
    ) == [
        "'else' if not `an exception in line 4`",
        "'handler' if `an exception in line 4`",
    ]


def test_a_suppressed_exception_ends_at_its_block() -> None:
    assert story(
        """
        import contextlib
        with contextlib.suppress(KeyError):
            raise KeyError("x")
        lib.show("after")
        """
    ) == [
        "'after'",
    ]


def test_a_ladder_that_raises_at_its_end_is_taken_as_not_raising() -> None:
    assert story(
        """
        name = args.optimizer
        if name == "sgd":
            x = 1
        elif name == "adam":
            x = 2
        elif name == "lamb":
            x = 3
        else:
            raise ValueError(name)
        lib.show(x)
        if name == "adam":
            lib.show(x)
        """
    ) == [
        '3 if `args.optimizer == "lamb"` | 2 if `args.optimizer == "adam"` | 1 if `args.optimizer == "sgd"`',
        '2 if `args.optimizer == "adam"`',
    ]


def test_or_patterns_are_disjunctions_of_comparisons() -> None:
    assert story(
        """
        match args.mode:
            case "train" | "both":
                lib.show(1)
            case "test":
                lib.show(2)
            case _:
                lib.show(3)
        """
    ) == [
        '1 if `args.mode == "both" or args.mode == "train"`',
        '2 if `args.mode == "test"`',
        '3 if `args.mode != "both"` and `args.mode != "test"` and `args.mode != "train"`',
    ]


def test_a_case_with_a_guard_runs_under_it() -> None:
    assert story(
        """
        mode = "test"
        match mode:
            case "train":
                lib.show(1)
            case other if args.a:
                lib.show(other)
            case _:
                lib.show(3)
        """
    ) == [
        "'test' if `args.a`",
        "3 if not `args.a`",
    ]


def test_managers_are_left_however_their_block_ends() -> None:
    assert story(
        """
        import contextlib
        class M:
            def __enter__(self):
                lib.show("enter")
                return 5
            def __exit__(self, *rest):
                lib.show("exit")
        def f():
            with M() as m:
                lib.show(m)
                if args.a:
                    return 1
                lib.show("inside")
            return 2
        lib.show(f())
        @contextlib.contextmanager
        def g(x):
            lib.show("before")
            try:
                yield x
            finally:
                lib.show("after")
        with g(3) as y:
            lib.show(y)
        """
    ) == [
        "'enter'",
        "5",
        "'inside' if not `args.a`",
        "'exit'",
        "1 if `args.a` | 2",
        "'before'",
        "3",
        "'after'",
    ]


def test_a_list_of_what_passes_an_unknown_test_may_be_empty() -> None:
    shown = story(
        """
        needed = [args.a, args.b]
        if [one for one in needed if one is None]:
            raise ValueError("a and b are needed")
        lib.show("run")
        """
    )
    assert len(shown) == 1
    assert shown[0].startswith("'run'")


def test_a_list_filled_under_an_unknown_condition_is_known_in_the_loop() -> None:
    assert story(
        """
        slots = []
        while args.more:
            if not slots:
                slots.extend([lib.load(one) for one in args.all])
            for slot in slots:
                lib.show(slot)
        """
    ) == [
        "lib.load() in a loop in a loop if `args.more`",
    ]
