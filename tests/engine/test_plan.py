"""Which fixes go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpfix.diagnostic import Applicability, Effect, Position, Span
from mpfix.engine.plan import FileEdits, Offer, combined, plan_fixes, smallest
from mpfix.source.document import TextEdit, document_from_bytes


def offer(code: str, *edits: tuple[int, int, str], applicability: Applicability = Applicability.SAFE) -> Offer:
    span = Span("a.py", Position(edits[0][0] + 1, 1), Position(edits[0][0] + 1, 2))
    files = (FileEdits("a.py", tuple(TextEdit(*edit) for edit in edits)),)
    return Offer(code, span, f"fix {code}", applicability, Effect.REPAIRS, files)


def chosen(*offers: Offer) -> list[str]:
    return [item.code for item in plan_fixes(offers, unsafe_fixes=False).chosen]


def test_overlapping_fixes_keep_the_first() -> None:
    plan = plan_fixes([offer("B", (4, 9, "y")), offer("A", (1, 5, "x"))], unsafe_fixes=False)

    assert [item.code for item in plan.chosen] == ["A"]
    assert [(item.code, item.reason) for item in plan.skipped] == [
        ("B", "it changes the same text as the fix of A at 2:1")
    ]


def test_a_fix_is_taken_whole_or_not_at_all() -> None:
    assert chosen(offer("A", (1, 5, "x")), offer("B", (4, 6, "y"), (50, 60, "z")), offer("C", (50, 55, "w"))) == [
        "A",
        "C",
    ]


def test_neighbours_do_not_overlap() -> None:
    assert chosen(offer("A", (1, 5, "x")), offer("B", (5, 6, "y"))) == ["A", "B"]


def test_equal_fixes_are_one() -> None:
    same = offer("A", (1, 5, "x")), offer("B", (1, 5, "x"))

    assert chosen(*same) == ["A", "B"]
    assert combined(same) == (FileEdits("a.py", (TextEdit(1, 5, "x"),)),)


def test_an_import_that_two_fixes_need_is_inserted_once() -> None:
    both = offer("A", (0, 0, "import x\n"), (5, 6, "y")), offer("B", (0, 0, "import x\n"), (8, 9, "z"))

    assert chosen(*both) == ["A", "B"]
    assert len(combined(both)[0].edits) == 3


def test_moves_of_one_statement_exclude_each_other() -> None:
    assert chosen(offer("A", (1, 5, ""), (9, 9, "x")), offer("B", (1, 5, ""), (20, 20, "x"))) == ["A"]


def test_different_insertions_at_one_place_exclude_each_other() -> None:
    assert chosen(offer("A", (1, 1, "x")), offer("B", (1, 1, "y"))) == ["A"]


def test_unsafe_fixes_do_not_stand_in_the_way_of_safe_ones() -> None:
    assert chosen(offer("A", (1, 5, "x"), applicability=Applicability.UNSAFE), offer("B", (1, 5, "y"))) == ["B"]


@pytest.mark.parametrize(
    ("old", "new", "start", "end", "content"),
    [
        ("x = f(bad, 1)", "x = f(bat, 1)", 6, 9, "bat"),
        ("x = f(a, b)", "x = f(a, b, c=1)", 10, 10, ", c=1"),
        ("f(a)(a)", "f(a)(a2)", 5, 6, "a2"),
        ("f()", "f(x)", 2, 2, "x"),
        ("f(x)", "g(f(x))", 0, 3, "g(f(x)"),
        ("x", "x, y", 0, 1, "x, y"),
        ("f(\r\n  a)", "f(\n  a, b)", 7, 7, ", b"),
        ("a = 1\r\nb = 2", "b = 2", 0, 7, ""),
    ],
)
def test_an_edit_shrinks_to_the_words_that_differ(old: str, new: str, start: int, end: int, content: str) -> None:
    document = document_from_bytes(old.encode(), Path("a.py"), "a.py")

    shrunk = smallest(TextEdit(0, len(old), new), document)

    assert shrunk == TextEdit(start, end, content)
    assert document.with_edits((shrunk,)).text == document.with_edits((TextEdit(0, len(old), new),)).text


def test_insertion_at_the_end_of_a_replacement_waits() -> None:
    # a wrapper written around a call, and a keyword for that call: only the position before its bracket is the same
    assert chosen(offer("A", (1, 5, "wrap(call(1)")), offer("B", (5, 5, ", k=2"))) == ["A"]
