"""One file as text, with what is needed to write it back byte for byte."""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mpfix.diagnostic import Position, Span
from mpfix.errors import SourceError
from mpfix.source.decoding import decode, encode
from mpfix.source.lines import LineIndex, dominant_newline, with_newline
from mpfix.source.text_edits import TextEdit, UnwritableEdit, in_order, spliced

if TYPE_CHECKING:
    from mpfix.source.notebook import BrokenCell, CellText

__all__ = ["Document", "TextEdit", "UnwritableEdit", "document_from_bytes", "read_document"]


@dataclass(frozen=True)
class Document:
    """One file as text.

    text: decoded text that is analysed, without BOM, newlines as in the file. Notebooks: the Python of all analysed
    cells joined, each cell ending in a newline; magics and shell lines masked so that the text parses.
    """

    path: Path
    display: str
    text: str
    original_bytes: bytes = field(repr=False)
    kind: str = "py"
    """`py`, `pyi` or `ipynb`."""
    encoding: str = "utf-8"
    cells: tuple[CellText, ...] = field(default=(), repr=False)
    """Notebooks: the cells that `text` is made of."""
    broken_cells: tuple[BrokenCell, ...] = ()
    """Notebooks: code cells that do not parse and are left out of `text`."""

    @cached_property
    def lines(self) -> LineIndex:
        """Position conversions of `text`."""
        return LineIndex(self.text)

    @cached_property
    def newline(self) -> str:
        """The newline that most lines end in."""
        return dominant_newline(self.text)

    def offset(self, line: int, byte_column: int) -> int:
        """Code point offset in `text` of an `ast` position (1-based line, UTF-8 byte column)."""
        return self.lines.offset(line, byte_column)

    def position(self, offset: int) -> tuple[int, int]:
        """The `ast` position of a code point offset in `text`."""
        return self.lines.ast_position(offset)

    def span(self, start_line: int, start_byte: int, end_line: int, end_byte: int) -> Span:
        """Report positions of an `ast` range (1-based line, UTF-8 byte column of `text`)."""
        return self.span_between(self.offset(start_line, start_byte), self.offset(end_line, end_byte))

    def span_between(self, start: int, end: int) -> Span:
        """Report positions of a range of code point offsets in `text`; in a notebook it ends with the cell."""
        cell = self.cell_at(start)
        if cell is None:
            return Span(self.display, self.lines.position(start), self.lines.position(end))
        return Span(self.display, self._row(cell, start), self._row(cell, min(end, cell.end)), cell.number)

    def cell_at(self, offset: int) -> CellText | None:
        """The notebook cell that holds a code point offset of `text`; None where there are no cells."""
        if not self.cells:
            return None
        return self.cells[max(bisect_right(self.cells, offset, key=lambda cell: cell.start) - 1, 0)]

    def is_masked(self, start: int, end: int) -> bool:
        """Whether a range of `text` holds something that stands for a notebook magic and cannot be edited."""
        return any(first < end and start < last for cell in self.cells for first, last in cell.masks)

    def with_edits(self, edits: tuple[TextEdit, ...]) -> Document:
        """The document after the edits: its `text`, and as `original_bytes` the bytes to write; the rest byte for byte.

        Newlines of inserted content become the document's. In a notebook an insertion between two cells goes to the
        earlier one if it is indented or if only that one is edited elsewhere, else to the later one, behind its
        `%%time`.

        Raises:
            SourceError: the file's encoding cannot hold the new text.
            UnwritableEdit: a ValueError; edits overlap, leave the text, touch a masked magic or cross cells, or the
                result would not read back as that text.
        """
        if not edits:
            return self
        newline = self.newline
        ordered = in_order(
            self.text, [TextEdit(edit.start, edit.end, with_newline(edit.content, newline)) for edit in edits]
        )
        if self.kind == "ipynb":
            from mpfix.source.notebook_edits import edited_bytes

            data, text = edited_bytes(self.original_bytes, self.text, self.cells, ordered, self.display)
        else:
            text = spliced(self.text, ordered)
            data = self._encoded(text)
        edited = replace(document_from_bytes(data, self.path, self.display), kind=self.kind)
        if edited.text != text or len(edited.broken_cells) != len(self.broken_cells):
            raise UnwritableEdit("the edited file would not read back as it was meant")
        return edited

    def _encoded(self, text: str) -> bytes:
        if self.encoding != "utf-8" and encode(self.text, self.encoding, self.original_bytes, self.display) != (
            self.original_bytes
        ):
            raise SourceError(self.display, f"cannot be written: {self.encoding} would not give the same bytes back")
        return encode(text, self.encoding, self.original_bytes, self.display)

    def _row(self, cell: CellText, offset: int) -> Position:
        place = self.lines.position(max(offset, cell.body))
        return Position(place.row - cell.first_line + 1, place.column)


def read_document(path: Path, display: str) -> Document:
    """The file at `path`, called `display` in reports.

    Raises:
        SourceError: it cannot be read or decoded, or is an `.ipynb` that is no notebook.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(display, "cannot be read: it is not a regular file")
            # the superuser may read anything, so the bits count too: whoever cleared them meant it
            if not status.st_mode & 0o444:
                raise SourceError(display, "cannot be read: permission denied")
            data = file.read()
    except FileNotFoundError:
        raise SourceError(display, "no such file") from None
    except OSError as error:
        raise SourceError(display, f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    return document_from_bytes(data, path, display)


def document_from_bytes(data: bytes, path: Path, display: str) -> Document:
    """A document of bytes that are at hand, such as standard input; `path` tells its kind by suffix.

    Raises:
        SourceError: the bytes cannot be decoded, or are no notebook although `path` ends in `.ipynb`.
    """
    suffix = path.suffix.lower()
    if suffix == ".ipynb":
        from mpfix.source.notebook import read_notebook

        notebook = read_notebook(data, display)
        return Document(
            path, display, notebook.text, data, "ipynb", cells=notebook.cells, broken_cells=notebook.broken_cells
        )
    text, encoding = decode(data, display)
    return Document(path, display, text, data, "pyi" if suffix == ".pyi" else "py", encoding)


def _open_without_waiting(path: str, flags: int) -> int:
    # a FIFO named `x.py` must not hang the run
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
