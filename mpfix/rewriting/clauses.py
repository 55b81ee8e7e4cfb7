"""From expressions to fragments: the smallest piece of source that stands alone and holds them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from mpfix.rewriting.layout import Clause, Layout, header_fields, is_formatted_string
from mpfix.rewriting.refused import RewriteRefused

_CLOSING = re.compile(r"(?:[ \t\f]*\))*")

Step = tuple[str, int | None]
"""A field of a node, with the index of an item where the field is a list."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """`text[start:end]` of a module, and what must stand around it to make it a module of its own.

    A simple statement needs nothing, a header a body, `except` and `case` a parent; of `elif` the fragment is the `if`.
    """

    clause: Clause
    start: int
    end: int
    prefix: str = ""
    suffix: str = ""
    to_clause: tuple[Step, ...] = (("body", 0),)
    """The way from the fragment's module to its `clause`, or to the stand-in for it."""

    def source(self, text: str) -> str:
        """The fragment as a module."""
        return self.prefix + text[self.start : self.end] + self.suffix


@dataclass(frozen=True, slots=True)
class Located:
    """A node of a fragment: `path` leads from the fragment's module to it, `start:end` is its range in the source."""

    fragment: Fragment
    path: tuple[Step, ...]
    start: int
    end: int


def locate(layout: Layout, expression: ast.expr) -> Located:
    """Find the fragment of an expression and its place in it."""
    clause = layout.clause_of(expression)
    path = _path(clause, expression)
    fragment = whole(layout, clause)
    if path[0][0] == "decorator_list":
        fragment = _decorator(layout, clause, path[0][1] or 0)
        path = (("decorator_list", 0), *path[1:])
    path = (*fragment.to_clause, *path)
    shift = len(fragment.prefix) - fragment.start
    return Located(fragment, path, layout.node_start(expression) + shift, layout.end(expression) + shift)


def whole(layout: Layout, clause: Clause) -> Fragment:
    """The fragment of a simple statement, or of the header of a compound one."""
    newline = layout.newline
    start = layout.start(clause) if isinstance(clause, ast.match_case) else layout.node_start(clause)
    match clause:
        case ast.match_case():
            steps: tuple[Step, ...] = (("body", 0), ("cases", 0))
            return Fragment(clause, start, layout.header_end(clause), f"match _:{newline} ", " pass", steps)
        case ast.ExceptHandler():
            steps = (("body", 0), ("handlers", 0))
            return Fragment(clause, start, layout.header_end(clause), f"try: pass{newline}", " pass", steps)
        case ast.Match():
            return Fragment(clause, start, layout.header_end(clause), suffix=f"{newline} case _: pass")
    if not hasattr(clause, "body"):
        return Fragment(clause, start, layout.end(clause))
    if isinstance(clause, ast.If) and layout.is_elif(clause):
        start += len("el")
    return Fragment(clause, start, layout.header_end(clause), suffix=" pass")


def _decorator(layout: Layout, clause: Clause, index: int) -> Fragment:
    """One decorator above a stand-in, so that the lines of the others need no indentation."""
    decorators: list[ast.expr] = getattr(clause, "decorator_list", [])
    start = layout.text.rfind("@", 0, layout.node_start(decorators[index]))
    # closing parentheses around the decorator's expression are not part of its node
    closing = _CLOSING.match(layout.text, layout.end(decorators[index]))
    end = closing.end() if closing else layout.end(decorators[index])
    return Fragment(clause, start, end, suffix=f"{layout.newline}def _(): pass")


def _path(clause: Clause, expression: ast.expr) -> tuple[Step, ...]:
    """The way from a clause to an expression of its header or decorators."""
    fields = [*header_fields(clause), ("decorator_list", getattr(clause, "decorator_list", []))]
    stack = [(step, node) for name, value in fields for step, node in steps(name, value)]
    todo: list[tuple[tuple[Step, ...], ast.AST]] = [((step,), node) for step, node in stack]
    while todo:
        path, node = todo.pop()
        if node is expression:
            return path
        if not is_formatted_string(node):
            todo += [
                ((*path, step), inner) for name, value in ast.iter_fields(node) for step, inner in steps(name, value)
            ]
    raise RewriteRefused("an expression inside an f-string cannot be rewritten")


def steps(name: str, value: object) -> list[tuple[Step, ast.AST]]:
    """The nodes in one field, each with the step that leads to it."""
    if isinstance(value, list):
        return [((name, index), node) for index, node in enumerate(value) if isinstance(node, ast.AST)]
    return [((name, None), value)] if isinstance(value, ast.AST) else []


def follow(node: ast.AST, path: tuple[Step, ...]) -> ast.AST:
    """The node that a path leads to."""
    for name, index in path:
        found = getattr(node, name)
        node = found if index is None else found[index]
    return node
