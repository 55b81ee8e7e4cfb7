"""Position conversions: `ast` (line, UTF-8 byte column), code point offset, report row and column.

Lines end at LF, CRLF and CR only, as the compiler sees them; a form feed or U+2028 ends no line.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from mpfix.diagnostic import Position

_NEWLINE = re.compile("\r\n|\r|\n")
_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))


class LineIndex:
    """The lines of one text. Conversions never fail: what lies outside is moved to the nearest place inside.

    `ast` needs that: before Python 3.12 the parts of an f-string may claim columns beyond their line.
    """

    __slots__ = ("_is_ascii", "starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(newline.end() for newline in _NEWLINE.finditer(text))]
        """Code point offset of each line's first character."""
        self._is_ascii = text.isascii()

    @property
    def line_count(self) -> int:
        """Number of lines; the empty one after a final newline counts."""
        return len(self.starts)

    def line(self, number: int) -> str:
        """The text of 1-based line `number`, with its newline."""
        return self.text[self.starts[number - 1] : self._end(number)]

    def offset(self, line: int, byte_column: int) -> int:
        """Code point offset of an `ast` position."""
        if line > self.line_count:
            return len(self.text)
        start, end = self.starts[max(line, 1) - 1], self._end(max(line, 1))
        if self._is_ascii:
            return min(start + byte_column, end)
        return start + _characters(self.text[start:end], byte_column)

    def ast_position(self, offset: int) -> tuple[int, int]:
        """1-based line and UTF-8 byte column of a code point offset."""
        line, start = self._line_at(offset)
        before = self.text[start:offset]
        return line, len(before) if self._is_ascii else len(before.encode("utf-8", "surrogatepass"))

    def position(self, offset: int) -> Position:
        """Row and column, as reports show them, of a code point offset."""
        line, start = self._line_at(offset)
        return Position(line, min(offset, len(self.text)) - start + 1)

    def offset_of(self, position: Position) -> int:
        """Code point offset of a report's row and column."""
        if position.row > self.line_count:
            return len(self.text)
        row = max(position.row, 1)
        return min(self.starts[row - 1] + max(position.column, 1) - 1, self._end(row))

    def _line_at(self, offset: int) -> tuple[int, int]:
        line = max(bisect_right(self.starts, offset), 1)
        return line, self.starts[line - 1]

    def _end(self, number: int) -> int:
        return self.starts[number] if number < len(self.starts) else len(self.text)


def _characters(line: str, byte_column: int) -> int:
    """Number of characters that start before `byte_column`; a column inside a character means its start."""
    if line.isascii():
        return min(byte_column, len(line))
    encoded = line.encode("utf-8", "surrogatepass")
    inside = byte_column < len(encoded) and encoded[byte_column] in _CONTINUATION_BYTES
    return len(encoded[:byte_column].translate(None, _CONTINUATION_BYTES)) - inside


def split_lines(text: str) -> list[str]:
    """The lines of `text`, each with its newline; no empty last one."""
    lines, start = [], 0
    for newline in _NEWLINE.finditer(text):
        lines.append(text[start : newline.end()])
        start = newline.end()
    return [*lines, text[start:]] if start < len(text) else lines


def dominant_newline(text: str) -> str:
    r"""The newline that most lines end in, the first one among equals; `\n` where there is none."""
    crlf = text.count("\r\n")
    counts = {"\r\n": crlf, "\n": text.count("\n") - crlf, "\r": text.count("\r") - crlf}
    most = max(counts.values())
    if not most:
        return "\n"
    return next(found[0] for found in _NEWLINE.finditer(text) if counts[found[0]] == most)


def with_newline(content: str, newline: str) -> str:
    r"""`content` with each `\n` that is not part of a `\r\n` turned into `newline`."""
    return content if newline == "\n" else re.sub("(?<!\r)\n", lambda _: newline, content)
