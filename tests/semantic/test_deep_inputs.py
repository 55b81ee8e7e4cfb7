"""Deep and long programs: an answer, no error, in time that grows with their length."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mpfix.frameworks import interpret
from mpfix.semantic.syntax import SyntaxProblem, parse_module
from mpfix.source.document import document_from_bytes

START = "import tensorflow as tf\nimport lib\nargs = lib.args()\n"
SHAPES = {
    "parentheses": lambda n: "x = " + "(" * n + "1" + ")" * n,
    "lists in lists": lambda n: "x = " + "[" * (n // 20) + "]" * (n // 20),
    "signs": lambda n: "x = " + "-" * (n // 5) + "1\nif " + "not " * (n // 5) + "x: pass",
    "lambdas": lambda n: "x = " + "lambda: " * (n // 5) + "1",
    "conditional expressions": lambda n: "x = " + "".join(f"{i} if args.f{i} else " for i in range(n // 5)) + "0",
    "sum": lambda n: "a = tf.constant(1)\nx = " + " + ".join(["a"] * n) + "\nif x > 1: pass",
    "elif": lambda n: "if args.n == 0: x = 0\n" + "".join(f"elif args.n == {i}: x = {i}\n" for i in range(1, n)),
    "elif that returns": lambda n: (
        "def f():\n if args.f: return 0\n"
        + "".join(f" elif args.f{i} and args.g: return {i}\n" for i in range(n))
        + "f()"
    ),
    "method chain": lambda n: "x = lib.q" + ".m(1)" * n + "\nif x: pass",
    "subscripts": lambda n: "x = lib.q" + "[0]" * n + "\nif x: pass",
    "dict": lambda n: "d = {" + ", ".join(f"'k{i}': {i}" for i in range(n)) + "}\nfor k in d: print(k)",
    "and": lambda n: "if " + " and ".join(f"args.a{i}" for i in range(n)) + ": pass",
    "or": lambda n: "x = " + " or ".join(f"args.a{i}" for i in range(n)) + "\nif x: pass",
    "comparisons": lambda n: "x = " + " < ".join(f"args.a{i}" for i in range(n)) + "\nif x: pass",
    "assignments": lambda n: "x = args.q\n" + "".join(f"x = x + args.v{i}\n" for i in range(n)) + "if x: pass",
    "ifs": lambda n: "x = 0\n" + "".join(f"if args.f{i}: x = {i}\n" for i in range(n)) + "print(x)",
    "asserts": lambda n: "".join(f"assert args.f{i}\n" for i in range(n)),
    "calls": lambda n: "def f(x): return x\n" + "".join(f"y{i} = f({i})\n" for i in range(n)),
    "classes": lambda n: (
        "class C0: pass\n"
        + "".join(f"class C{i}(C{i - 1}):\n def m(self): return super().m()\n" for i in range(1, n // 10))
        + f"C{n // 10 - 1}().m()"
    ),
    "imports that may fail": lambda n: "".join(
        f"try:\n import q{i}\nexcept ImportError:\n q{i} = None\n" for i in range(n)
    ),
}
MOST = 4.5
"""How much longer three times the program may take; 3 is linear, and clocks are rough."""
SLACK = 0.3
"""Seconds that do not count: what is measured is growth."""


def seconds(source: str) -> float:
    """Processor time of one interpretation; nothing for a text that the parser of this Python refuses."""
    try:
        module = parse_module(document_from_bytes((START + source + "\n").encode(), Path("x.py"), "x.py"))
    except SyntaxProblem:
        return 0.0
    started = time.process_time()
    interpret((module,), generation=3)
    return time.process_time() - started


@pytest.mark.parametrize("shape", SHAPES)
def test_time_grows_with_length(shape: str) -> None:
    make = SHAPES[shape]
    short, long = seconds(make(600)), seconds(make(1800))

    assert long <= MOST * short + SLACK


@pytest.mark.parametrize(
    ("shape", "count"), [("parentheses", 3000), ("sum", 20_000), ("elif", 10_000), ("dict", 10_000)]
)
def test_very_long_programs_get_an_answer(shape: str, count: int) -> None:
    assert seconds(SHAPES[shape](count)) < 30
