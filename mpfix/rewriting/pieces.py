"""Changes of a text before they are put together: blocks of lines, where they go, and what moves."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from mpfix.rewriting.layout import Layout
from mpfix.rewriting.limits import parse
from mpfix.rewriting.refused import RewriteRefused
from mpfix.source.text_edits import TextEdit


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A range of text that moves to another place, at the indentation `indentation`; changes inside it move along.

    `is_whole` ranges are whole lines without the last newline, others begin and end within a line.
    """

    start: int
    end: int
    indentation: str
    is_whole: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Lines at `indentation`, made of new code or of moved text; without the newline at their end."""

    content: str | Source
    indentation: str
    unit: str = "    "
    is_headless: bool = False
    """Whether the first line goes behind an indentation that is there already."""
    above: str = ""
    below: str = ""


class Side(Enum):
    """What a piece does at its place."""

    AFTER = 0
    """Adds lines behind the end of a line."""
    BEFORE = 1
    """Adds lines in front of a line."""
    REPLACE = 2
    DELETE_LINES = 3
    """Takes whole lines away; others may add lines inside the range."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Replace `start:end` by `parts`. It belongs to the statement that starts at `anchor`, and moves with that."""

    start: int
    end: int
    parts: tuple[str | Block, ...]
    side: Side
    anchor: int
    order: tuple[int, ...] = ()
    """Place among the pieces of one side at one offset."""
    taken: tuple[Source, ...] = ()
    """What this piece takes away to be put elsewhere."""


@dataclass(slots=True)
class Composition:
    """Pieces and moves, put together to edits of the text."""

    layout: Layout
    pieces: Sequence[Piece]
    _by_source: dict[Source | None, list[Piece]] = field(default_factory=dict)
    _open: set[Source] = field(default_factory=set)
    _put: set[Source] = field(default_factory=set)

    def edits(self) -> tuple[TextEdit, ...]:
        """The edits in order; they do not overlap."""
        sources = [part.content for piece in self.pieces for part in piece.parts if isinstance(part, Block)]
        ranges = [source for source in sources if isinstance(source, Source)]
        for piece in self.pieces:
            self._by_source.setdefault(_source_of(piece, ranges), []).append(piece)
        edits = self._at_end(self._edits(None))
        if self._put != set(ranges):
            raise RewriteRefused("two statements are moved into each other")
        return edits

    def _edits(self, source: Source | None) -> list[TextEdit]:
        pieces = self._by_source.get(source, [])
        edits: list[TextEdit] = []
        lines_end = reached = 0
        for piece in sorted(pieces, key=lambda piece: (piece.start, piece.side.value, piece.order)):
            is_beside = piece.start < reached or (piece.start == lines_end and self._is_open_end(lines_end))
            adds_lines = piece.side in (Side.AFTER, Side.BEFORE) and not (
                edits and edits[-1].start <= piece.anchor < reached
            )
            if is_beside and piece.end <= lines_end == reached and adds_lines:
                # the line it stood beside goes; what is inside deleted lines goes nowhere
                parts = piece.parts[::-1] if piece.side is Side.AFTER else piece.parts
                edits[-1] = TextEdit(edits[-1].start, edits[-1].end, edits[-1].content + self._text(parts))
            elif piece.start >= reached:
                _append(edits, TextEdit(piece.start, piece.end, self._text(piece.parts)))
                reached = piece.end
                lines_end = piece.end if piece.side is Side.DELETE_LINES else lines_end
            else:
                raise RewriteRefused("two changes of one fix contradict each other")
        return edits

    def _is_open_end(self, offset: int) -> bool:
        """Whether a file without a final newline ends there."""
        return offset == len(self.layout.text) and not self.layout.text.endswith(("\r", "\n"))

    def _text(self, parts: Sequence[str | Block]) -> str:
        return "".join(part if isinstance(part, str) else self._lines(part) for part in parts)

    def _lines(self, block: Block) -> str:
        from mpfix.rewriting.fragment import indented

        if isinstance(block.content, str):
            lines = indented(block.content, block.indentation, block.unit, self.layout.newline)
        else:
            lines = self._moved(block.content, block.indentation)
        return block.above + (lines.removeprefix(block.indentation) if block.is_headless else lines) + block.below

    def _moved(self, source: Source, indentation: str) -> str:
        if source in self._open:
            raise RewriteRefused("two statements are moved into each other")
        self._open.add(source)
        text, reached = "", source.start
        for edit in self._edits(source):
            text += self.layout.text[reached : edit.start] + edit.content
            reached = edit.end
        text += self.layout.text[reached : source.end]
        self._open.discard(source)
        self._put.add(source)
        if not source.is_whole:
            return indentation + text
        return _reindented(text, source.indentation, indentation, self.layout.newline)

    def _at_end(self, edits: list[TextEdit]) -> tuple[TextEdit, ...]:
        """The edits, so that a file without a final newline stays one when its last lines go."""
        text = self.layout.text
        if not edits or not self._is_open_end(edits[-1].end):
            return tuple(edits)
        last = edits.pop()
        while edits and edits[-1].end == last.start:
            before = edits.pop()
            last = TextEdit(before.start, last.end, before.content + last.content)
        content = last.content.removesuffix(self.layout.newline)
        start = last.start
        if not content and start > 0 and text[start - 1] in "\r\n":
            start -= 2 if text[start - 2 : start] == "\r\n" else 1
        return (*edits, TextEdit(start, last.end, content))


def _source_of(piece: Piece, ranges: Sequence[Source]) -> Source | None:
    """The innermost range that `piece` moves with."""
    around = [
        source
        for source in ranges
        if source not in piece.taken
        and source.start <= piece.anchor < source.end
        and source.start <= piece.start
        and piece.end <= source.end
    ]
    return min(around, key=lambda source: source.end - source.start, default=None)


def _append(edits: list[TextEdit], edit: TextEdit) -> None:
    """Add an edit; one that begins where lines were inserted becomes one with that."""
    if edits and edits[-1].start == edits[-1].end == edit.start:
        edit = TextEdit(edit.start, edit.end, edits.pop().content + edit.content)
    edits.append(edit)


def _reindented(lines: str, old: str, new: str, newline: str) -> str:
    from mpfix.rewriting.fragment import reindented

    moved = reindented(lines, old, new, newline)
    if old != new and _shape(lines, old, newline) != _shape(moved, new, newline):
        raise RewriteRefused("statements cannot be moved without a change of meaning")
    return moved


def _shape(lines: str, indentation: str, newline: str) -> str:
    tree: ast.AST = parse(f"if 1:{newline}{lines}").body[0] if indentation else parse(lines)
    return "\n".join(ast.dump(statement) for statement in getattr(tree, "body", []))
