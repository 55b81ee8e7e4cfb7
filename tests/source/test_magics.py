"""IPython syntax is masked at its own length; Python that looks like it is not."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpfix.source.lines import split_lines
from mpfix.source.magics import PYTHON_CELL_MAGICS, mask_magics, syntax_error


def masked(source: str) -> str:
    """The masked text, spaces at line ends left out."""
    cell = mask_magics(source)
    assert cell is not None
    assert len(cell.text) == len(source)
    return "\n".join(line.rstrip() for line in cell.text.split("\n"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("!ls", "0"),
        ("%m\n", "0\n"),
        ("!!pip list", "pass"),
        ("?keras.Model", "pass"),
        ("keras.Model??", "pass"),
        ("%timeit?", "pass"),
        ("files = !ls *.csv", "files = _______()"),
        ("a, b = !pip list --outdated", "a, b = get_ipython()"),
        ("x.y[0] = %sql select 1", "x.y[0] = get_ipython()"),
        ("x = !l", "x = __"),
        ("if x:\n    !echo it's\n    y = 1", "if x:\n    pass\n    y = 1"),
        ("!echo one \\\n  two\nx = 1", "pass\n\nx = 1"),
        ("%time f(x)", "pass; f(x)"),
        ("%time y = f(x)", "pass; y = f(x)"),
        ("y = %time f(x)", "y =       f(x)"),
        ("%time f(x", "pass"),
        ("%timeit f(x)", "pass"),
        ("pip install -q keras\nx = 1", "pass\nx = 1"),
        ("cd ..\nls -l", "pass\npass"),
        ("ls {folder}/data", "pass"),
    ],
)
def test_ipython_lines_become_python(source: str, expected: str) -> None:
    assert masked(source) == expected
    ast.parse(masked(source))


@pytest.mark.parametrize(
    "source",
    [
        "x = (a\n% b)",
        's = """\n!ls\n%time\nwhat?\n"""',
        "s = 'it\\\n!ls'",
        "f(  # (\n    '''(''',\n    x,\n)\nx = a \\\n% b",
        "if x != y: x %= 3",
        "s = 'it\\'s ('",
        "# really?\nx = 'why?'  # what?",
        "ls = 1\ncat = ls\ncat += 1\ncd in (1, 2)",
        "s = r'\\'\nt = 'a' ''",
    ],
)
def test_python_that_looks_like_magic_stays(source: str) -> None:
    assert masked(source + "\n!end!") == source + "\npass"


def test_what_is_masked_is_told() -> None:
    cell = mask_magics("%%time\n!ls\nx = !pwd\ny = 1\n")

    assert cell is not None
    assert cell.masks == ((0, 6), (7, 10), (15, 19))
    assert cell.header_end == 7


@pytest.mark.parametrize("magic", sorted(PYTHON_CELL_MAGICS))
def test_cells_of_python_magics_are_python(magic: str) -> None:
    assert masked(f"\n%%{magic} -o out\nx = 1\n") == "\npass\nx = 1\n"


def test_several_cell_magics_may_stand_above_each_other() -> None:
    cell = mask_magics("%%capture out\n%%time\nx = 1")

    assert cell is not None
    assert cell.header_end == len("%%capture out\n%%time\n")
    assert mask_magics("%%time\n%%bash\nls") is None


@pytest.mark.parametrize(
    "magic", ["bash", "html", "writefile a.py", "script false", "python3", "sql", "javascript", "!"]
)
def test_cells_of_other_magics_are_left_out(magic: str) -> None:
    assert mask_magics(f"%%{magic}\nx = 1") is None


def test_comments_may_stand_above_a_cell_magic() -> None:
    cell = mask_magics("# how long?\n\n%%time\nx = 1")

    assert cell is not None
    assert cell.text == "# how long?\n\npass  \nx = 1"
    assert cell.header_end == len("# how long?\n\n%%time\n")
    assert mask_magics("# install\n%%bash\nls") is None


def test_a_form_feed_or_line_separator_ends_no_command() -> None:
    assert masked("!echo\x0ca\u2028b\nx = 1") == "pass\nx = 1"


@pytest.mark.parametrize(
    ("source", "message"),
    [("f(", "'(' was never closed"), ("x = '\ud800'", "surrogates"), ("(" * 5000, "nested")],
)
def test_a_text_that_does_not_parse_says_why(source: str, message: str) -> None:
    error = syntax_error(source)

    assert error is not None
    assert message in error.msg


def test_await_return_and_odd_escapes_parse_in_silence() -> None:
    assert syntax_error("x = await f()\nasync with y: pass\nreturn 1\ns = '\\d'") is None


pieces = st.sampled_from(
    [
        "%",
        "!",
        "?",
        "x",
        " = ",
        "%time ",
        "'",
        '"',
        '"""',
        "(",
        ")",
        "\\",
        "#",
        "\n",
        "\r\n",
        "\r",
        " ",
        "%%time",
        "ls ",
        "\x0c",
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(pieces, max_size=14).map("".join))
def test_masking_keeps_length_lines_and_all_that_is_not_masked(source: str) -> None:
    cell = mask_magics(source)
    if cell is None:
        return

    assert [len(line) for line in split_lines(cell.text)] == [len(line) for line in split_lines(source)]
    kept = [True] * len(source)
    for start, end in cell.masks:
        assert 0 <= start < end <= len(source)
        kept[start:end] = [False] * (end - start)
    assert all(new == old for new, old, keep in zip(cell.text, source, kept, strict=True) if keep)
    assert list(cell.masks) == sorted(cell.masks)
