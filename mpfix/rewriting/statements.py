"""Intents about whole statements, to pieces: what is inserted, deleted, replaced and moved, line by line."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mpfix.rewriting.edits import (
    AppendToBlock,
    DeleteStatement,
    EnsureImport,
    InsertAfter,
    InsertBefore,
    Intent,
    MoveOutOfBlock,
    MoveStatement,
    RemoveImport,
    ReplaceStatement,
)
from mpfix.rewriting.imports import ImportPlace, import_place, missing_imports, removes_all
from mpfix.rewriting.layout import Layout, indent_width
from mpfix.rewriting.line_pieces import LinePlan, line_pieces
from mpfix.rewriting.pieces import Block, Piece, Side, Source
from mpfix.rewriting.refused import RewriteRefused

_MOVABLE_OUT_OF = (ast.With, ast.AsyncWith, ast.If, ast.For, ast.AsyncFor, ast.While)


def statement_pieces(layout: Layout, intents: Sequence[Intent]) -> list[Piece]:
    """The pieces of all intents about whole statements."""
    planner = _Planner(layout)
    for intent in intents:
        planner.take(intent, intents)
    planner.add_imports(intents)
    return planner.pieces()


@dataclass
class _Planner:
    """Collects what happens to each statement before any line is written: intents meet on one line or in one block."""

    layout: Layout
    plan: LinePlan = field(init=False)
    appended: dict[ast.stmt, list[Block]] = field(default_factory=dict)
    deleted: set[ast.stmt] = field(default_factory=set)
    moved_out: dict[ast.stmt, tuple[ast.stmt, ...]] = field(default_factory=dict)
    touched: list[ast.stmt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plan = LinePlan(self.layout)

    def take(self, intent: Intent, intents: Sequence[Intent]) -> None:
        """Note what one intent asks."""
        match intent:
            case InsertBefore(statement=statement, code=code):
                self._touch(statement)
                self.plan.before.setdefault(statement, []).append(self._block(statement, code))
            case InsertAfter(statement=statement, code=code):
                self._touch(statement)
                self.plan.after.setdefault(statement, []).append(self._block(statement, code))
            case AppendToBlock(statement=statement, code=code):
                body = self._body(statement)
                self.appended.setdefault(statement, []).append(self._block(body[0], code))
            case DeleteStatement(statement=statement):
                self._delete(statement)
            case RemoveImport(statement=statement) if removes_all(statement, intents):
                self._delete(statement)
            case ReplaceStatement(statement=statement, code=code):
                self._take_away(statement)
                self.plan.replaced[statement] = self._block(statement, code)
            case MoveStatement(statement=statement, before=before):
                self._move(statement, before)
            case MoveOutOfBlock(statements=statements, block=block):
                self._move_out(statements, block)

    def _touch(self, statement: ast.stmt) -> None:
        if self.layout.is_elif(statement):
            raise RewriteRefused("an `elif` has no room for statements beside it")
        self.touched.append(statement)

    def _take_away(self, statement: ast.stmt) -> None:
        self._touch(statement)
        if statement in self.plan.gone:
            raise RewriteRefused("two changes of one fix take the same statement away")
        self.plan.gone.add(statement)

    def _delete(self, statement: ast.stmt) -> None:
        # an import statement may be asked to go once for each of its names
        if statement not in self.deleted:
            self.deleted.add(statement)
            self._take_away(statement)

    def _block(self, statement: ast.stmt, code: str) -> Block:
        # blank lines at the end of the code stay
        blank = self.layout.newline * max(len(code) - len(code.rstrip("\n")) - 1, 0)
        return Block(code, self.layout.block_indentation(statement), self.layout.unit(statement), below=blank)

    def _body(self, statement: ast.stmt) -> list[ast.stmt]:
        body: list[ast.stmt] = getattr(statement, "body", [])
        if not body:
            raise RewriteRefused("a statement without a body cannot be appended to")
        self.layout.site(statement)
        return body

    # moves

    def _source(self, statement: ast.stmt) -> Source:
        layout = self.layout
        start = layout.start(statement)
        if len(layout.line_parts(statement)) > 1 or layout.opener(statement)[0]:
            return Source(start, layout.end(statement), "", is_whole=False)
        return Source(layout.attached_start(statement), layout.statement_end(statement), layout.indentation(start))

    def _move(self, statement: ast.stmt, before: ast.stmt) -> None:
        if self.layout.start(statement) <= self.layout.start(before) < self.layout.end(statement):
            raise RewriteRefused("a statement cannot be moved into itself")
        self._take_away(statement)
        self._touch(before)
        source = self._source(statement)
        self.plan.moved[statement] = source
        self.plan.before.setdefault(before, []).append(replace(self._block(before, ""), content=source))

    def _move_out(self, statements: tuple[ast.stmt, ...], block: ast.stmt) -> None:
        body = self._body(block)
        if not isinstance(block, _MOVABLE_OUT_OF) or getattr(block, "orelse", []) or self.layout.is_elif(block):
            raise RewriteRefused("statements can be moved out of a `with`, `if` or loop without an `else` only")
        if not statements or tuple(body[-len(statements) :]) != statements:
            raise RewriteRefused("only the last statements of a block can be moved out of it")
        if len(statements) == len(body):
            raise RewriteRefused("nothing would remain in the block")
        self.moved_out[block] = statements
        self.plan.leaving.update(statements)
        first = statements[0]
        parts = self.layout.line_parts(first)
        if self.layout.opener(first)[0] and parts[-1] is not statements[-1]:
            raise RewriteRefused("the statements to move share a line with others")
        if self.layout.opener(first)[0]:
            self._move_parts_out(statements, block)

    def _move_parts_out(self, statements: tuple[ast.stmt, ...], block: ast.stmt) -> None:
        """Statements that share their line leave it one by one."""
        self._touch(block)
        for statement in statements:
            self._take_away(statement)
            source = self._source(statement)
            self.plan.moved[statement] = source
            self.plan.after.setdefault(block, []).append(replace(self._block(block, ""), content=source))

    def _dedented(self, block: ast.stmt, statements: tuple[ast.stmt, ...]) -> Piece:
        """The last lines of a block, where they stand, at the block's own indentation."""
        layout = self.layout
        inner = layout.indentation(layout.start(statements[0]))
        end = layout.region_end(statements[-1], indent_width(inner))
        source = Source(layout.attached_start(statements[0]), end, inner)
        moved = replace(self._block(block, ""), content=source)
        return Piece(source.start, end, (moved,), Side.REPLACE, layout.start(block), taken=(source,))

    # imports

    def add_imports(self, intents: Sequence[Intent]) -> None:
        """Note the imports that are missing."""
        tree = self.layout.module.tree
        missing = missing_imports(tree, intents)
        place = import_place(tree, self._first_use(intents)) if missing else None
        if missing and place is None:
            raise RewriteRefused("an empty file has no place for an import")
        if place is not None:
            self._add_imports(missing, place)

    def _add_imports(self, missing: list[str], place: ImportPlace) -> None:
        newline = self.layout.newline
        blocks = [self._block(place.statement, code) for code in missing]
        target = self.plan.after if place.is_after else self.plan.before
        if place.is_apart and place.is_after:
            blocks[0] = replace(blocks[0], above=newline)
        elif place.is_apart:
            blocks[-1] = replace(blocks[-1], below=newline)
        self.touched.append(place.statement)
        present = target.get(place.statement, [])
        target[place.statement] = [*blocks, *present]

    def _first_use(self, intents: Sequence[Intent]) -> ast.stmt | None:
        """The first top-level statement that another intent changes: the imports must stand in front of it."""
        layout = self.layout
        changed = []
        for intent in intents:
            for name in ("statement", "expression", "call", "before", "block"):
                node = getattr(intent, name, None)
                if isinstance(node, ast.AST) and not isinstance(intent, (RemoveImport, EnsureImport)):
                    changed.append(layout.node_start(node))
        first = min(changed, default=None)
        if first is None:
            return None
        return next((top for top in layout.module.tree.body if layout.end(top) > first), None)

    # pieces

    def pieces(self) -> list[Piece]:
        """Everything noted, as pieces."""
        found = [
            self._dedented(block, statements)
            for block, statements in self.moved_out.items()
            if statements[0] not in self.plan.gone
        ]
        for block, blocks in self.appended.items():
            found += self._append(block, blocks)
        self._fill_empty_blocks()
        lines = {self.layout.line_parts(statement)[0]: None for statement in self.touched}
        for first in lines:
            found += line_pieces(self.plan, self.layout.line_parts(first))
        return found

    def _append(self, compound: ast.stmt, blocks: list[Block]) -> list[Piece]:
        """Lines behind the last statement that stays in a body, and behind the comments that end it."""
        layout, body = self.layout, self._body(compound)
        remaining = [statement for statement in body if self.plan.remains(statement)]
        last = remaining[-1] if remaining else next((s for s in body if s not in self.plan.moved), None)
        if last is None:
            raise RewriteRefused("a block cannot be emptied by moves and filled at once")
        if last is not body[-1] or last in self.plan.gone or layout.opener(body[0])[0] == ":":
            self.touched.append(last)
            self.plan.after.setdefault(last, []).extend(blocks)
            return []
        end = layout.region_end(last, indent_width(layout.indentation(layout.start(last))))
        return [self.plan.lines_after(last, end, blocks, is_append=True)]

    def _fill_empty_blocks(self) -> None:
        """Leave `pass` where the last statement of a block is taken away and nothing is put there."""
        plan = self.plan
        for statement in plan.gone:
            site = self.layout.site(statement)
            first = next(neighbour for neighbour in site.block if neighbour in plan.gone)
            is_filled = any(plan.remains(neighbour) or plan.adds_beside(neighbour) for neighbour in site.block)
            if site.depth and statement is first and not is_filled:
                plan.placeholders.add(statement)
