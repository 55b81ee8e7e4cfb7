"""Notebooks (nbformat 3 and 4): the Python of all code cells as one text, and changed cells back into the JSON.

The text holds the code cells that Python runs, in order, each ending in a newline. Cells of another language and cells
with a syntax error are left out; magics are masked by code of the same length. A cell that is indented as a whole,
which IPython accepts, stands under an added `if True:`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mpfix.diagnostic import Position, Span
from mpfix.errors import SourceError
from mpfix.record import record
from mpfix.source.json_values import elements, escapes_non_ascii, members, quoted, skip_space, value_end
from mpfix.source.lines import LineIndex
from mpfix.source.magics import MaskedCell, mask_magics, syntax_error

_BOM = b"\xef\xbb\xbf"
_ADDED_HEADER = "if True:\n"


@record
class CellText:
    """The part of a notebook's text that is one code cell; offsets are into that text."""

    number: int
    """1-based, over all cells of the notebook."""
    start: int
    end: int
    first_line: int
    """The line of the text that is the cell's first row."""
    masks: tuple[tuple[int, int], ...] = ()
    """Ranges that are not the cell's own text and cannot be edited."""
    header_end: int = 0
    """Where the lines end that must stay first, such as `%%time`; `body` when there are none."""
    body: int = 0
    """Where the cell's source begins: behind the added `if True:`."""
    has_added_newline: bool = False


@record
class BrokenCell:
    """A code cell that does not parse and is left out of the text."""

    span: Span
    message: str


@record
class Notebook:
    """What one notebook says in Python."""

    text: str
    cells: tuple[CellText, ...]
    broken_cells: tuple[BrokenCell, ...]


def read_notebook(data: bytes, display: str) -> Notebook:
    """The Python of a notebook.

    Raises:
        SourceError: the bytes are not the JSON of a notebook.
    """
    document = _parsed(data, display)
    sources = _code_sources(document, display) if _is_python(document) else ()
    text, line = "", 1
    parts: list[str] = []
    cells: list[CellText] = []
    broken: list[BrokenCell] = []
    length = 0
    for number, source in sources:
        masked = _masked(source)
        if isinstance(masked, SyntaxError):
            broken.append(_broken_cell(masked, source, number, display))
        elif masked is not None and masked.text:
            text, cell = _placed(masked, number, length, line)
            cells.append(cell)
            parts.append(text)
            length += len(text)
            line += LineIndex(text).line_count - 1
    return Notebook("".join(parts), tuple(cells), tuple(broken))


def with_sources(data: bytes, sources: Mapping[int, str]) -> bytes:
    """The notebook's bytes with the source of some cells replaced, by cell number; all else stays byte for byte.

    A source stays a list of lines or a string, as it was, and so do its layout and its lines that did not change.
    """
    mark = _BOM if data.startswith(_BOM) else b""
    text = data.removeprefix(_BOM).decode("utf-8")
    parts, reached = [], 0
    for number, start in enumerate(_source_offsets(text), start=1):
        if start is not None and number in sources:
            end = value_end(text, start)
            parts += [text[reached:start], _written(text, start, end, sources[number])]
            reached = end
    return mark + "".join([*parts, text[reached:]]).encode("utf-8")


def cell_sources(data: bytes, display: str) -> dict[int, str]:
    """The source of each code cell, by cell number."""
    return dict(_code_sources(_parsed(data, display), display))


def _parsed(data: bytes, display: str) -> dict[str, Any]:
    try:
        document = json.loads(data.removeprefix(_BOM).decode("utf-8"))
    except UnicodeDecodeError:
        raise SourceError(display, "is not a notebook: it is not valid UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise SourceError(display, f"is not a notebook: invalid JSON at {where}") from None
    except (ValueError, RecursionError):
        raise SourceError(display, "is not a notebook: its JSON cannot be read") from None
    if not isinstance(document, dict) or not isinstance(document.get("nbformat"), int):
        raise SourceError(display, "is not a notebook: the JSON has no `nbformat`")
    return document


def _is_python(document: Mapping[str, Any]) -> bool:
    metadata = document.get("metadata")
    for table, key in (("kernelspec", "language"), ("language_info", "name")):
        entry = metadata.get(table) if isinstance(metadata, dict) else None
        language = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(language, str):
            return "python" in language.lower()
    return True


def _code_sources(document: Mapping[str, Any], display: str) -> list[tuple[int, str]]:
    """Number and source of each code cell."""
    found = []
    for number, (cell, key) in enumerate(_cells(document, display), start=1):
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            raise SourceError(display, f"is not a notebook: cell {number} has no `cell_type`")
        if cell["cell_type"] != "code":
            continue
        source = cell.get(key)
        lines = [source] if isinstance(source, str) else source
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise SourceError(display, f"is not a notebook: cell {number} has no `{key}`")
        found.append((number, "".join(lines)))
    return found


def _cells(document: Mapping[str, Any], display: str) -> Iterator[tuple[Any, str]]:
    """All cells, each with the key of its source: `source`, in nbformat 3 `input`."""
    cells, worksheets = document.get("cells"), document.get("worksheets")
    if isinstance(cells, list):
        yield from ((cell, "source") for cell in cells)
    elif isinstance(worksheets, list):
        for worksheet in worksheets:
            inner = worksheet.get("cells", []) if isinstance(worksheet, dict) else None
            if not isinstance(inner, list):
                raise SourceError(display, "is not a notebook: a worksheet has no `cells`")
            yield from ((cell, "input") for cell in inner)
    else:
        raise SourceError(display, "is not a notebook: the JSON has no `cells`")


def _masked(source: str) -> MaskedCell | SyntaxError | None:
    """The cell as Python, why it is none, or None for another language. What parses is never masked."""
    if syntax_error(source) is None:
        return MaskedCell(source, (), 0)
    masked = mask_magics(source)
    if masked is None:
        return None
    error = syntax_error(masked.text)
    if error is None:
        return masked
    indented = masked.text.lstrip("\r\n")[:1] in (" ", "\t")
    return error if not indented or syntax_error(_ADDED_HEADER + masked.text) else masked


def _placed(masked: MaskedCell, number: int, start: int, line: int) -> tuple[str, CellText]:
    """The cell's part of the text, and its place there: from offset `start` and line `line` on."""
    header = _ADDED_HEADER if masked.text.lstrip("\r\n")[:1] in (" ", "\t") and syntax_error(masked.text) else ""
    # always LF: a bare CR and the first newline of the next cell would melt into one CRLF
    added_newline = "" if masked.text.endswith("\n") else "\n"
    text = header + masked.text + added_newline
    body = start + len(header)
    header_end = masked.header_end + (len(added_newline) if masked.header_end == len(masked.text) else 0)
    masks = tuple((body + first, body + last) for first, last in masked.masks)
    return text, CellText(
        number,
        start,
        start + len(text),
        line + bool(header),
        ((start, body), *masks) if header else masks,
        body + header_end,
        body,
        bool(added_newline),
    )


def _broken_cell(error: SyntaxError, source: str, number: int, display: str) -> BrokenCell:
    lines = LineIndex(source)
    start = lines.position(lines.offset_of(Position(error.lineno or 1, error.offset or 1)))
    end = lines.position(lines.offset_of(Position(error.end_lineno or 0, error.end_offset or 0)))
    if end <= start:
        end = Position(start.row, start.column + 1)
    return BrokenCell(Span(display, start, end, number), error.msg)


def _source_offsets(text: str) -> Iterator[int | None]:
    """Where the source of each cell begins in the JSON; None for a cell that is no code."""
    document = members(text, skip_space(text, 0))
    if "cells" in document and text[document["cells"]] == "[":
        lists = [(document["cells"], "source")]
    else:
        sheets = [members(text, start) for start, _ in elements(text, document["worksheets"])]
        lists = [(sheet["cells"], "input") for sheet in sheets if "cells" in sheet]
    for array, key in lists:
        for start, _ in elements(text, array):
            cell = members(text, start)
            kind = cell["cell_type"]
            yield cell[key] if json.loads(text[kind : value_end(text, kind)]) == "code" else None


def _written(text: str, start: int, end: int, source: str) -> str:
    """The JSON of a changed source, in the form of the value it replaces."""
    escape = escapes_non_ascii(text, text[start:end])
    if text[start] == '"':
        return quoted(source, escape=escape)
    spans = list(elements(text, start))
    first, last, middle = _changed_lines([str(json.loads(text[a:b])) for a, b in spans], source)
    new = [quoted(line, escape=escape) for line in middle]
    if not spans:
        return "[" + ", ".join(new) + "]"
    separator = text[spans[0][1] : spans[1][0]] if len(spans) > 1 else _separator(text, text[start + 1 : spans[0][0]])
    gaps = [text[spans[n - 1][1] : spans[n][0]] if 0 < n < len(spans) else separator for n in (first, last)]
    before = text[start : spans[0][0]] + (text[spans[0][0] : spans[first - 1][1]] if first else "")
    after = (text[spans[last][0] : spans[-1][1]] if last < len(spans) else "") + text[spans[-1][1] : end]
    if not new:
        return before + (gaps[0] if first and last < len(spans) else "") + after
    before += gaps[0] if first else ""
    return before + separator.join(new) + (gaps[1] if last < len(spans) else "") + after


def _separator(text: str, before: str) -> str:
    """What stands between two lines of a source that had one line only."""
    if "\n" in before or "\r" in before:
        return "," + before
    return ", " if '": ' in text else ","


def _changed_lines(old: Sequence[str], source: str) -> tuple[int, int, list[str]]:
    """What to do to `old` to get the lines of `source`: `old[first:last]` is replaced by the lines of the third."""
    first, start = 0, 0
    while first < len(old) and old[first].endswith("\n") and source.startswith(old[first], start):
        start += len(old[first])
        first += 1
    last, end = len(old), len(source)
    while last > first and end - len(old[last - 1]) >= start and source.endswith(old[last - 1], start, end):
        last -= 1
        end -= len(old[last])
    # a line of the middle must not run into an old one
    while last < len(old) and end > start and source[end - 1] != "\n":
        end += len(old[last])
        last += 1
    return first, last, _json_lines(source[start:end])


def _json_lines(source: str) -> list[str]:
    """Lines as Jupyter stores them: each with its LF, the last one without when there is none."""
    lines = source.split("\n")
    return [*(line + "\n" for line in lines[:-1]), *lines[-1:]] if lines[-1] else [line + "\n" for line in lines[:-1]]
