"""The guarded store: what a read gives after writes under conditions, and which conditions are one."""

from __future__ import annotations

from stub_library import story


def test_a_write_in_one_branch_leaves_both_values() -> None:
    assert story(
        """
        x = 1
        if args.amp:
            x = 2
        lib.show(x)
        if args.amp:
            lib.show(x)
        else:
            lib.show(x)
        """
    ) == [
        "2 if `args.amp` | 1",
        "2 if `args.amp`",
        "1 if not `args.amp`",
    ]


def test_an_unknown_read_twice_is_one_condition() -> None:
    assert story(
        """
        if args.amp:
            x = 1
        if not args.amp:
            x = 2
        lib.show(x)
        """
    ) == [
        "2 if not `args.amp` | 1",
    ]


def test_a_name_bound_again_is_another_condition() -> None:
    assert story(
        """
        amp = args.amp
        x = 0
        if amp:
            x = 1
        amp = lib.other()
        if amp:
            lib.show(x)
        """
    ) == [
        "1 if `args.amp` | 0 if `amp`",
    ]


def test_a_store_through_an_unknown_replaces_what_is_known_of_it() -> None:
    assert story(
        """
        args.amp = True
        if args.amp:
            lib.show(1)
        else:
            lib.show(2)
        """
    ) == [
        "1",
    ]


def test_a_comparison_with_a_constant_is_a_condition_of_its_own() -> None:
    assert story(
        """
        amp = args.dtype == "float16"
        x = 1 if amp else 2
        if args.dtype == "float16":
            lib.show(x)
        if args.dtype == "bfloat16":
            lib.show(x)
        """
    ) == [
        '1 if `args.dtype == "float16"`',
        '2 if `args.dtype == "bfloat16"`',
    ]


def test_a_flag_kept_on_self_is_the_flag() -> None:
    assert story(
        """
        class T:
            def __init__(self, amp):
                self.amp = amp
            def step(self):
                if self.amp:
                    lib.show("scale")
                if not self.amp:
                    return
                lib.show("unscale")
        T(args.amp).step()
        """
    ) == [
        "'scale' if `args.amp`",
        "'unscale' if `args.amp`",
    ]


def test_a_boolean_that_a_module_assigns_once_is_a_switch_where_it_is_tested() -> None:
    assert story(
        """
        MIXED = False
        if MIXED:
            lib.show(1)
        else:
            lib.show(2)
        def f():
            return "half" if MIXED else "full"
        lib.show(f())
        lib.show(MIXED)
        """
    ) == [
        "1 if `MIXED`",
        "2 if not `MIXED`",
        "'half' if `MIXED` | 'full'",
        "False",
    ]


def test_a_boolean_assigned_twice_is_its_value() -> None:
    assert story(
        """
        MIXED = False
        MIXED = True
        if MIXED:
            lib.show(1)
        else:
            lib.show(2)
        """
    ) == [
        "1",
    ]


def test_an_environment_variable_with_a_default_is_a_switch() -> None:
    assert story(
        """
        import os
        MODE = os.environ.get("MODE", "fast")
        if MODE == "fast":
            lib.show(1)
        else:
            lib.show(2)
        """
    ) == [
        "1 if `os.environ[\"MODE\"] == 'fast'`",
        "2 if not `os.environ[\"MODE\"] == 'fast'`",
    ]


def test_or_and_and_are_exact_on_both_sides() -> None:
    assert story(
        """
        if args.a or args.b:
            lib.show(1)
        else:
            lib.show(2)
        if args.a and args.b:
            lib.show(3)
        else:
            lib.show(4)
        """
    ) == [
        "1 if `args.a or args.b`",
        "2 if not `args.a` and not `args.b`",
        "3 if `args.a` and `args.b`",
        "4 if not (`args.a and args.b`)",
    ]


def test_a_named_expression_binds_its_name() -> None:
    assert story(
        """
        if (n := lib.count()) == 3:
            lib.show(n)
        lib.show(n)
        """
    ) == [
        "n if `n == 3`",
        "n",
    ]


def test_a_call_of_alternatives_runs_each_under_its_guard() -> None:
    assert story(
        """
        opt = lib.Wrap(1) if args.amp else lib.Plain(1)
        lib.show(opt)
        f = lib.show if args.a else print
        f(3)
        """
    ) == [
        "lib.Wrap() if `args.amp` | lib.Plain()",
        "3 if `args.a`",
    ]


def test_a_container_changed_in_one_branch_has_two_contents() -> None:
    assert story(
        """
        l = []
        if args.a:
            l.append(1)
        l.append(2)
        lib.show(len(l))
        d = {}
        if args.a:
            d["k"] = 1
        lib.show(d.get("k", 0))
        lib.show("k" in d)
        """
    ) == [
        "2 if `args.a` | 1",
        "1 if `args.a` | 0",
        "True if `args.a` | False",
    ]
