"""Statements: one function per node kind, dispatched by type.

`run.path` is the path condition before a statement. Both branches of an `if` run in turn and write under their path
condition; nothing is forked or joined. Where paths ended in a statement, the block goes on under what they leave.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from mpfix.semantic.assignments import (
    assign,
    assign_name,
    execute_annotated,
    execute_assign,
    execute_augmented,
    execute_delete,
)
from mpfix.semantic.conditions import test
from mpfix.semantic.contexts import execute_with
from mpfix.semantic.definitions import execute_class, execute_function, execute_global
from mpfix.semantic.exceptions import execute_assert, execute_raise, execute_try
from mpfix.semantic.exits import BREAK, CONTINUE, RETURN, leave, narrow
from mpfix.semantic.expressions import evaluate
from mpfix.semantic.imports import execute_import, execute_import_from
from mpfix.semantic.loops import execute_for, execute_while
from mpfix.semantic.patterns import execute_match
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.values import NONE


def execute_block(run: Run, body: list[ast.stmt], frame: Frame) -> bool:
    """Run statements in order; False when none of the paths reaches the end."""
    exits = run.exits
    for statement in body:
        run.step()
        path, mark = run.path, len(exits)
        HANDLERS[type(statement)](run, statement, frame)
        run.path = path
        if len(exits) > mark and not narrow(run, path, mark):
            return False
    return True


def _expression(run: Run, node: ast.Expr, frame: Frame) -> None:
    evaluate(run, node.value, frame)


def _if(run: Run, node: ast.If, frame: Frame) -> None:
    """An `if` with its ladder of `elif`s, in a loop."""
    while True:
        path, mark = run.path, len(run.exits)
        yes, no = test(run, node.test, frame)
        if not narrow(run, path, mark):
            return
        path = run.path
        inside = run.under(yes) if yes is not None else None
        if inside is not None:
            run.path = inside
            execute_block(run, node.body, frame)
        run.path = path
        inside = run.under(no) if no is not None else None
        if inside is None:
            return
        run.path = inside
        if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            node = node.orelse[0]
            run.step()
            continue
        execute_block(run, node.orelse, frame)
        return


def _return(run: Run, node: ast.Return, frame: Frame) -> None:
    path, mark = run.path, len(run.exits)
    value = evaluate(run, node.value, frame) if node.value else NONE
    if narrow(run, path, mark):
        run.library.returned(run, value, node)
        frame.returns.append((run.path - frame.box.base, value))
        leave(run, RETURN, frame)


def _break(run: Run, node: ast.Break, frame: Frame) -> None:
    leave(run, BREAK, frame)


def _continue(run: Run, node: ast.Continue, frame: Frame) -> None:
    leave(run, CONTINUE, frame)


def _passes(run: Run, node: ast.stmt, frame: Frame) -> None:
    pass


HANDLERS: dict[type[ast.stmt], Callable[..., None]] = {
    ast.Expr: _expression,
    ast.Assign: execute_assign,
    ast.AnnAssign: execute_annotated,
    ast.AugAssign: execute_augmented,
    ast.Delete: execute_delete,
    ast.If: _if,
    ast.For: execute_for,
    ast.AsyncFor: execute_for,
    ast.While: execute_while,
    ast.With: execute_with,
    ast.AsyncWith: execute_with,
    ast.Try: execute_try,
    ast.Return: _return,
    ast.Raise: execute_raise,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Pass: _passes,
    ast.Assert: execute_assert,
    ast.Import: execute_import,
    ast.ImportFrom: execute_import_from,
    ast.FunctionDef: execute_function,
    ast.AsyncFunctionDef: execute_function,
    ast.ClassDef: execute_class,
    ast.Global: execute_global,
    ast.Nonlocal: execute_global,
    ast.Match: execute_match,
}
if hasattr(ast, "TryStar"):
    HANDLERS[ast.TryStar] = execute_try
if hasattr(ast, "TypeAlias"):
    HANDLERS[ast.TypeAlias] = _passes

__all__ = ["HANDLERS", "assign", "assign_name", "execute_block"]
