"""What stands where in the text: parents of nodes, their statements, functions and source."""

from __future__ import annotations

import ast

from mpfix.semantic.program import Program, fact
from mpfix.semantic.syntax import Module, Place

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
With = ast.With | ast.AsyncWith


@fact
def parents(program: Program) -> dict[ast.AST, ast.AST]:
    """The parent of every node."""
    found: dict[ast.AST, ast.AST] = {}
    for module in program.modules:
        for node in ast.walk(module.tree):
            for child in ast.iter_child_nodes(node):
                found[child] = node
    return found


def statement_of(program: Program, node: ast.AST) -> ast.stmt:
    """The statement that a node is a part of, itself where it is one."""
    while not isinstance(node, ast.stmt):
        node = parents(program)[node]
    return node


def block_of(program: Program, node: ast.AST) -> tuple[ast.AST, str]:
    """Which block the statement of a node stands in: its owner and the owner's field."""
    statement = statement_of(program, node)
    owner = parents(program)[statement]
    for name, value in ast.iter_fields(owner):
        if isinstance(value, list) and any(one is statement for one in value):
            return owner, name
    return owner, ""


def function_of(program: Program, node: ast.AST) -> ast.AST:
    """The innermost function around a node, else its module."""
    node = parents(program)[node]
    while not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module)):
        node = parents(program)[node]
    return node


def is_inside(program: Program, node: ast.AST, outer: ast.AST) -> bool:
    """Whether a node stands somewhere in another one."""
    while node in parents(program):
        node = parents(program)[node]
        if node is outer:
            return True
    return False


def source(module: Module, node: ast.AST) -> str:
    """The text of a node as it stands in the file."""
    return ast.get_source_segment(module.document.text, node) or ast.unparse(node)


def shown(node: ast.AST) -> str:
    """A node's text for people, short."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 40 else f"{text[:37]}..."


def is_path(node: ast.AST) -> bool:
    """Whether an expression is a name or a chain of attributes of one."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def names_in(module: Module) -> frozenset[str]:
    """Every name and argument of a module."""
    nodes = ast.walk(module.tree)
    return frozenset(
        node.id if isinstance(node, ast.Name) else node.arg for node in nodes if isinstance(node, (ast.Name, ast.arg))
    )


def reads_of(scope: ast.AST, text: str) -> list[ast.expr]:
    """Where a name or attribute chain is read in a scope."""
    return [
        node
        for node in ast.walk(scope)
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load) and ast.unparse(node) == text
    ]


def is_stored_in(block: ast.AST, text: str) -> bool:
    """Whether a block stores to a name or attribute chain."""
    return any(
        isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store) and ast.unparse(node) == text
        for node in ast.walk(block)
    )


def call_at(place: Place) -> ast.Call | None:
    """The call at a place; None where there is none."""
    return place.node if isinstance(place.node, ast.Call) else None
