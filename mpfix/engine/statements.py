"""Which statement a node belongs to: its lines, its text, and the range that a report underlines."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from mpfix.diagnostic import Span
from mpfix.record import record
from mpfix.semantic.syntax import Module, Place

Point = tuple[int, int]
"""(1-based line, UTF-8 byte column), as `ast` counts."""

_COMPOUND = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.Match,
    ast.ExceptHandler,
    ast.match_case,
    *((ast.TryStar,) if hasattr(ast, "TryStar") else ()),
)


@record
class Extent:
    """The range of a simple statement, or of the header of a compound one."""

    start: Point
    end: Point

    @property
    def lines(self) -> range:
        """The lines it stands on."""
        return range(self.start[0], self.end[0] + 1)


@dataclass(frozen=True)
class Statements:
    """All statements of one module."""

    module: Module

    @cached_property
    def extents(self) -> tuple[Extent, ...]:
        """Extents of all statements and headers, by position."""
        found = (extent_of(node) for node in _statement_nodes(self.module.tree))
        return tuple(sorted(found, key=lambda extent: (extent.start, extent.end)))

    def around(self, node: ast.AST) -> Extent:
        """The extent of the innermost statement that holds `node`."""
        point = _start(node)
        holding = [extent for extent in self.extents if extent.start <= point < extent.end]
        return holding[-1] if holding else extent_of(node)

    def text(self, extent: Extent) -> str:
        """Source of an extent, with every run of white space as one blank: equal for a statement that only moved."""
        document = self.module.document
        return " ".join(document.text[document.offset(*extent.start) : document.offset(*extent.end)].split())

    @cached_property
    def texts(self) -> frozenset[str]:
        """The texts of all extents."""
        return frozenset(self.text(extent) for extent in self.extents)


def extent_of(node: ast.AST) -> Extent:
    """The range of a node; of a compound statement that of its header, without decorators."""
    start = _start(node)
    if not isinstance(node, _COMPOUND):
        return Extent(
            start, (getattr(node, "end_lineno", None) or start[0], getattr(node, "end_col_offset", None) or 0)
        )
    return Extent(start, max(_header_end(node), (start[0], start[1] + 1)))


def report_span(place: Place) -> Span:
    """What a report underlines: the node, or the first line of a compound statement's header."""
    module, node = place.module, place.node
    if isinstance(node, ast.Module):
        return module.document.span(1, 0, 1, 0)
    extent = extent_of(node)
    if not isinstance(node, _COMPOUND):
        return module.document.span(*extent.start, *extent.end)
    line, column = extent.start
    if extent.end[0] == line:
        return module.document.span(line, column, *extent.end)
    return module.document.span(line, column, line, _code_end(module, line))


def _statement_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """Statements, handlers and cases; expressions are not entered, they hold none."""
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, _COMPOUND):
            stack += _blocks(node)


def _blocks(node: ast.AST) -> list[ast.AST]:
    blocks = (getattr(node, name, ()) for name in ("body", "orelse", "finalbody", "handlers", "cases"))
    return [child for block in blocks for child in block]


def _start(node: ast.AST) -> Point:
    if isinstance(node, ast.match_case):
        return _start(node.pattern)
    return (getattr(node, "lineno", 1), getattr(node, "col_offset", 0))


def _header_end(node: ast.AST) -> Point:
    """End of the last expression of a header, or of its keyword or name where it has none."""
    line, column = _start(node)
    ends = [_end(child) for child in ast.iter_child_nodes(node) if not isinstance(child, _NOT_IN_HEADER)]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        keyword = {"FunctionDef": "def ", "AsyncFunctionDef": "async def ", "ClassDef": "class "}[type(node).__name__]
        decorators = {id(child) for child in node.decorator_list}
        children = (child for child in ast.iter_child_nodes(node) if id(child) not in decorators)
        ends = [_end(child) for child in children if not isinstance(child, _NOT_IN_HEADER)]
        ends.append((line, column + len(keyword) + len(node.name.encode())))
    elif isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
        ends.append((line, column + len("try")))
    elif isinstance(node, ast.ExceptHandler):
        ends.append((line, column + len("except")))
    return max(ends, default=(line, column))


_NOT_IN_HEADER = (ast.stmt, ast.ExceptHandler, ast.match_case)


def _end(node: ast.AST) -> Point:
    """Where a node ends; nodes without positions (`arguments`, `withitem`) end where their last child does."""
    line = getattr(node, "end_lineno", None)
    if line is not None:
        return (line, getattr(node, "end_col_offset", 0) or 0)
    return max((_end(child) for child in ast.iter_child_nodes(node)), default=(0, 0))


def _code_end(module: Module, line: int) -> int:
    """Byte column behind the last code on a line that a header starts on and goes on after."""
    text = module.document.text
    begin = module.document.offset(line, 0)
    end = min((at for at in (text.find("\n", begin), text.find("\r", begin)) if at >= 0), default=len(text))
    code = text[begin:end]
    return len((code.split(" #")[0] if "#" in code else code).rstrip().encode())
