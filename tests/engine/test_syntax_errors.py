"""What is said about text that is not Python."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mpfix.diagnostic import Position
from mpfix.engine.pipeline import check
from mpfix.settings import Settings


def test_a_syntax_error_is_told_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("é = 1\nx = )\n", encoding="utf-8")

    report = check([path], Settings())

    (found,) = report.diagnostics
    assert (found.code, found.span.start, report.analysed) == ("MP001", Position(2, 5), 1)
    assert found.message == "syntax error: unmatched ')'; the file is not analysed"


@pytest.mark.parametrize(
    ("source", "version"),
    [
        ("try:\n    pass\nexcept* ValueError:\n    pass\n", (3, 11)),
        ("type Pair = tuple[int, int]\n", (3, 12)),
        ("def first[T](items: list[T]) -> T:\n    return items[0]\n", (3, 12)),
        ("class Box[T = int]:\n    pass\n", (3, 13)),
        ("x = t'{name}'\n", (3, 14)),
    ],
)
def test_a_newer_python_is_named(tmp_path: Path, source: str, version: tuple[int, int]) -> None:
    path = tmp_path / "train.py"
    path.write_text(source, encoding="utf-8")

    report = check([path], Settings())

    if sys.version_info >= version:
        assert report.diagnostics == ()
    else:
        assert f"needs Python {version[0]}.{version[1]} or newer" in report.diagnostics[0].message


@pytest.mark.parametrize(
    "source", ["x = 1\0", "print 'hello'\n", "(" * 3000 + ")" * 3000, "if x:\npass\n", "\x0c\x0c)"]
)
def test_any_text_ends_in_a_report(tmp_path: Path, source: str) -> None:
    path = tmp_path / "train.py"
    path.write_text(source, encoding="utf-8")

    report = check([path], Settings())

    assert [item.code for item in report.diagnostics] == ["MP001"]
    assert report.errors == ()


def test_a_sum_of_many_terms_ends_in_a_report(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("x = " + "1 + " * 20_000 + "1\n", encoding="utf-8")

    # the parser of some releases gives up, that of others does not
    assert {item.code for item in check([path], Settings()).diagnostics} <= {"MP001"}


@pytest.mark.parametrize("source", ["", "\n", "\ufeff", "\ufeffx = 1\r\n"])
def test_odd_but_right_text_is_clean(tmp_path: Path, source: str) -> None:
    path = tmp_path / "train.py"
    path.write_bytes(source.encode())

    report = check([path], Settings())

    assert (report.diagnostics, report.errors) == ((), ())


def test_a_broken_cell_does_not_hide_the_others(tmp_path: Path) -> None:
    sources = ["x = (", "y = 1  # noqa: MP001"]
    cells = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": s} for s in sources
    ]
    path = tmp_path / "train.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))

    report = check([path], Settings())

    assert [(item.code, item.span.cell) for item in report.diagnostics] == [("MP001", 1)]
