"""What the tests of rewriting share: a rewrite of a small source in one expression."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from mpfix.rewriting.edits import Intent, ModuleEdits
from mpfix.rewriting.splice import apply_module_edits
from mpfix.semantic.syntax import Module
from mpfix.source.document import document_from_bytes

Node = TypeVar("Node", bound=ast.AST)


class Found:
    """Finds nodes of a source by their text."""

    def __init__(self, source: str) -> None:
        document = document_from_bytes(source.encode(), Path("train.py"), "train.py")
        self.module = Module("train", document, ast.parse(source))

    def statement(self, text: str) -> ast.stmt:
        """The first statement that, unparsed, starts with `text`."""
        return self._first(ast.stmt, text, str.startswith)

    def expression(self, text: str) -> ast.expr:
        """The first expression that, unparsed, is `text`."""
        return self._first(ast.expr, text, str.__eq__)

    def call(self, text: str) -> ast.Call:
        """The first call that, unparsed, starts with `text`."""
        return self._first(ast.Call, text, str.startswith)

    def imported(self, name: str) -> tuple[ast.Import | ast.ImportFrom, ast.alias]:
        """The import statement and alias that import `name`."""
        for node in ast.walk(self.module.tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                for alias in node.names:
                    if alias.name == name:
                        return node, alias
        raise AssertionError(name)

    def _first(self, kind: type[Node], text: str, matches: Callable[[str, str], bool]) -> Node:
        for node in ast.walk(self.module.tree):
            if isinstance(node, kind) and matches(ast.unparse(node), text):
                return node
        raise AssertionError(text)


def rewritten(source: str, *intents: Callable[[Found], Intent]) -> str:
    """The source after intents on its nodes."""
    found = Found(source)
    return apply_module_edits(ModuleEdits(found.module, tuple(make(found) for make in intents)))


@pytest.fixture(scope="session")
def rewrite() -> Callable[..., str]:
    """`rewrite(source, lambda s: DeleteStatement(s.statement("x = 1")), ...)`: the source after the intents."""
    return rewritten


@pytest.fixture(scope="session")
def found() -> type[Found]:
    """`found(source)`: a parsed source whose nodes are found by their text."""
    return Found
