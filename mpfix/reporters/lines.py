"""One line of source as a terminal shows it: tabs widened, control characters made visible, long lines cropped."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

TAB = 4
ELLIPSIS = "…"
MINIMUM_WIDTH = 30


@dataclass(frozen=True, slots=True)
class ShownLine:
    """Text ready for a terminal, and the half-open range of its columns that is underlined."""

    text: str
    start: int
    end: int

    def underline(self, mark: str) -> str:
        """Blanks, then `mark` below every underlined column; at least one."""
        return " " * self.start + mark * max(1, self.end - self.start)


def show_line(line: str, *, start: int = 0, end: int = 0, width: int) -> ShownLine:
    """Show `line` in at most `width` columns, cropped so that the underlined part is in view.

    Args:
        start: first underlined code point, 0-based.
        end: code point behind the last underlined one.
    """
    cells = [_cell(character) for character in line]
    widths = [_columns(cell) for cell in cells]
    first, last = _window(widths, start, max(width, MINIMUM_WIDTH))
    head = ELLIPSIS if first else ""
    tail = ELLIPSIS if last < len(cells) else ""
    begin = len(head) + sum(widths[first:start])
    return ShownLine(head + "".join(cells[first:last]) + tail, begin, begin + sum(widths[start : min(last, end)]))


def printable(text: str) -> str:
    """`text` with tabs widened and control characters made visible."""
    return "".join(map(_cell, text))


def _cell(character: str) -> str:
    """What stands for one code point; a source may hold escape sequences that a terminal would obey."""
    if character == "\t":
        return " " * TAB
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"


def _columns(cell: str) -> int:
    """Terminal columns of a cell: East Asian wide characters take two, combining ones none."""
    if cell.isascii():
        return len(cell)
    if unicodedata.combining(cell):
        return 0
    return 2 if unicodedata.east_asian_width(cell) in "WF" else 1


def _window(widths: Sequence[int], start: int, width: int) -> tuple[int, int]:
    """The range of cells to show: the whole line if it fits, else what follows a little text before `start`."""
    if sum(widths) <= width:
        return 0, len(widths)
    first = start if sum(widths[:start]) > width // 2 else 0
    while first and first < start + 1 and sum(widths[first:start]) < width // 4:
        first -= 1
    last, used = first, 2
    while last < len(widths) and used + widths[last] <= width:
        used += widths[last]
        last += 1
    while first and used + widths[first - 1] <= width:
        first -= 1
        used += widths[first]
    return first, last
