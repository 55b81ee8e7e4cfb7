"""Files become text, and edited text becomes the file's own bytes again."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpfix.diagnostic import Position, Span
from mpfix.errors import SourceError
from mpfix.source.document import Document, TextEdit, UnwritableEdit, document_from_bytes, read_document

FIXTURES = Path(__file__).parents[2] / "fixtures"
ENCODINGS = sorted((FIXTURES / "encodings").glob("*.py"))
BROKEN = {
    "not_utf8.py": "is not valid UTF-8: byte 0xf6 on line 2; save it as UTF-8 or declare its encoding (PEP 263)",
    "unknown_encoding.py": "declares the encoding `klingon-8`, which Python does not know",
    "binary_codec.py": "cannot be decoded as hex",
    "bom_against_cookie.py": "starts with a UTF-8 byte order mark but declares the encoding `latin-1`",
    "broken_json.ipynb": "is not a notebook: invalid JSON at line 3, column 1",
    "other_json.ipynb": "is not a notebook: the JSON has no `nbformat`",
    "json_list.ipynb": "is not a notebook: the JSON has no `nbformat`",
    "sourceless_cell.ipynb": "is not a notebook: cell 1 has no `source`",
    "empty.ipynb": "is not a notebook: invalid JSON at line 1, column 1",
    "not_utf8.ipynb": "is not a notebook: it is not valid UTF-8",
}


def document(source: str | bytes, name: str = "a.py") -> Document:
    """A document of a source at hand."""
    return document_from_bytes(source.encode() if isinstance(source, str) else source, Path(name), name)


@pytest.mark.parametrize("path", ENCODINGS, ids=lambda path: path.name)
def test_odd_encodings_parse_as_the_bytes_do(path: Path) -> None:
    found = read_document(path, path.name)

    assert ast.dump(ast.parse(found.text)) == ast.dump(ast.parse(path.read_bytes()))
    assert found.original_bytes == path.read_bytes()
    assert (found.path, found.display, found.kind) == (path, path.name, "py")


@pytest.mark.parametrize("path", ENCODINGS, ids=lambda path: path.name)
def test_an_insertion_adds_its_bytes_and_keeps_all_others(path: Path) -> None:
    found = read_document(path, path.name)
    end = len(found.text)

    edited = found.with_edits((TextEdit(end, end, "\nadded = 1\n"),))

    added = f"{found.newline}added = 1{found.newline}"
    assert edited.original_bytes == path.read_bytes() + added.encode()
    assert edited.text == found.text + added


@pytest.mark.parametrize(("name", "sentence"), BROKEN.items())
def test_a_broken_file_gives_its_sentence(name: str, sentence: str) -> None:
    with pytest.raises(SourceError) as raised:
        read_document(FIXTURES / "broken" / name, name)

    assert (raised.value.filename, raised.value.message) == (name, sentence)


def test_a_nul_byte_is_left_for_the_parser() -> None:
    path = FIXTURES / "broken" / "nul_byte.py"

    assert "\0" in read_document(path, "nul_byte.py").text


@pytest.mark.parametrize("folder", ["notebooks", "encodings", "broken"])
def test_every_fixture_has_a_line_in_its_readme(folder: str) -> None:
    files = {path.name for path in (FIXTURES / folder).iterdir()} - {"README.md", ".gitattributes"}

    listed = re.findall(r"^\| `(.+?)` \|", (FIXTURES / folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert set(listed) == files
    assert len(listed) == len(files)


@pytest.mark.parametrize(
    ("source", "encoding"),
    [
        (b"x = 1\n", "utf-8"),
        (b"# coding: latin-1\n", "iso8859-1"),
        (b"\n# coding: latin-1\n", "iso8859-1"),
        (b"# a\r# coding=latin-1\r", "iso8859-1"),
        (b"x = 1\n# coding: latin-1\n", "utf-8"),
        (b"\n\n# coding: latin-1\n", "utf-8"),
        (b"'coding: latin-1'\n", "utf-8"),
        (b"\xef\xbb\xbf# coding: utf-8-sig\n", "utf-8"),
    ],
)
def test_the_declaration_stands_on_one_of_two_lines(source: bytes, encoding: str) -> None:
    assert document(source).encoding == encoding


@pytest.mark.parametrize(
    ("name", "kind"), [("a.py", "py"), ("a.pyi", "pyi"), ("a.ipynb", "ipynb"), ("a.PY", "py"), ("tool", "py")]
)
def test_the_suffix_tells_the_kind(name: str, kind: str) -> None:
    source = '{"cells": [], "nbformat": 4}' if kind == "ipynb" else "x = 1\n"

    assert document(source, name).kind == kind


def test_a_span_counts_code_points_from_one() -> None:
    found = document("x = 1\r\nß = f(🙂)\r\n")

    assert found.span(2, 5, 2, 12) == Span("a.py", Position(2, 5), Position(2, 9))
    assert found.position(found.offset(2, 5)) == (2, 5)


def test_edits_come_in_any_order_and_insertions_keep_theirs() -> None:
    edits = (TextEdit(4, 5, "2"), TextEdit(0, 0, "a"), TextEdit(0, 1, "y"), TextEdit(0, 0, "b"))

    assert document("x = 1\n").with_edits(edits).text == "aby = 2\n"


def test_no_edits_give_the_same_document() -> None:
    found = document("x = 1\n")

    assert found.with_edits(()) is found


@pytest.mark.parametrize(
    "edits",
    [
        (TextEdit(0, 3, ""), TextEdit(2, 4, "")),
        (TextEdit(0, 99, ""),),
        (TextEdit(-1, 0, ""),),
        (TextEdit(3, 2, ""),),
        (TextEdit(6, 6, "#"),),
    ],
)
def test_edits_that_overlap_leave_the_text_or_split_a_newline_are_refused(edits: tuple[TextEdit, ...]) -> None:
    with pytest.raises(UnwritableEdit):
        document("x = 1\r\n").with_edits(edits)


def test_a_character_that_the_encoding_lacks_is_refused() -> None:
    found = read_document(FIXTURES / "encodings" / "latin_1.py", "latin_1.py")

    with pytest.raises(SourceError, match="iso8859-1 has no character '学'"):
        found.with_edits((TextEdit(0, 0, "# 学\n"),))


def test_an_edit_that_hides_the_declaration_is_refused() -> None:
    found = read_document(FIXTURES / "encodings" / "cookie_on_line_two.py", "a.py")

    with pytest.raises((SourceError, UnwritableEdit)):
        found.with_edits((TextEdit(0, 0, "import os\n"),))


def test_an_encoding_that_does_not_give_its_bytes_back_is_refused() -> None:
    found = document(b"# coding: utf-7\nx = '+AOQ-'\n+-\n")

    with pytest.raises(SourceError, match="would not give the same bytes back"):
        document(b"# coding: utf-7\nx = '+AGE-'\n").with_edits((TextEdit(0, 0, "#\n"),))
    assert "ä" in found.text


def test_a_fifo_a_folder_and_a_missing_file_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")

    with pytest.raises(SourceError, match=r"pipe.py: cannot be read: it is not a regular file"):
        read_document(tmp_path / "pipe.py", "pipe.py")
    with pytest.raises(SourceError, match="cannot be read: "):
        read_document(tmp_path, "folder")
    with pytest.raises(SourceError, match=r"gone\.py: no such file"):
        read_document(tmp_path / "gone.py", "gone.py")


def test_a_file_that_nobody_may_read_is_told_even_to_the_superuser(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 1\n")
    path.chmod(0)

    with pytest.raises(SourceError, match="cannot be read: permission denied"):
        read_document(path, "a.py")


def test_reading_python_loads_nothing_heavy(tmp_path: Path) -> None:
    # a folder without a .gitignore around it
    shutil.copytree(FIXTURES / "encodings", tmp_path / "encodings")
    code = (
        "import sys; from pathlib import Path\n"
        "from mpfix.source.document import read_document\n"
        "from mpfix.source.discover import discover\n"
        "[read_document(found.path, found.display) for found in discover([sys.argv[1]], root=Path()).files]\n"
        "print(*sorted({'libcst', 'rich', 'pathspec', 'nbformat', 'json', 'tokenize'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)

    # dataclasses itself brings tokenize in, through inspect
    assert set(done.stdout.split()) <= {"tokenize"}


contents = st.sampled_from(["", "x", "ß", "# 学\n", "a = 1\nb = 2\n", "\n"])
lines = st.sampled_from(["x = 1", "größe = '🙂'", "\x0c", "\tß", "# \u2028", ""])
newlines = st.sampled_from(["\n", "\r\n", "\r"])


@settings(deadline=None)
@given(
    st.lists(st.tuples(lines, newlines), max_size=6),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), contents), max_size=3),
)
def test_edits_keep_every_untouched_byte(
    parts: list[tuple[str, str]], has_mark: bool, places: list[tuple[int, int, str]]
) -> None:
    text = "".join(line + newline for line, newline in parts)
    mark = b"\xef\xbb\xbf" if has_mark else b""
    found = document(mark + text.encode())
    edits = tuple(TextEdit(min(a, b), max(a, b), content) for a, b, content in places)
    try:
        edited = found.with_edits(edits)
    except UnwritableEdit:
        return

    expected, reached = mark, 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        expected += text[reached : edit.start].encode() + edit.content.replace("\n", found.newline).encode()
        reached = edit.end
    assert edited.original_bytes == expected + text[reached:].encode()
    assert document(edited.original_bytes).text == edited.text
