"""Repairs of small numbers: what adds one, and what needs it, in float32."""

from __future__ import annotations

import ast

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.half_facts import HalfOperation
from mpfix.frameworks.surroundings import scope_around, statements_around
from mpfix.rewriting.edits import Intent, ModuleEdits, WrapExpression
from mpfix.rule import FixIntent
from mpfix.semantic.program import Program
from mpfix_rules.repairs.casts import source_of
from mpfix_rules.repairs.half_numbers import is_repeatable, name_of_tensorflow

TITLE = "Compute it in float32 and cast the result back"
FUNCTIONS = ("log", "sqrt")
"""Functions whose result for a number that float16 loses fits into float16."""


def float32_around(program: Program, one: HalfOperation) -> ast.expr | None:
    """What uses a sum in the expression that the sum stands in: a call with it as its only argument, or a quotient."""
    statements = statements_around(scope_around(program, one.place), one.place.node)
    for node in ast.walk(statements[-1]) if statements else ():
        match node:
            case ast.Call(args=[first], keywords=[]) if first is one.place.node:
                return node
            case ast.BinOp(op=ast.Div(), right=divisor) if divisor is one.place.node:
                return node
    return None


def in_float32(program: Program, one: HalfOperation, around: ast.expr) -> FixIntent | None:
    """`log(x + 1e-8)` as `cast(log(cast(x, float32) + 1e-8), x.dtype)`, and quotients likewise."""
    total, module = one.place.node, one.place.module
    tf = name_of_tensorflow(program, module)
    if tf is None or not isinstance(total, ast.BinOp):
        return None
    parts = [total.right if one.is_right else total.left]
    if isinstance(around, ast.BinOp):
        parts.append(around.left)
    elif not isinstance(around, ast.Call) or ast.unparse(around.func).rpartition(".")[2] not in FUNCTIONS:
        return None
    like = next((part for part in parts if is_repeatable(part)), None)
    if like is None or any(isinstance(part, ast.Constant) for part in parts):
        return None
    intents: tuple[Intent, ...] = tuple(WrapExpression(part, f"{tf}.cast(", f", {tf}.float32)") for part in parts)
    whole = WrapExpression(around, f"{tf}.cast(", f", {source_of(module, like)}.dtype)")
    return FixIntent(TITLE, Applicability.SAFE, Effect.REPAIRS, lambda: (ModuleEdits(module, (*intents, whole)),))
