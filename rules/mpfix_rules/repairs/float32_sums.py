"""Repairs of sums in half precision: what is summed is cast to float32 before anything is computed of it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.half_facts import HalfOperation
from mpfix.frameworks.surroundings import scope_around, statements_around
from mpfix.rewriting.edits import ModuleEdits, WrapExpression
from mpfix.rule import FixIntent
from mpfix.semantic.program import Program
from mpfix_rules.repairs.half_numbers import name_of_tensorflow

TITLE = "Cast to float32 before the arithmetic of the sum"
ELEMENTWISE = ("square", "abs", "squared_difference", "multiply", "subtract", "add", "pow")


def summed_in_float32(program: Program, one: HalfOperation, others: Iterable[HalfOperation] = ()) -> FixIntent | None:
    """`reduce_sum(x * y)` of casts of `x` and `y`; unsafe where somebody goes on with the sum in the same function.

    The `others` of that function go with it: a sum in float32 cannot meet one in half.
    """
    call, module = one.place.node, one.place.module
    tf = name_of_tensorflow(program, module)
    if tf is None or not _is_plain(call):
        return None
    is_returned = _is_returned(program, one)
    scope = scope_around(program, one.place)
    near = () if is_returned else (other.place.node for other in others if _is_in(program, other, scope))
    calls = dict.fromkeys((call, *(other for other in near if _is_plain(other))))
    parts = dict.fromkeys(part for each in calls if isinstance(each, ast.Call) for part in _leaves(each.args[0]))
    intents = tuple(WrapExpression(part, f"{tf}.cast(", f", {tf}.float32)") for part in parts)
    return FixIntent(
        TITLE,
        Applicability.SAFE if is_returned else Applicability.UNSAFE,
        Effect.TOLERANCE_EQUAL,
        lambda: (ModuleEdits(module, intents),),
    )


def _is_in(program: Program, one: HalfOperation, scope: ast.AST) -> bool:
    return scope_around(program, one.place) is scope


def _is_plain(call: ast.AST) -> bool:
    return isinstance(call, ast.Call) and bool(call.args) and not isinstance(call.args[0], ast.Starred)


def _leaves(node: ast.expr) -> Iterator[ast.expr]:
    """The tensors that an expression computes with, element by element."""
    if isinstance(node, ast.Constant):
        return
    match node:
        case ast.BinOp(left=left, right=right) if not isinstance(node.op, ast.MatMult):
            yield from _leaves(left)
            if not isinstance(node.op, ast.Pow):
                yield from _leaves(right)
        case ast.UnaryOp(operand=operand):
            yield from _leaves(operand)
        case ast.Call(func=ast.Attribute(attr=name), args=args, keywords=[]) if name in ELEMENTWISE:
            for argument in args[:1] if name == "pow" else args:
                yield from _leaves(argument)
        case _:
            yield node


def _is_returned(program: Program, one: HalfOperation) -> bool:
    """Whether a function gives the sum back, alone or with plain numbers."""
    statements = statements_around(scope_around(program, one.place), one.place.node)
    value = statements[-1].value if statements and isinstance(statements[-1], ast.Return) else None
    while value is not None and value is not one.place.node:
        match value:
            case ast.BinOp(left=ast.Constant(), right=inner) | ast.BinOp(left=inner, right=ast.Constant()):
                value = inner
            case ast.UnaryOp(operand=inner):
                value = inner
            case _:
                return False
    return value is not None
