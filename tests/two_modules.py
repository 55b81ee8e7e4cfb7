"""The ninth disguise: a script cut in two, whose first half becomes a module that the second imports.

Lines keep their numbers: each half has blank lines where the other has its statements.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

MODULE = "parts"


def halves(source: str) -> tuple[str, str] | None:
    """The module and the script; None where no cut keeps what the program does."""
    body = ast.parse(source).body
    cuts = [cut for cut in range(1, len(body)) if _keeps_meaning(body[:cut], body[cut:])]
    if not cuts:
        return None
    cut = min(cuts, key=lambda one: abs(2 * one - len(body)))
    first, second = body[:cut], body[cut:]
    lines = source.splitlines()
    last = first[-1].end_lineno or 0
    kept = {line for one in first if isinstance(one, _IMPORTS) for line in _lines_of(one)}
    script = [line if row > last or row in kept else "" for row, line in enumerate(lines, start=1)]
    names = sorted(_bound([one for one in first if not isinstance(one, _IMPORTS)]) & _loaded(second))
    script[last - 1] = f"from {MODULE} import {', '.join(names)}" if names else f"import {MODULE}"
    return "\n".join(lines[:last]) + "\n", "\n".join(script) + "\n"


_IMPORTS = (ast.Import, ast.ImportFrom)
_BUILTINS = frozenset(dir(builtins))


def _keeps_meaning(first: list[ast.stmt], second: list[ast.stmt]) -> bool:
    """Whether the first half needs nothing of the second, and neither changes what the other has bound."""
    if isinstance(first[-1], _IMPORTS) or first[-1].end_lineno == second[0].lineno:
        return False
    nodes = [node for one in first for node in ast.walk(one)]
    if any(isinstance(node, ast.Global) for one in (*first, *second) for node in ast.walk(one)):
        return False
    before, after = _bound(first), _bound(second)
    loaded = {node.id for node in nodes if isinstance(node, ast.Name)} - {"__file__"}
    # a name that nobody binds is another one in each module
    unbound = (loaded & _loaded(second)) - before - after - _BUILTINS
    return "__name__" not in loaded and not unbound and not after & (before | loaded)


def _bound(statements: Iterable[ast.stmt]) -> set[str]:
    """Names that statements bind in their module."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(statements)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        waiting += ast.iter_child_nodes(node)
    return found


def _loaded(statements: Iterable[ast.stmt]) -> set[str]:
    return {node.id for one in statements for node in ast.walk(one) if isinstance(node, ast.Name)}


def _lines_of(statement: ast.stmt) -> range:
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
