"""The names pass: which outside names a module uses, where, and under what binding."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mpfix.semantic.names import NamesResult, resolve_names

PUBLIC = {"lib.layers": ("Dense", "Conv")}


def names(source: str) -> NamesResult:
    return resolve_names(ast.parse(source), lambda module: PUBLIC.get(module, ()))


def uses(source: str) -> list[str]:
    """`line: qualified name` of each use, `?` behind an uncertain one."""
    return [f"{use.node.lineno}: {use.qualified}{'' if use.certain else '?'}" for use in names(source).uses]


@contextmanager
def room_for_the_parser() -> Iterator[None]:
    saved = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(saved)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b\na.b.c.d()", ["2: a.b.c.d"]),
        ("import a.b as x\nx.c", ["2: a.b.c"]),
        ("from a.b import c as x\nx.d(x)", ["2: a.b.c.d", "2: a.b.c"]),
        ("import a\nm = a.b.c\nm.d", ["2: a.b.c", "3: a.b.c.d"]),
        ("import a\nm, n = a.b, a.c\nn.d", ["2: a.b", "2: a.c", "3: a.c.d"]),
        ("import a\nif (m := a.b):\n    m.c", ["2: a.b", "3: a.b.c"]),
        ("from lib.layers import *\nDense(Conv, Other)", ["2: lib.layers.Dense", "2: lib.layers.Conv"]),
        ("from .a import b\nb.c", []),
        ("import a\na.f().g.h(a.x)", ["2: a.f", "2: a.x"]),
        ("import a\na.b[a.c].d = a.e", ["2: a.b", "2: a.c", "2: a.e"]),
    ],
)
def test_chains_resolve_through_imports_and_plain_assignments(source: str, expected: list[str]) -> None:
    assert uses(source) == expected


def test_imports_inside_functions_stay_there() -> None:
    source = "def f():\n    from a import b\n    b.c\nb.c\n"

    assert uses(source) == ["3: a.b.c"]


def test_functions_see_the_names_that_the_module_leaves() -> None:
    source = "def f():\n    tf.x\nimport lib as tf\nclass C:\n    tf = 1\n    def g(self):\n        tf.y\n"

    assert uses(source) == ["2: lib.x", "7: lib.y"]


def test_parameters_and_targets_hide_outside_names() -> None:
    source = "import a\ndef f(a):\n    a.b\n[a.c for a in a.d]\nfor a in x:\n    a.e\n"

    assert uses(source) == ["4: a.d"]
    assert uses("import a\nlambda a: a.b\na.c") == ["3: a.c"]


def test_rebinding_ends_a_meaning() -> None:
    assert uses("import a\na.b\na = 1\na.c\n") == ["2: a.b"]
    assert uses("from a import x as m\nm.b\nfrom c import m\nm.d\n") == ["2: a.x.b", "4: c.m.d"]


def test_none_as_a_fallback_keeps_the_meaning() -> None:
    assert uses("try:\n    import a\nexcept ImportError:\n    a = None\na.b\n") == ["5: a.b"]


def test_branches_unite_their_bindings() -> None:
    source = "if flag:\n    import a as m\n    m.x\nelse:\n    import b as m\n    m.y\nm.z\n"

    assert uses(source) == ["3: a.x", "6: b.y", "7: a.z", "7: b.z"]
    assert uses("import a\nif flag:\n    a = f()\na.b\n") == ["4: a.b?"]


def test_a_handler_may_see_what_the_body_bound() -> None:
    source = "try:\n    import a\n    a.b\nexcept ImportError:\n    a.c\n    import d as a\n    a.e\na.f\n"

    assert uses(source) == ["3: a.b", "5: a.c", "7: d.e", "8: a.f", "8: d.f"]


def test_global_declarations_bind_in_the_module() -> None:
    source = "def load():\n    global tf\n    import tensorflow as tf\ndef use():\n    tf.x\n"

    assert uses(source) == ["5: tensorflow.x"]


def test_patterns_bind() -> None:
    source = "import a, x\nmatch x.y:\n    case a.B(v):\n        v.c\n    case [a, *x]:\n        a.d\na.e\n"

    assert uses(source) == ["2: x.y", "3: a.B", "7: a.e?"]


def test_imports_are_listed_with_their_parts() -> None:
    found = names("import a.b, c as d\nfrom e import f as g, h\nfrom i import *\nfrom . import j\n").imports

    assert [(item.qualified, item.local) for item in found] == [
        ("a.b", "a"),
        ("c", "d"),
        ("e.f", "g"),
        ("e.h", "h"),
        ("i", None),
    ]
    assert found[2].alias.asname == "g"


def test_uses_know_their_call_and_binding() -> None:
    (first, second) = names("import a\nm = a.b\nm.c(1)\n").uses

    assert first.call is None
    assert second.call is not None
    assert second.binding.local == "m"
    assert isinstance(second.binding.statement, ast.Assign)


def test_members_of_other_values_are_noted_once() -> None:
    members = names("import a\nopt = a.Opt()\nopt.get_scaled_loss(1)\nopt.get_scaled_loss(2)\na.member\n").members

    assert members["get_scaled_loss"].lineno == 3
    assert "member" not in members


def test_depth_does_not_matter() -> None:
    chain = "import tf\nx = tf.data" + ".map(tf.f)" * 3000
    ladder = "import a\nif a.b:\n    pass\n" + "".join(f"elif a.c{i}:\n    import z\n" for i in range(3000))
    sums = "import tf\nx = " + " + ".join(["tf.a"] * 10_000)
    with room_for_the_parser():
        trees = [ast.parse(source) for source in (chain, ladder, sums)]

    assert [len(resolve_names(tree).uses) for tree in trees] == [3001, 3001, 10_000]
