"""Replacements of pieces of a text, applied together."""

from __future__ import annotations

from collections.abc import Iterable

from mpfix.record import record


@record
class TextEdit:
    r"""Replace `text[start:end]` (code point offsets into `Document.text`) by `content`, whose newlines are `\n`."""

    start: int
    end: int
    content: str

    @property
    def is_insertion(self) -> bool:
        """Whether nothing is replaced."""
        return self.start == self.end


class UnwritableEdit(ValueError):
    """An edit that the document cannot take: overlapping, out of range, on a notebook magic or across cells."""


def in_order(text: str, edits: Iterable[TextEdit]) -> tuple[TextEdit, ...]:
    """The edits by position; insertions at one place keep their order.

    Raises:
        UnwritableEdit: edits overlap, lie outside the text or split a CRLF.
    """
    ordered = tuple(sorted(edits, key=lambda edit: (edit.start, edit.end)))
    reached = 0
    for edit in ordered:
        if not reached <= edit.start <= edit.end <= len(text):
            raise UnwritableEdit(f"edit {edit.start}:{edit.end} overlaps another one or lies outside the text")
        if _splits_newline(text, edit.start) or _splits_newline(text, edit.end):
            raise UnwritableEdit(f"edit {edit.start}:{edit.end} splits a CRLF newline")
        reached = edit.end
    return ordered


def spliced(text: str, ordered: Iterable[TextEdit]) -> str:
    """`text` after edits that are in order and do not overlap."""
    parts, reached = [], 0
    for edit in ordered:
        parts += [text[reached : edit.start], edit.content]
        reached = edit.end
    return "".join([*parts, text[reached:]])


def _splits_newline(text: str, offset: int) -> bool:
    return 0 < offset < len(text) and text[offset - 1] == "\r" and text[offset] == "\n"
