"""Classes of the project: look-up order, properties, construction, identity."""

from __future__ import annotations

from stub_library import story


def test_methods_are_found_along_the_look_up_order() -> None:
    assert story(
        """
        class A:
            name = "a"
            def m(self):
                return "A.m"
            def who(self):
                return self.m()
        class B(A):
            def m(self):
                return "B.m+" + super().m()
        class C(A):
            def m(self):
                return "C.m+" + super().m()
        class D(B, C):
            pass
        lib.show(D().who(), D.name)
        """
    ) == [
        "'B.m+C.m+A.m', 'a'",
    ]


def test_properties_static_and_class_methods_and_calls_of_instances() -> None:
    assert story(
        """
        class A:
            made = 0
            def __init__(self, n):
                self.n = n
            @property
            def double(self):
                return self.n + self.n
            @staticmethod
            def plain(x):
                return x
            @classmethod
            def build(cls, n):
                return cls(n)
            def __call__(self, x):
                return self.n + x
            def __getitem__(self, k):
                return k
        class B(A):
            pass
        b = B.build(4)
        lib.show(b.double, b.plain(1), B.plain(2), b(1), b[7], isinstance(b, A), type(b) is B, isinstance(b, int))
        """
    ) == [
        "8, 1, 2, 5, 7, True, True, False",
    ]


def test_a_property_that_is_set_calls_its_setter() -> None:
    assert story(
        """
        class A:
            @property
            def n(self):
                return self._n
            @n.setter
            def n(self, v):
                self._n = v + 1
        a = A()
        a.n = 1
        lib.show(a.n)
        """
    ) == [
        "2",
    ]


def test_dataclasses_and_named_tuples_take_their_fields() -> None:
    assert story(
        """
        from dataclasses import dataclass, field
        from typing import NamedTuple
        @dataclass
        class Config:
            amp: bool = False
            lr: float = 0.1
            def half(self):
                return self.amp
        class Pair(NamedTuple):
            a: int
            b: int = 2
        c = Config(amp=args.amp)
        lib.show(c.half(), c.lr, Config(True, 2).lr, Pair(1).b, Pair(1, 3).b)
        """
    ) == [
        "args.amp, 0.1, 2, 2, 3",
    ]


def test_an_instance_attribute_hides_that_of_the_class() -> None:
    assert story(
        """
        class A:
            n = 1
        a = A()
        A.n = 2
        lib.show(a.n)
        a.n = 3
        lib.show(A.n, a.n)
        """
    ) == [
        "2",
        "2, 3",
    ]


def test_objects_of_one_site_stay_apart_while_they_are_few() -> None:
    assert story(
        """
        class A:
            def __init__(self, n):
                self.n = n
        def make(n):
            return A(n)
        a = make(1)
        b = make(2)
        lib.show(a.n, b.n)
        for i in range(3):
            q = make(9)
        lib.show(q.n)
        """
    ) == [
        "1, 2",
        "9",
    ]


def test_from_the_fifth_object_on_one_stands_for_the_rest() -> None:
    assert story(
        """
        class A:
            pass
        def make(n):
            a = A()
            a.n = n
            return a
        x = [make(n) for n in (1, 2, 3, 4, 5, 6)]
        lib.show(x[0].n, x[5].n)
        """
    ) == [
        "1, n",
    ]


def test_what_no_root_reached_runs_last_with_unknown_arguments() -> None:
    assert story(
        """
        def used():
            lib.show("used")
        def unused(x):
            lib.show("unused", x)
            def nested():
                lib.show("nested")
            return nested
        class A:
            def __init__(self, n):
                self.n = n
            def m(self):
                lib.show(self.n)
        used()
        if __name__ == "__main__":
            lib.show("main")
        """,
        last_pass=True,
    ) == [
        "'used'",
        "'main'",
        "'unused', x",
        "n",
        "'nested'",
    ]
