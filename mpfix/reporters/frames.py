"""Framed source: numbered lines with the place underlined, and the small diff of a fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mpfix.diagnostic import Edit, Position, Span
from mpfix.reporters.lines import show_line
from mpfix.reporters.style import ADDED, BLUE, REMOVED, Paint
from mpfix.source.lines import LineIndex, split_lines
from mpfix.source.text_edits import TextEdit, spliced

Sources = Mapping[tuple[str, int | None], tuple[str, ...]]

CONTEXT = 1
"""Unchanged lines around what is shown."""
MARKED_LINES = 4
"""Lines of a long span that are shown; the rest is an ellipsis."""


@dataclass(frozen=True, slots=True)
class Frame:
    """How frames of one diagnostic are drawn: gutter of `digits` columns, lines cropped at `width`, colours."""

    digits: int
    width: int
    paint: Paint

    def row(self, number: int | None, sign: str, text: str = "") -> str:
        """One line: number or blanks, `|` (or a sign of a diff), text."""
        label = "" if number is None else str(number)
        gutter = self.paint(f"{label:>{self.digits}} {sign}", BLUE)
        return f"{gutter} {text}".rstrip() if text else gutter

    def room(self) -> int:
        """Columns left for source."""
        return self.width - self.digits - 3


def place(span: Span) -> str:
    """`file:row:column`, in a notebook `file:cell N:row:column`."""
    cell = "" if span.cell is None else f"cell {span.cell}:"
    return f"{span.filename}:{cell}{span.start.row}:{span.start.column}"


def gutter_digits(spans: Sequence[Span]) -> int:
    """Columns that the largest line number of some frames needs, with one line of context."""
    return max((len(str(span.end.row + 1)) for span in spans), default=1)


def source_frame(
    frame: Frame, span: Span, sources: Sources, *, mark: str, colour: str, context: int = 0
) -> Iterator[str]:
    """The lines of `span` with `context` lines around; its first line is underlined with `mark`.

    Nothing where the source is not at hand, as for a file that could not be decoded.
    """
    lines = sources.get((span.filename, span.cell), ())
    if not 1 <= span.start.row <= len(lines):
        return
    yield frame.row(None, "|")
    for number in _context(lines, span.start.row - context, span.start.row):
        yield frame.row(number, "|", show_line(lines[number - 1], width=frame.room()).text)
    first = lines[span.start.row - 1]
    end = span.end.column - 1 if span.end.row == span.start.row else len(first)
    shown = show_line(first, start=span.start.column - 1, end=end, width=frame.room())
    yield frame.row(span.start.row, "|", shown.text)
    yield frame.row(None, "|", _painted_mark(frame, shown.underline(mark), colour))
    yield from _rest(frame, span, lines, context)
    yield frame.row(None, "|")


def fix_diff(frame: Frame, edits: Sequence[Edit], sources: Sources) -> Iterator[str]:
    """What the edits of a fix change, line by line, in file order; the gutter counts lines of the old text."""
    keys = sorted({(edit.span.filename, edit.span.cell) for edit in edits}, key=lambda key: (key[0], key[1] or 0))
    for index, key in enumerate(keys):
        here = [edit for edit in edits if (edit.span.filename, edit.span.cell) == key]
        if len(keys) > 1 or index:
            yield frame.row(None, "|", f"{key[0]}" + (f" cell {key[1]}" if key[1] else ""))
        yield from _diff_rows(frame, sources.get(key, ()), here)


def _painted_mark(frame: Frame, underline: str, colour: str) -> str:
    blanks = len(underline) - len(underline.lstrip(" "))
    return underline[:blanks] + frame.paint(underline[blanks:], colour)


def _rest(frame: Frame, span: Span, lines: tuple[str, ...], context: int) -> Iterator[str]:
    """What follows the first line: the next lines of a long span, then the context."""
    last = min(span.end.row, span.start.row + MARKED_LINES - 1)
    for number in _context(lines, span.start.row + 1, last + 1):
        yield frame.row(number, "|", show_line(lines[number - 1], width=frame.room()).text)
    if last < span.end.row:
        yield frame.row(None, "|", "…")
    else:
        for number in _context(lines, last + 1, last + 1 + context):
            yield frame.row(number, "|", show_line(lines[number - 1], width=frame.room()).text)


def _context(lines: Sequence[str], start: int, stop: int) -> range:
    return range(max(1, start), max(1, min(len(lines) + 1, stop)))


def _diff_rows(frame: Frame, lines: tuple[str, ...], edits: Sequence[Edit]) -> Iterator[str]:
    if not lines:
        return
    window = _window(lines, edits)
    old = list(lines[window.start - 1 : window.stop - 1])
    new = _apply(old, edits, window.start)
    groups = difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT)
    for index, group in enumerate(groups):
        if index:
            yield frame.row(None, "…")
        for tag, old_start, old_stop, new_start, new_stop in group:
            if tag == "equal":
                yield from (_unchanged(frame, window.start + row, old[row]) for row in range(old_start, old_stop))
                continue
            # a cropped line shows where the two differ
            focus = _common_start(old[old_start:old_stop], new[new_start:new_stop])
            for row in range(old_start, old_stop):
                yield _signed(frame, window.start + row, "-", old[row], focus)
            for line in new[new_start:new_stop]:
                yield _signed(frame, None, "+", line, focus)


def _common_start(old: Sequence[str], new: Sequence[str]) -> int:
    """Number of characters that the first lines of two blocks begin with alike."""
    if not old or not new:
        return 0
    differ = (count for count, (left, right) in enumerate(zip(old[0], new[0], strict=False)) if left != right)
    return next(differ, min(len(old[0]), len(new[0])))


def _unchanged(frame: Frame, number: int, line: str) -> str:
    return frame.row(number, "|", show_line(line, width=frame.room()).text)


def _signed(frame: Frame, number: int | None, sign: str, line: str, focus: int) -> str:
    label = "" if number is None else str(number)
    text = show_line(line, start=min(focus, len(line)), end=len(line), width=frame.room()).text
    gutter = frame.paint(f"{label:>{frame.digits}}", BLUE)
    return f"{gutter} {frame.paint(f'{sign} {text}'.rstrip(), REMOVED if sign == '-' else ADDED)}"


def _window(lines: Sequence[str], edits: Sequence[Edit]) -> range:
    """Rows that the edits touch and their neighbours, so that a long file is not compared as a whole."""
    first = min(edit.span.start.row for edit in edits)
    last = max(edit.span.end.row for edit in edits)
    return range(max(1, first - CONTEXT), min(last + CONTEXT, len(lines)) + 1)


def _apply(old: Sequence[str], edits: Sequence[Edit], first_row: int) -> list[str]:
    """The lines of a window, whose first line is row `first_row` of the file, after the edits."""
    index = LineIndex("\n".join(old) + "\n")

    def offset(position: Position) -> int:
        return index.offset_of(Position(position.row - first_row + 1, position.column))

    pieces = [TextEdit(offset(edit.span.start), offset(edit.span.end), edit.content) for edit in edits]
    # the sort is stable: insertions at one place keep their order
    changed = spliced(index.text, sorted(pieces, key=lambda edit: (edit.start, edit.end)))
    return [line.rstrip("\r\n") for line in split_lines(changed)]
