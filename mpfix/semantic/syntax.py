"""Modules and places: parsed source with its document, and the guard against deep nesting."""

from __future__ import annotations

import ast
import gc
import warnings
from dataclasses import dataclass, field

from mpfix.record import record
from mpfix.source.document import Document

MAX_NESTING = 1_000
"""Brackets open at once beyond which a file is not given to the parser."""


class SyntaxProblem(Exception):
    """A text that does not parse: message, 1-based line, UTF-8 byte column."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


@dataclass(frozen=True, eq=False)
class Module:
    """One parsed file. Identity is the object."""

    name: str
    document: Document
    tree: ast.Module = field(repr=False)


@record
class Place:
    """A syntax node in a module: where something happened. Equal when module and node are the same objects."""

    module: Module
    node: ast.AST

    def __hash__(self) -> int:
        return hash(self.node)  # no node is in two modules

    @property
    def line(self) -> int:
        """1-based line of the node's start in the module's text."""
        return int(getattr(self.node, "lineno", 1))

    @property
    def sort_key(self) -> tuple[str, int, int, int, int]:
        """Position order, the same on every machine."""
        node = self.node
        return (
            self.module.document.display,
            getattr(node, "lineno", 1),
            getattr(node, "col_offset", 0),
            getattr(node, "end_lineno", None) or 0,
            getattr(node, "end_col_offset", None) or 0,
        )


def parse_module(document: Document, name: str = "__main__") -> Module:
    """Parse a document.

    Raises:
        SyntaxProblem: the text is no Python of the running version, or nests too deep for any parser.
    """
    enabled = gc.isenabled()
    gc.disable()  # a tree is many small objects that all live: collecting while they are made only costs time
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(document.text)
    except SyntaxError as error:
        column = max((error.offset or 1) - 1, 0)
        line = (error.text or "")[:column]
        raise SyntaxProblem(error.msg, max(error.lineno or 1, 1), len(line.encode("utf-8", "replace"))) from None
    except (RecursionError, MemoryError):
        raise SyntaxProblem("the file nests too deep for the Python parser", 1, 0) from None
    except ValueError as error:
        raise SyntaxProblem(str(error), 1, 0) from None
    finally:
        if enabled:
            gc.enable()
    return Module(name, document, tree)


def source_text(node: ast.AST) -> str:
    """The start of a node's source, for people."""
    if isinstance(node, (ast.expr, ast.stmt)):
        try:
            text = " ".join(ast.unparse(node).split())
        except RecursionError:  # deeper than Python prints; the interpreter itself has cut it
            return type(node).__name__
        return text if len(text) <= 60 else text[:57] + "..."
    return type(node).__name__
