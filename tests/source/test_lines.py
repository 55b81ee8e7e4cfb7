"""Positions convert both ways and agree with what `ast` says."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpfix.diagnostic import Position
from mpfix.source.lines import LineIndex, dominant_newline, split_lines, with_newline

pieces = st.sampled_from(
    ["a", "ß", "学", "🙂", " ", "\t", "\x0c", "\u2028", "\x85", "\x1c", "\n", "\r", "\r\n", "\ud800"]
)
texts = st.lists(pieces, max_size=30).map("".join)
names = st.sampled_from(["x", "größe", "学習", "\U00020000"])
separators = st.sampled_from(["\n", "\r", "\r\n", "\n\x0c", "; ", "\n\n", "\r\n# ß\u2028ß\r"])


@settings(deadline=None)
@given(texts)
def test_every_offset_converts_to_an_ast_position_and_back(text: str) -> None:
    index = LineIndex(text)

    for offset in range(len(text) + 1):
        assert index.offset(*index.ast_position(offset)) == offset
        assert index.offset_of(index.position(offset)) == offset


@settings(deadline=None)
@given(texts)
def test_lines_are_the_text_cut_at_the_line_starts(text: str) -> None:
    index = LineIndex(text)

    assert "".join(index.line(number) for number in range(1, index.line_count + 1)) == text
    assert [line for line in map(index.line, range(1, index.line_count + 1)) if line] == split_lines(text)
    assert index.line_count == len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


@settings(deadline=None)
@given(st.lists(st.tuples(names, separators), min_size=1, max_size=8))
def test_ast_positions_give_the_source_of_every_name(parts: list[tuple[str, str]]) -> None:
    text = "".join(f"'ß🙂', {name}{separator}" for name, separator in parts)
    index = LineIndex(text)

    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    sources = [
        text[index.offset(node.lineno, node.col_offset) : index.offset(node.end_lineno or 0, node.end_col_offset or 0)]
        for node in found
    ]

    assert sorted(sources) == sorted(name for name, _ in parts)


def test_columns_count_code_points_and_byte_columns_bytes() -> None:
    index = LineIndex("a = 1\nß🙂x = 2\n")

    assert index.offset(2, 6) == 8
    assert index.ast_position(8) == (2, 6)
    assert index.position(8) == Position(2, 3)


def test_a_byte_column_inside_a_character_means_its_start() -> None:
    assert [LineIndex("🙂x").offset(1, column) for column in range(6)] == [0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize("text", ["ab\ncd", "aß\ncd"])
def test_positions_outside_the_text_move_inside(text: str) -> None:
    index = LineIndex(text)

    assert index.offset(9, 0) == len(text)
    assert index.offset(1, 99) == 3
    assert index.offset_of(Position(0, 0)) == 0
    assert index.offset_of(Position(7, 1)) == len(text)
    assert index.position(99) == Position(2, 3)


@pytest.mark.parametrize(
    ("text", "newline"),
    [("", "\n"), ("a", "\n"), ("a\r\nb\r\nc\n", "\r\n"), ("a\rb\n", "\r"), ("a\nb\r", "\n"), ("\r\r\n\r", "\r")],
)
def test_the_dominant_newline_is_the_most_frequent_then_the_first(text: str, newline: str) -> None:
    assert dominant_newline(text) == newline


def test_newlines_of_content_become_the_documents_own() -> None:
    assert with_newline("a\nb\r\nc\n", "\r\n") == "a\r\nb\r\nc\r\n"
    assert with_newline("a\nb", "\r") == "a\rb"
