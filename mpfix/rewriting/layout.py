"""Where statements stand in the text: ranges, indentation, neighbours on the line, comments that go with them."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from mpfix.rewriting.refused import RewriteRefused
from mpfix.semantic.syntax import Module
from mpfix.source.lines import LineIndex, dominant_newline

Clause = ast.stmt | ast.ExceptHandler | ast.match_case
"""What has a header or is a simple statement: the places where expressions are at home."""

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_BLANK = re.compile(r"[ \t\f]*")
_COMMENT_LINE = re.compile(r"([ \t\f]*)#")
_SPACE_BEFORE = re.compile(r"(?:[ \t\f]|\\(?:\r\n|\r|\n))*\Z")
_TO_COLON = re.compile(r"(?:#[^\r\n]*|[^:#])*:")
# comments that divide a file or steer a tool; they belong to no statement
_DIVIDER = re.compile(
    r"[ \t\f]*#\s*(?:%%|In\s*\[|<|-{3}|={3}|#{3}|region|endregion|fmt:|yapf:|isort:|ruff:|pylint:|type:|mypy:)"
)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a statement stands: `block[index]`, a block of `owner`; `depth` 0 is the module's."""

    owner: ast.Module | Clause
    block: list[ast.stmt]
    index: int
    depth: int
    enclosing: ast.stmt | None
    """The compound statement around it; None at module level."""


class Layout:
    """The text of one module and its statements, in offsets (code points)."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.text = module.document.text
        self.newline = dominant_newline(self.text)
        self.lines = LineIndex(self.text)

    @cached_property
    def sites(self) -> dict[ast.stmt, Site]:
        """The place of every statement."""
        return {node: site for node, site in self._clauses if isinstance(node, ast.stmt) and site is not None}

    @cached_property
    def _clauses(self) -> list[tuple[Clause, Site | None]]:
        """Every statement, handler and case, in no order; handlers and cases have no site."""
        found: list[tuple[Clause, Site | None]] = []
        stack: list[tuple[ast.Module | Clause, int, ast.stmt | None]] = [(self.module.tree, 0, None)]
        while stack:
            owner, depth, enclosing = stack.pop()
            for block in blocks(owner):
                for index, node in enumerate(block):
                    is_statement = isinstance(node, ast.stmt)
                    found.append((node, Site(owner, block, index, depth, enclosing) if is_statement else None))
                    stack.append((node, depth + is_statement, node if is_statement else enclosing))
        return found

    @cached_property
    def _ordered(self) -> tuple[list[int], list[Clause]]:
        pairs = sorted(((self.start(node), place) for place, (node, _) in enumerate(self._clauses)))
        return [start for start, _ in pairs], [self._clauses[place][0] for _, place in pairs]

    def site(self, statement: ast.stmt) -> Site:
        """The place of `statement`; refuses one that is not of this module."""
        try:
            return self.sites[statement]
        except KeyError:
            raise RewriteRefused("a change names a statement of another file") from None

    def clause_of(self, expression: ast.expr) -> Clause:
        """The simple statement, or the header, that `expression` is written in."""
        starts, clauses = self._ordered
        found = bisect_right(starts, self.node_start(expression)) - 1
        if found < 0:
            raise RewriteRefused("a change names an expression of another file")
        return clauses[found]

    def node_start(self, node: ast.AST) -> int:
        """Where a node with a position begins, without decorators."""
        return self.module.document.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Where a node ends."""
        return self.module.document.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def start(self, node: Clause) -> int:
        """Where a statement begins, with its decorators."""
        if isinstance(node, ast.match_case):
            return self.text.rfind("case", 0, self.node_start(node.pattern))
        if decorators := getattr(node, "decorator_list", None):
            return self.text.rfind("@", 0, self.node_start(decorators[0]))
        return self.node_start(node)

    def header_end(self, clause: Clause) -> int:
        """The offset behind the colon of a header."""
        inner = [self.end(node) for node in header_nodes(clause) if getattr(node, "end_lineno", None) is not None]
        start = self.start(clause) if isinstance(clause, ast.match_case) else self.node_start(clause)
        colon = _TO_COLON.match(self.text, max([start, *inner]))
        if colon is None:
            raise RewriteRefused("the end of a header was not found")
        return colon.end()

    # lines

    def line_start(self, offset: int) -> int:
        """Where the line of `offset` begins."""
        return self.lines.starts[bisect_right(self.lines.starts, offset) - 1]

    def line_end(self, offset: int) -> int:
        """Where the line of `offset` ends, in front of its newline."""
        number = bisect_right(self.lines.starts, offset)
        return self.lines.starts[number - 1] + len(self.lines.line(number).rstrip("\r\n"))

    def next_line(self, offset: int) -> int:
        """Where the line after that of `offset` begins; the end of the text for the last line."""
        number = bisect_right(self.lines.starts, offset)
        return self.lines.starts[number] if number < self.lines.line_count else len(self.text)

    def indentation(self, offset: int) -> str:
        """The white space that the line of `offset` begins with; a form feed starts it again."""
        blank = _BLANK.match(self.text, self.line_start(offset))
        return blank.group().rpartition("\f")[2] if blank else ""

    # statements on their lines

    def opener(self, statement: ast.stmt) -> tuple[str, int]:
        """What `statement` follows on its logical line (`":"`, `";"` or nothing), and the offset behind that."""
        start = self.start(statement)
        space = _SPACE_BEFORE.search(self.text, self._previous_code(statement), start)
        behind = space.start() if space else start
        mark = self.text[behind - 1 : behind]
        if mark in (":", ";"):
            return mark, behind
        if "\\" in self.text[behind:start]:
            raise RewriteRefused("a statement stands behind a line continuation")
        return "", start

    def _previous_code(self, statement: ast.stmt) -> int:
        """An offset in front of which nothing belongs to the line of `statement`."""
        site = self.site(statement)
        if site.index:
            return self.end(site.block[site.index - 1])
        return self.start(site.enclosing) if site.enclosing else 0

    def line_parts(self, statement: ast.stmt) -> list[ast.stmt]:
        """The statements of one block that share a logical line with `statement`, itself among them."""
        site = self.site(statement)
        first = last = site.index
        while first > 0 and self.opener(site.block[first])[0] == ";":
            first -= 1
        while last + 1 < len(site.block) and self.opener(site.block[last + 1])[0] == ";":
            last += 1
        return site.block[first : last + 1]

    def is_elif(self, statement: ast.stmt) -> bool:
        """Whether `statement` is the `elif` of another one: no place for neighbours."""
        site = self.site(statement)
        return (
            isinstance(statement, ast.If)
            and isinstance(site.owner, ast.If)
            and site.block is site.owner.orelse
            and self.text.startswith("elif", self.start(statement))
        )

    # indentation

    def block_indentation(self, statement: ast.stmt) -> str:
        """Indentation of the statements in the block of `statement`, also when that is a body on its header's line."""
        site = self.site(statement)
        first = site.block[0]
        if self.opener(first)[0] != ":":
            return self.indentation(self.start(first))
        return self.indentation(self.start(site.enclosing) if site.enclosing else 0) + self.unit(statement)

    def unit(self, statement: ast.stmt) -> str:
        """One step of indentation, as used around `statement`, else in the file, else four spaces."""
        enclosing = self.site(statement).enclosing
        while enclosing is not None:
            if step := self._step(enclosing):
                return step
            enclosing = self.site(enclosing).enclosing
        return next((step for top in self.module.tree.body if (step := self._step(top))), "    ")

    def _step(self, compound: ast.stmt) -> str:
        body: list[ast.stmt] = getattr(compound, "body", [])
        if not body or self.opener(body[0])[0]:
            return ""
        outer, inner = self.indentation(self.start(compound)), self.indentation(self.start(body[0]))
        return inner[len(outer) :] if inner.startswith(outer) else ""

    # comments

    def attached_start(self, statement: ast.stmt) -> int:
        """Start of the comment lines right above a statement that describe it, else of its own first line.

        A comment at the top of the file (a licence, `#!`) and dividers such as `# %%` describe no statement.
        """
        own = reached = self.line_start(self.start(statement))
        floor = self._floor(statement)
        width = indent_width(self.indentation(own))
        while reached > 0:
            above = self.line_start(reached - 1)
            comment = _COMMENT_LINE.match(self.text, above)
            if comment is None or indent_width(comment.group(1)) != width or _DIVIDER.match(self.text, above):
                return reached
            if above < floor:
                return reached
            reached = above
        return own

    def _floor(self, statement: ast.stmt) -> int:
        """The end of the code above, where a line in a long string may look like a comment, or the start of a cell."""
        cell = self.module.document.cell_at(self.start(statement))
        return max(self._code_above(statement), cell.start if cell else 0)

    def _code_above(self, statement: ast.stmt) -> int:
        site = self.site(statement)
        if site.index:
            return self.end(site.block[site.index - 1])
        if site.enclosing is None or isinstance(site.owner, ast.Module):
            return 0
        return max((self.end(block[-1]) for block in _blocks_before(site)), default=self.header_end(site.owner))

    def region_end(self, statement: ast.stmt, width: int) -> int:
        """The end of the last line of `statement` and of comments below it that are indented by `width` or more."""
        reached = offset = self.line_end(self.end(statement))
        while (offset := self.next_line(offset)) < len(self.text):
            line_end = self.line_end(offset)
            comment = _COMMENT_LINE.match(self.text, offset, line_end)
            if comment and indent_width(comment.group(1)) >= width:
                reached = line_end
            elif self.text[offset:line_end].strip(" \t\f"):
                break
        return reached

    def statement_end(self, statement: ast.stmt) -> int:
        """The end of the last line of `statement`, with the comments that end its last block."""
        if not any(blocks(statement)):
            return self.line_end(self.end(statement))
        return self.region_end(statement, indent_width(self.indentation(self.start(statement))) + 1)


def blocks(owner: ast.AST) -> Iterator[list[ast.stmt]]:
    """The lists of statements (also of handlers and cases) of a module, statement, handler or case."""
    if isinstance(owner, ast.expr):
        return
    for name in _BLOCKS:
        if block := getattr(owner, name, None):
            yield block


def _blocks_before(site: Site) -> Iterator[list[ast.stmt]]:
    for block in blocks(site.owner):
        if block is site.block:
            return
        yield block


def header_fields(clause: Clause) -> Iterator[tuple[str, object]]:
    """The fields of a statement, handler or case that are not blocks; decorators are not part of a header."""
    return ((name, value) for name, value in ast.iter_fields(clause) if name not in (*_BLOCKS, "decorator_list"))


def header_nodes(clause: Clause) -> Iterator[ast.AST]:
    """All nodes of a header. The parts of f-strings are left out: before Python 3.12 they have no true position."""
    stack = [node for _, value in header_fields(clause) for node in children(value)]
    while stack:
        node = stack.pop()
        yield node
        if not is_formatted_string(node):
            stack.extend(ast.iter_child_nodes(node))


def children(value: object) -> list[ast.AST]:
    """The nodes in a field's value."""
    return [node for node in (value if isinstance(value, list) else [value]) if isinstance(node, ast.AST)]


def is_formatted_string(node: ast.AST) -> bool:
    """Whether `node` is an f-string or a t-string."""
    return type(node).__name__ in ("JoinedStr", "TemplateStr")


def indent_width(indentation: str) -> int:
    """Column that white space reaches, tabs to multiples of eight."""
    return len(indentation.rpartition("\f")[2].expandtabs(8))
