"""Notebooks become one text; edits go back into their cells and nothing else moves."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mpfix.diagnostic import Position, Span
from mpfix.errors import SourceError
from mpfix.source.document import Document, TextEdit, UnwritableEdit, document_from_bytes, read_document

NOTEBOOKS = Path(__file__).parents[2] / "fixtures" / "notebooks"
ALL = sorted(NOTEBOOKS.glob("*.ipynb"))


def fixture(name: str) -> Document:
    """A fixture notebook."""
    return read_document(NOTEBOOKS / name, name)


def code(source: Any) -> dict[str, Any]:
    """A code cell."""
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}


def notebook(*sources: Any, **style: Any) -> Document:
    """A notebook of code cells."""
    content = {"cells": [code(source) for source in sources], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    return document_from_bytes(json.dumps(content, **style).encode(), Path("n.ipynb"), "n.ipynb")


def sources(document: Document) -> list[Any]:
    """The source of each cell as the JSON has it."""
    return [cell["source"] for cell in json.loads(document.original_bytes)["cells"]]


def replaced(document: Document, old: str, new: str) -> Document:
    """The document with the one place of `old` in its text replaced."""
    start = document.text.index(old)
    return document.with_edits((TextEdit(start, start + len(old), new),))


def inserted(document: Document, offset: int, content: str) -> Document:
    """The document with something put in."""
    return document.with_edits((TextEdit(offset, offset, content),))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_notebook_parses_as_one_text(path: Path) -> None:
    found = read_document(path, path.name)

    ast.parse(found.text)
    assert found.kind == "ipynb"
    assert found.text == "".join(found.text[cell.start : cell.end] for cell in found.cells)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_an_edit_changes_one_cell_and_not_one_other_byte(path: Path) -> None:
    found = read_document(path, path.name)
    for cell in found.cells:
        if cell.body > cell.start:
            continue
        edited = inserted(found, cell.header_end, "added = 'ß'\n")

        before, after = (nbformat.reads(d.original_bytes.decode(), 4).cells for d in (found, edited))
        changed = [n for n, (a, b) in enumerate(zip(before, after, strict=True), 1) if a.source != b.source]
        assert changed == [cell.number]
        assert after[cell.number - 1].source.replace("added = 'ß'\n", "") == before[cell.number - 1].source
        assert len(edited.original_bytes) - len(found.original_bytes) < 40
        assert edited.text.isascii() is False


def test_magics_of_every_kind_are_masked_and_keep_their_lines() -> None:
    found = fixture("magics.ipynb")

    assert not found.broken_cells
    assert [cell.number for cell in found.cells] == [2, 3, 4, 5, 6, 7, 8]
    names = {node.id for node in ast.walk(ast.parse(found.text)) if isinstance(node, ast.Name)}
    assert {"files", "started", "history", "rows", "share", "result"} <= names
    assert "!not a command" in found.text


def test_spans_count_rows_in_the_cell_and_cells_over_all() -> None:
    found = fixture("magics.ipynb")
    start = found.text.index("history")

    assert found.span_between(start, start + 7) == Span("magics.ipynb", Position(4, 11), Position(4, 18), 5)
    assert found.span(*found.position(start), *found.position(start + 7)).cell == 5


def test_a_span_to_the_end_of_a_cell_stays_in_it() -> None:
    found = notebook("x = 1\n", "y = 2")

    assert found.span_between(0, 6) == Span("n.ipynb", Position(1, 1), Position(2, 1), 1)
    assert found.span_between(0, len(found.text)) == Span("n.ipynb", Position(1, 1), Position(2, 1), 1)
    assert found.span_between(len(found.text), len(found.text)).cell == 2


def test_a_broken_cell_is_told_and_does_not_hide_the_others() -> None:
    found = fixture("broken_cell.ipynb")

    assert [(cell.span.cell, cell.span.start.row) for cell in found.broken_cells] == [(2, 2)]
    assert found.broken_cells[0].message
    assert found.text == "import keras\nmodel = keras.Sequential([keras.layers.Dense(1)])\n"
    assert sources(replaced(found, "Dense(1)", "Dense(2)"))[3] == ["model = keras.Sequential([keras.layers.Dense(2)])"]


@pytest.mark.parametrize("source", ["x = \\", "x = '''", "  x = 1\n y = 2", b"x = '\\ud800'".decode("unicode_escape")])
def test_what_is_no_python_is_a_broken_cell(source: str) -> None:
    found = notebook("a = 1", source, "b = 2")

    assert [cell.span.cell for cell in found.broken_cells] == [2]
    assert found.broken_cells[0].span.start < found.broken_cells[0].span.end
    assert found.text == "a = 1\nb = 2\n"


def test_a_cell_nested_too_deeply_is_a_broken_cell() -> None:
    assert [cell.span.cell for cell in notebook("x = 1", "(" * 9999 + ")" * 9999).broken_cells] == [2]


def test_a_notebook_nested_too_deeply_is_told() -> None:
    with pytest.raises(SourceError, match="is not a notebook"):
        document_from_bytes(b"[" * 200_000, Path("n.ipynb"), "n.ipynb")


def test_cells_of_other_languages_are_left_out() -> None:
    assert fixture("other_languages.ipynb").text == "import keras\nmodel = keras.Sequential()\n"
    assert fixture("not_python.ipynb").text == ""
    assert fixture("empty.ipynb").text == ""


def test_a_list_of_lines_stays_one_and_a_string_too() -> None:
    lines, text = notebook(["x = 1\n", "y = 2"]), notebook("x = 1\ny = 2")

    assert sources(replaced(lines, "1\n", "3\nz = 4\n")) == [["x = 3\n", "z = 4\n", "y = 2"]]
    assert sources(replaced(text, "1\n", "3\nz = 4\n")) == ["x = 3\nz = 4\ny = 2"]


def test_lines_that_did_not_change_keep_their_spelling() -> None:
    data = (
        b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["a = \'\\u00e4\'\\n" ,"b\\u0020= 1\\n","c = 2"]}]}'
    )
    found = document_from_bytes(data, Path("n.ipynb"), "n.ipynb")

    assert replaced(found, "2", "'ß'").original_bytes == data.replace(b"c = 2", b"c = '\\u00df'")
    assert replaced(found, "= 1", "= 3").original_bytes == data.replace(b"b\\u0020= 1", b"b = 3")
    assert replaced(found, "b = 1\n", "").original_bytes == data.replace(b',"b\\u0020= 1\\n"', b"")
    assert replaced(found, "ä", "ö").original_bytes == data.replace(b"00e4", b"00f6")
    assert inserted(found, len(found.text), "d = 3\n").original_bytes == (
        data.replace(b'"c = 2"', b'"c = 2\\n" ,"d = 3"')
    )


@pytest.mark.parametrize(
    ("style", "separator"),
    [({"indent": 1}, ',\n    "y = 2"'), ({}, ', "y = 2"'), ({"separators": (",", ":")}, ',"y = 2"')],
)
def test_a_second_line_is_laid_out_as_the_first(style: dict[str, Any], separator: str) -> None:
    edited = inserted(notebook(["x = 1"], **style), 6, "y = 2\n")

    assert f'"x = 1\\n"{separator}' in edited.original_bytes.decode()
    assert edited.original_bytes == notebook(["x = 1\n", "y = 2"], **style).original_bytes


def test_escapes_are_written_as_the_notebook_does() -> None:
    assert b"\\u00df" in replaced(fixture("tabs_and_escapes.ipynb"), "print", "ß = print").original_bytes
    assert (
        "ß = ".encode()
        in replaced(fixture("string_sources.ipynb"), "model.summary", "ß = model.summary").original_bytes
    )
    assert "'ß'".encode() in replaced(notebook("x = 1"), "1", "'ß'").original_bytes


def test_a_cell_keeps_having_no_final_newline() -> None:
    found = notebook("x = 1", "y = 2")

    assert sources(inserted(found, len(found.text), "z = 3\n")) == ["x = 1", "y = 2\nz = 3"]
    assert sources(replaced(found, "x = 1\n", "x = 2\n")) == ["x = 2", "y = 2"]
    assert sources(replaced(found, "x = 1\n", "")) == ["", "y = 2"]
    assert sources(replaced(notebook("x = 1\n", "y = 2"), "x = 1\n", "x = 1\nz = 1\n")) == ["x = 1\nz = 1\n", "y = 2"]


def test_an_insertion_between_cells_goes_to_the_later_one() -> None:
    assert sources(inserted(notebook("x = 1", "y = 2"), 6, "z = 3\n")) == ["x = 1", "z = 3\ny = 2"]


def test_an_indented_insertion_between_cells_goes_to_the_earlier_one() -> None:
    found = notebook("if x:\n    y = 1", "y = 2")

    assert sources(inserted(found, 16, "    z = 3\n")) == ["if x:\n    y = 1\n    z = 3", "y = 2"]


def test_an_insertion_between_cells_goes_where_the_other_edits_are() -> None:
    found = notebook("x = 1\nw = x", "y = 2")
    edits = (TextEdit(0, 6, ""), TextEdit(12, 12, "x = 1\n"))

    assert sources(found.with_edits(edits)) == ["w = x\nx = 1", "y = 2"]


def test_an_insertion_in_front_of_a_cell_magic_goes_behind_it() -> None:
    found = notebook("%%time\n%%capture\nx = 1")

    assert sources(inserted(found, 0, "import os\n")) == ["%%time\n%%capture\nimport os\nx = 1"]
    assert sources(inserted(notebook("%%time"), 0, "x = 1\n")) == ["%%time\nx = 1"]


@pytest.mark.parametrize(
    ("source", "start", "end", "content"),
    [
        ("!ls -l\nx = 1", 0, 3, "y"),
        ("!ls -l\nx = 1", 0, 13, ""),
        ("!ls -l\nx = 1", 2, 2, "y"),
        ("!ls -l\nx = 1", 6, 6, "  # noqa"),
        ("!ls -l\nx = 1", 0, 0, "x "),
        ("x = !ls -l", 0, 10, "y = 2"),
        ("%time f(x)", 0, 10, "g(x)"),
        ("x = 1", 0, 0, "%time "),
        ("x = 1", 0, 5, "x = ("),
        ("x = 1\ny = 2", 0, 1, "%%bash\nx"),
    ],
)
def test_an_edit_that_touches_or_makes_a_magic_is_refused(source: str, start: int, end: int, content: str) -> None:
    with pytest.raises(UnwritableEdit):
        notebook(source).with_edits((TextEdit(start, end, content),))


def test_what_is_masked_can_be_asked_before() -> None:
    found = notebook("x = 1\n!ls -l\ny = 2")

    assert found.is_masked(0, 7)
    assert not found.is_masked(0, 6)
    assert not found.is_masked(13, 18)


def test_beside_a_magic_edits_are_welcome() -> None:
    found = notebook("y = %time f(x)\n%time g(x)")

    assert sources(replaced(found, "f(x)", "f(1)")) == ["y = %time f(1)\n%time g(x)"]
    assert sources(replaced(found, "g(x)", "h()")) == ["y = %time f(x)\n%time h()"]


def test_an_edit_across_cells_is_refused() -> None:
    with pytest.raises(UnwritableEdit, match="not within one cell"):
        replaced(notebook("x = 1", "y = 2"), "1\ny", "3")


def test_an_indented_cell_is_analysed_and_edited_where_it_stands() -> None:
    found = fixture("indented_cell.ipynb")
    start = found.text.index("    model.summary()")

    assert found.span_between(start + 4, start + 9) == Span("indented_cell.ipynb", Position(2, 5), Position(2, 10), 2)
    assert sources(inserted(found, start, "    x = 1\n"))[1] == [
        "    model = keras.Sequential()\n",
        "    x = 1\n",
        "    model.summary()",
    ]
    assert sources(inserted(found, len("import keras\n"), "x = 1\n"))[0] == ["import keras\n", "x = 1"]
    with pytest.raises(UnwritableEdit):
        replaced(found, "if True:", "if False:")


def test_a_mark_crlf_layout_and_duplicate_keys_survive() -> None:
    data = (
        b'\xef\xbb\xbf{"cells":[{"source":"old"\r\n,"cell_type":"code"'
        b',"source": [\r\n"x = 1\\r\\n",\r\n "y = 2\\r\\n"\r\n]}]'
        b',\r\n"nbformat":4, "nan": NaN}'
    )
    found = document_from_bytes(data, Path("n.ipynb"), "n.ipynb")

    assert found.text == "x = 1\r\ny = 2\r\n"
    assert inserted(found, 7, "z = 3\n").original_bytes == data.replace(b'1\\r\\n",', b'1\\r\\n",\r\n "z = 3\\r\\n",')


def test_a_bare_carriage_return_does_not_melt_with_the_next_cell() -> None:
    found = notebook("x = 1\r", "\ny = 2")

    assert found.span_between(found.text.index("y"), len(found.text)).start == Position(2, 1)
    assert sources(replaced(found, "x", "z")) == ["z = 1\r", "\ny = 2"]


@pytest.mark.parametrize(
    "content", ["null", '{"nbformat": 4}', '{"nbformat": 4, "cells": [3]}', '{"nbformat": 3, "worksheets": [[]]}',
                '{"nbformat": 4, "cells": [{"cell_type": "code", "source": [1]}]}', '{"nbformat": 4, "cells": {}}']
)  # fmt: skip
def test_json_that_is_no_notebook_is_told(content: str) -> None:
    with pytest.raises(SourceError, match="is not a notebook"):
        document_from_bytes(content.encode(), Path("n.ipynb"), "n.ipynb")


snippets = st.sampled_from(
    ["", "x = 1", "y = 'ß'\n", "%time f(x)\nz = 2", "%%bash\nls", "!pip list\n", "def f():\n    return 1\n",
     "a = 1\r\nb = 2\r\n", "f(", "%%time\nx = 1", "# only\u2028text", "    x = 1\n    y = 2",
     "\n\nx = '\"\\\\'\n", "x = 1\r"]
)  # fmt: skip
styles = st.sampled_from(
    [{}, {"indent": 1}, {"indent": "\t"}, {"separators": (",", ":")}, {"indent": 2, "sort_keys": True}]
)


@st.composite
def notebooks(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """The content of a notebook and how its JSON is written."""
    cells = []
    for source in draw(st.lists(snippets, max_size=5)):
        lines = [line + "\n" for line in source.split("\n")[:-1]] + source.split("\n")[-1:]
        cell = code(draw(st.sampled_from([source, [line for line in lines if line]])))
        cells.append(cell if draw(st.integers(0, 3)) else {**cell, "cell_type": "markdown"})
    content = {"nbformat": 4, "cells": cells, "metadata": {"title": 'ß "[{'}, "nbformat_minor": 4}
    return content, {**draw(styles), "ensure_ascii": draw(st.booleans())}


@settings(deadline=None)
@given(notebooks())
def test_text_survives_the_round_trip(case: tuple[dict[str, Any], dict[str, Any]]) -> None:
    content, style = case
    found = document_from_bytes(json.dumps(content, **style).encode(), Path("n.ipynb"), "n")

    ast.parse(found.text)
    for cell in found.cells:
        original = "".join(content["cells"][cell.number - 1]["source"])
        kept = list(found.text[cell.body : cell.end - cell.has_added_newline])
        for start, end in cell.masks:
            if start >= cell.body:
                kept[start - cell.body : end - cell.body] = original[start - cell.body : end - cell.body]
        assert "".join(kept) == original


@settings(deadline=None, max_examples=200)
@given(notebooks(), st.data())
def test_an_edit_of_a_notebook_keeps_every_untouched_byte(
    case: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    content, style = case
    found = document_from_bytes(json.dumps(content, **style).encode(), Path("n.ipynb"), "n")
    assume(found.cells)
    cell = data.draw(st.sampled_from(found.cells))
    start, end = sorted((data.draw(st.integers(cell.body, cell.end)), data.draw(st.integers(cell.body, cell.end))))
    inserted_text = data.draw(st.sampled_from(["", "q = 1\n", "\nq = 'ß'\n", "    q = 1\n", "1"]))
    try:
        edited = found.with_edits((TextEdit(start, end, inserted_text),))
    except UnwritableEdit:
        return

    old, new = content["cells"], json.loads(edited.original_bytes)["cells"]
    changed = [number for number, (a, b) in enumerate(zip(old, new, strict=True)) if a["source"] != b["source"]]
    assert len(changed) <= 1
    for number in changed:
        assert type(old[number]["source"]) is type(new[number]["source"])
        marked = [{**c, "source": "@"} if n == number else c for n, c in enumerate(old)]
        head, tail = json.dumps({**content, "cells": marked}, **style).encode().split(b'"@"')
        assert edited.original_bytes.startswith(head)
        assert edited.original_bytes.endswith(tail)
        edited_source = "".join(new[number]["source"])
        assert inserted_text.strip() in edited_source
    assert document_from_bytes(edited.original_bytes, Path("n.ipynb"), "n").text == edited.text
