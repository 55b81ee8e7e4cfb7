"""The last look at a rewrite: it parses, nothing but the intended statements differs, and no comment is gone."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from mpfix.rewriting.layout import Clause, blocks, children, header_nodes
from mpfix.rewriting.limits import comments, parse
from mpfix.rewriting.refused import RewriteRefused
from mpfix.source.lines import LineIndex
from mpfix.source.text_edits import TextEdit

Mark = tuple[int, int, str, int, int]
"""Of an untouched statement or header: depth, number of the block in its owner, class, range in the old text."""


def verify(old_tree: ast.Module, old_text: str, new_text: str, edits: Sequence[TextEdit]) -> None:
    """Refuse a new text in which anything differs outside the edits, or a comment is missing.

    Outside the edits both texts are the same characters. Where their statements and headers also have the same ranges,
    classes and nesting, their trees are the same; so no expression needs to be compared.
    """
    new_tree = parse(new_text)
    gaps = _Gaps(old_text, edits)
    old_marks = list(_marks(old_tree, LineIndex(old_text), gaps.old, gaps.old))
    if old_marks != list(_marks(new_tree, LineIndex(new_text), gaps.new, gaps.old)):
        raise RewriteRefused("the change would disturb other statements")
    if any("#" in old_text[edit.start : edit.end] for edit in edits):
        lost = Counter(comments(old_text)) - Counter(comments(new_text))
        if lost:
            raise RewriteRefused(f"the comment `{min(lost)}` would be lost")


class _Gaps:
    """The untouched ranges between edits, in the old text and in the new."""

    def __init__(self, text: str, edits: Sequence[TextEdit]) -> None:
        self.old: list[tuple[int, int]] = []
        self.new: list[tuple[int, int]] = []
        reached = shift = 0
        for edit in [*edits, TextEdit(len(text), len(text), "")]:
            self.old.append((reached, edit.start))
            self.new.append((reached + shift, edit.start + shift))
            reached = edit.end
            shift += len(edit.content) - (edit.end - edit.start)


def _marks(
    tree: ast.Module, lines: LineIndex, gaps: list[tuple[int, int]], old_gaps: list[tuple[int, int]]
) -> Iterator[Mark]:
    """The untouched simple statements and headers, in source order."""
    starts = [start for start, _ in gaps]

    def mark(depth: int, place: int, node: ast.AST, start: int, end: int) -> Mark | None:
        found = bisect_right(starts, start) - 1
        # a statement in front of an insertion ends where the next gap begins
        if end > gaps[found][1]:
            return None
        shift = old_gaps[found][0] - gaps[found][0]
        return depth, place, type(node).__name__, start + shift, end + shift

    todo: list[tuple[int, int, Clause]] = [(0, 0, node) for node in reversed(tree.body)]
    while todo:
        depth, place, node = todo.pop()
        inner = [(depth + 1, number, child) for number, block in enumerate(blocks(node)) for child in block]
        found = mark(depth, place, node, *(_header(node, lines) if inner else (_start(node, lines), _end(node, lines))))
        if found:
            yield found
        todo += reversed(inner)


def _header(node: Clause, lines: LineIndex) -> tuple[int, int]:
    """From the first decorator to the last expression of a header."""
    inner = [child for child in header_nodes(node) if hasattr(child, "end_lineno")]
    inner += children(getattr(node, "decorator_list", []))
    starts = [_start(child, lines) for child in [*inner, node] if hasattr(child, "lineno")]
    return min(starts), max([*(_end(child, lines) for child in inner), min(starts) + 1])


def _start(node: ast.AST, lines: LineIndex) -> int:
    return lines.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]


def _end(node: ast.AST, lines: LineIndex) -> int:
    return lines.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
