"""Which lines and which range a statement has."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from mpfix.diagnostic import Position
from mpfix.engine.statements import Statements, report_span
from mpfix.semantic.syntax import Module, Place, parse_module
from mpfix.source.document import document_from_bytes


def module_of(source: str) -> Module:
    return parse_module(document_from_bytes(source.encode(), Path("a.py"), "a.py"))


def name_in(module: Module, name: str) -> ast.Name:
    return next(node for node in ast.walk(module.tree) if isinstance(node, ast.Name) and node.id == name)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("x = 1\ny = here\n", [2]),
        ("x = f(\n    here,\n)\n", [1, 2, 3]),
        ("if (\n    here\n):\n    x = 1\n", [1, 2]),
        ("if a:\n    x = here\n", [2]),
        ("if a:\n    pass\nelif here:\n    pass\n", [3]),
        ("@here\ndef f():\n    pass\n", [1]),
        ("def f(\n    a,\n    b=here,\n):\n    pass\n", [1, 2, 3]),
        ("for x in here: pass\n", [1]),
        ("with a as b, \\\n        here:\n    pass\n", [1, 2]),
        ("try:\n    pass\nexcept here:\n    pass\n", [3]),
        ("match here:\n    case 1:\n        pass\n", [1]),
        ("x = 1; y = here\n", [1]),
        ('x = """\n\n""" + here\n', [1, 2, 3]),
    ],
)
def test_a_finding_belongs_to_the_lines_of_its_statement_or_header(source: str, lines: list[int]) -> None:
    module = module_of(source)

    assert list(Statements(module).around(name_in(module, "here")).lines) == lines


def test_the_text_of_a_statement_does_not_change_when_it_moves() -> None:
    one, other = module_of("x = f(a,\n      here)\n"), module_of("# comment\n\nif x:\n    x = f(a, here)\n")
    texts = [
        statements.text(statements.around(name_in(statements.module, "here")))
        for statements in (Statements(one), Statements(other))
    ]

    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("source", "start", "end"),
    [
        ("def step(a, b):\n    pass\n", (1, 1), (1, 14)),
        ("def step(\n    a,  # first\n):\n    pass\n", (1, 1), (1, 10)),
        ("for a in b:  # each\n    pass\n", (1, 1), (1, 11)),
        ("class A(B):\n    pass\n", (1, 1), (1, 10)),
        ("while True:\n    pass\n", (1, 1), (1, 11)),
        ("with é as b:\n    pass\n", (1, 1), (1, 12)),
        ("try:\n    pass\nfinally:\n    pass\n", (1, 1), (1, 4)),
        ("x = f(\n    1,\n)\n", (1, 1), (3, 2)),
    ],
)
def test_a_report_underlines_a_statement_or_the_first_line_of_a_header(
    source: str, start: tuple[int, int], end: tuple[int, int]
) -> None:
    module = module_of(source)

    span = report_span(Place(module, module.tree.body[0]))

    assert (span.start, span.end) == (Position(*start), Position(*end))
