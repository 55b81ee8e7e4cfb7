"""The statements of one logical line, with what goes in front of them, behind them and in their place, to pieces."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mpfix.rewriting.layout import Layout
from mpfix.rewriting.limits import parse
from mpfix.rewriting.pieces import Block, Piece, Side, Source


@dataclass
class LinePlan:
    """What happens to the statements of a module."""

    layout: Layout
    before: dict[ast.stmt, list[Block]] = field(default_factory=dict)
    after: dict[ast.stmt, list[Block]] = field(default_factory=dict)
    replaced: dict[ast.stmt, Block] = field(default_factory=dict)
    moved: dict[ast.stmt, Source] = field(default_factory=dict)
    gone: set[ast.stmt] = field(default_factory=set)
    """Deleted, replaced or moved one by one."""
    leaving: set[ast.stmt] = field(default_factory=set)
    """Moved out of their block."""
    placeholders: set[ast.stmt] = field(default_factory=set)
    """Gone, and `pass` must take their place."""

    def lines_after(self, statement: ast.stmt, offset: int, blocks: list[Block], *, is_append: bool = False) -> Piece:
        """Lines added behind the line that ends at `offset`; those of inner blocks come first."""
        parts: list[str | Block] = []
        for block in blocks:
            parts += [self.layout.newline, block]
        depth = self.layout.site(statement).depth
        order = (-depth, int(is_append))
        return Piece(offset, offset, tuple(parts), Side.AFTER, self.layout.start(statement), order)

    def remains(self, statement: ast.stmt) -> bool:
        """Whether the statement, or what replaces it, stays in its block."""
        return statement not in self.leaving and (statement not in self.gone or statement in self.replaced)

    def adds_beside(self, statement: ast.stmt) -> bool:
        """Whether lines are put beside the statement that do not leave its block with it."""
        added = self.before.get(statement) or self.after.get(statement)
        return bool(added) and statement not in self.moved and statement not in self.leaving


def line_pieces(plan: LinePlan, parts: list[ast.stmt]) -> list[Piece]:
    """The pieces of one logical line."""
    if len(parts) > 1 or plan.layout.opener(parts[0])[0]:
        return list(_Shared(plan, parts).pieces())
    statement = parts[0]
    if statement in plan.gone and statement not in plan.moved and statement not in plan.replaced:
        return [_deletion(plan, statement)]
    return [*_own_text(plan, statement), *_around(plan, statement)]


def _around(plan: LinePlan, statement: ast.stmt) -> Iterator[Piece]:
    layout, anchor = plan.layout, plan.layout.start(statement)
    if before := plan.before.get(statement):
        start = layout.attached_start(statement)
        parts = [part for block in before for part in (block, layout.newline)]
        yield Piece(start, start, tuple(parts), Side.BEFORE, anchor)
    if after := plan.after.get(statement):
        yield plan.lines_after(statement, layout.statement_end(statement), after)


def _own_text(plan: LinePlan, statement: ast.stmt) -> Iterator[Piece]:
    """What becomes of a statement that is moved or replaced."""
    layout, anchor = plan.layout, plan.layout.start(statement)
    if block := plan.replaced.get(statement):
        yield Piece(anchor, layout.end(statement), (replace(block, is_headless=True),), Side.REPLACE, anchor)
    elif source := plan.moved.get(statement):
        filled = statement in plan.placeholders
        parts = (source.indentation + "pass" + layout.newline,) if filled else ()
        side = Side.REPLACE if filled else Side.DELETE_LINES
        yield Piece(source.start, layout.next_line(source.end), parts, side, anchor, taken=(source,))


def _deletion(plan: LinePlan, statement: ast.stmt) -> Piece:
    """A deleted statement that has its line alone; what is inserted beside it takes its place."""
    layout, start, end = plan.layout, plan.layout.start(statement), plan.layout.end(statement)
    blocks = [*plan.before.get(statement, []), *plan.after.get(statement, [])]
    if statement in plan.placeholders:
        return Piece(start, end, ("pass",), Side.REPLACE, start)
    if blocks:
        return Piece(start, end, _headless(blocks, layout.newline), Side.REPLACE, start)
    return Piece(layout.line_start(start), layout.next_line(end), (), Side.DELETE_LINES, start)


def _headless(blocks: list[Block], newline: str) -> tuple[str | Block, ...]:
    """Blocks in place of a statement."""
    parts: list[str | Block] = [replace(blocks[0], is_headless=True)]
    for block in blocks[1:]:
        parts += [newline, block]
    return tuple(parts)


class _Shared:
    """A line with several statements, or a body on its header's line: only gaps between what stays are written anew."""

    def __init__(self, plan: LinePlan, parts: list[ast.stmt]) -> None:
        self._plan, self._parts, self._layout = plan, parts, plan.layout
        mark, behind = self._layout.opener(parts[0])
        self._is_body = mark == ":"
        self._start = behind if self._is_body else self._layout.start(parts[0])
        self._break = self._layout.newline + self._layout.block_indentation(parts[0])
        self._has_lines = any(plan.before.get(p) or plan.after.get(p) or self._in_place(p) for p in parts)
        self._waiting: list[Block] = []
        """Blocks to be written in the next gap."""

    def _in_place(self, part: ast.stmt) -> Block | None:
        """What replaces a part and needs lines of its own."""
        block = self._plan.replaced.get(part)
        return block if block is not None and not _is_inline(block) else None

    def _stays(self, part: ast.stmt) -> bool:
        return part not in self._plan.gone or (part in self._plan.replaced and not self._in_place(part))

    def pieces(self) -> Iterator[Piece]:
        """The line's pieces in order."""
        last: ast.stmt | None = None
        for index, part in enumerate(self._parts):
            self._waiting += self._plan.before.get(part, [])
            if self._stays(part):
                yield from self._gap(last, index)
                if part in self._plan.replaced:
                    block = replace(self._plan.replaced[part], is_headless=True)
                    yield self._piece(self._layout.start(part), self._layout.end(part), (block,))
                last = part
            elif in_place := self._in_place(part):
                self._waiting.append(in_place)
            self._waiting += self._plan.after.get(part, [])
        yield from self._tail(last)

    def _gap(self, last: ast.stmt | None, index: int) -> Iterator[Piece]:
        """What stands between two parts that stay, or in front of the first one."""
        layout = self._layout
        part = self._parts[index]
        start = layout.end(last) if last else self._start
        is_next = index > 0 and self._parts[index - 1] is last
        if self._waiting or (last is None and self._is_body and self._has_lines):
            yield self._piece(start, layout.start(part), (*self._lines(last), self._break))
        elif last is None and index:
            yield self._piece(layout.start(self._parts[0]), layout.start(part), ())
        elif last is not None and not is_next:
            before = layout.end(self._parts[index - 1])
            yield self._piece(start, layout.start(part), (layout.text[before : layout.start(part)],))
        self._waiting = []

    def _tail(self, last: ast.stmt | None) -> Iterator[Piece]:
        """What follows the last part that stays; all of the line when none does."""
        layout, final = self._layout, self._parts[-1]
        end = layout.end(final)
        if last is final:
            if self._waiting:
                yield self._plan.lines_after(final, layout.line_end(end), self._waiting)
        elif last is not None:
            yield self._piece(layout.end(last), end, self._lines(last))
        elif self._waiting:
            yield self._piece(self._start, end, self._lines(None))
        elif self._is_body or any(part in self._plan.placeholders for part in self._parts):
            yield self._piece(layout.start(self._parts[0]), end, ("pass",))
        else:
            start = layout.line_start(self._start)
            yield Piece(start, layout.next_line(end), (), Side.DELETE_LINES, layout.start(final))

    def _lines(self, last: ast.stmt | None) -> tuple[str | Block, ...]:
        if last is None and not self._is_body:
            return _headless(self._waiting, self._layout.newline)
        return tuple(part for block in self._waiting for part in (self._layout.newline, block))

    def _piece(self, start: int, end: int, parts: tuple[str | Block, ...]) -> Piece:
        taken = tuple(self._plan.moved[part] for part in self._parts if part in self._plan.moved)
        return Piece(start, end, parts, Side.REPLACE, self._layout.start(self._parts[0]), taken=taken)


def _is_inline(block: Block) -> bool:
    """Whether a block's code can stand on a line with other statements."""
    code = block.content
    if not isinstance(code, str) or "\n" in code.strip() or "#" in code:
        return False
    tree = parse(code.strip())
    return len(tree.body) == 1 and not hasattr(tree.body[0], "body")
