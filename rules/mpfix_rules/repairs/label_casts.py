"""Repairs of labels: class ids are cast to whole numbers instead of half."""

from __future__ import annotations

import ast

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.surroundings import scope_around, statements_around
from mpfix.rewriting.edits import Intent, ModuleEdits, ReplaceExpression, SetKeyword
from mpfix.rule import FixIntent
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place

TITLE = "Cast them to int32"


def whole_numbers(program: Program, cast: Place) -> FixIntent | None:
    """`tf.cast(labels, tf.float16)` with int32; unsafe where somebody computes with the labels besides."""
    intent = _intent(cast.node)
    if intent is None:
        return None
    safe = not _is_computed_with(program, cast)
    return FixIntent(
        TITLE,
        Applicability.SAFE if safe else Applicability.UNSAFE,
        Effect.REPAIRS,
        lambda: (ModuleEdits(cast.module, (intent,)),),
    )


def _intent(call: ast.AST) -> Intent | None:
    if not isinstance(call, ast.Call):
        return None
    if len(call.args) == 2 and not isinstance(call.args[1], ast.Starred):
        return ReplaceExpression(call.args[1], _int32_like(call.args[1], call.func))
    named = next((one.value for one in call.keywords if one.arg == "dtype"), None)
    return SetKeyword(call, "dtype", _int32_like(named, call.func)) if named is not None else None


def _int32_like(dtype: ast.expr, function: ast.expr) -> str:
    """`tf.int32` where the dtype was written like that, by the name that the cast itself has."""
    if not isinstance(dtype, ast.Attribute) or not isinstance(function, ast.Attribute):
        return '"int32"'
    root = ast.unparse(dtype.value)
    if root == ast.unparse(function.value) and dtype.attr in ("float16", "bfloat16", "half"):
        return f"{root}.int32"
    return '"int32"'


def _is_computed_with(program: Program, cast: Place) -> bool:
    """Whether the name that a cast is bound to is used in arithmetic, which whole numbers would not take part in."""
    scope = scope_around(program, cast)
    statements = statements_around(scope, cast.node)
    if not statements or not isinstance(statements[-1], ast.Assign):
        return False
    targets = {one.id for target in statements[-1].targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    for node in ast.walk(scope):
        if isinstance(node, (ast.BinOp, ast.AugAssign, ast.UnaryOp, ast.Compare)):
            operands = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.Name)]
            if any(one.id in targets for one in operands):
                return True
    return False
