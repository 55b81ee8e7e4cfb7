"""Repairs of calls that refuse half tensors: the arguments in float32, and what comes out in half again."""

from __future__ import annotations

import ast

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.half_kernels import Refused
from mpfix.frameworks.surroundings import function_around
from mpfix.rewriting.edits import Intent, ModuleEdits, WrapExpression
from mpfix.rule import FixIntent
from mpfix.semantic.program import Program
from mpfix_rules.repairs.compute_dtypes import Repair, cast_function
from mpfix_rules.repairs.places import call_at, is_path, parents, source

TITLE = "Cast to float32 for the call"
WRITTEN_ELSEWHERE = "what is in half is not written as an argument of its own"
UNNAMED = "nothing at that place casts"
UNTOLD = "what comes out is float32 and must be cast back where it meets half tensors"
SEVERAL = "several tensors come out in float32: those that meet half tensors must be cast back"
COMPLEX = "what is computed of the complex numbers is float32 and must be cast back where it meets half tensors"
REAL_PARTS = frozenset({"abs", "real", "imag", "angle"})
"""Functions that give real numbers of complex ones."""


def float32_arguments(program: Program, refused: Refused) -> Repair:
    """float32 for the arguments that are in half; inside `call` the result is cast back."""
    call, cast = call_at(refused.place), cast_function(program, refused.place)
    operands = [_operand(call, *half) for half in refused.halves] if call is not None else []
    known = [one for one in operands if one is not None]
    if call is None or not known or len(known) < len(operands) or not refused.is_whole:
        return Repair(reason=WRITTEN_ELSEWHERE)
    if cast is None:
        return Repair(reason=UNNAMED)
    edits: list[Intent] = [WrapExpression(one, f"{cast}(", ', "float32")') for one in known]
    if not refused.is_inside or refused.gives == "other":
        return Repair(_fix(refused, edits, Applicability.SAFE))
    if refused.gives == "several":
        return Repair(_fix(refused, edits, Applicability.DISPLAY_ONLY, SEVERAL))
    back = call if refused.gives == "same" else _real_part(program, call)
    dtype = _dtype_at(program, refused, known[0])
    if back is None or dtype is None:
        return Repair(_fix(refused, edits, Applicability.DISPLAY_ONLY, COMPLEX if back is None else UNTOLD))
    return Repair(_fix(refused, [*edits, WrapExpression(back, f"{cast}(", f", {dtype})")], Applicability.UNSAFE))


def _fix(refused: Refused, edits: list[Intent], applicability: Applicability, reason: str | None = None) -> FixIntent:
    whole = (ModuleEdits(refused.place.module, tuple(edits)),)
    return FixIntent(TITLE, applicability, Effect.REPAIRS, lambda: whole, reason)


def _operand(call: ast.Call, name: str, position: int) -> ast.expr | None:
    """The argument as it is written; None where a `*` or `**` brings it."""
    keyword = next((one.value for one in call.keywords if one.arg == name), None)
    if keyword is not None:
        return keyword
    if position >= len(call.args) or any(isinstance(one, ast.Starred) for one in call.args[: position + 1]):
        return None
    return call.args[position]


def _real_part(program: Program, call: ast.Call) -> ast.Call | None:
    """The call around a spectrum that makes real numbers of it."""
    match parents(program).get(call):
        case ast.Call(func=ast.Attribute(attr=name), args=[first, *_]) as around if first is call:
            return around if name in REAL_PARTS else None
    return None


def _dtype_at(program: Program, refused: Refused, operand: ast.expr) -> str | None:
    """An expression for the half dtype: of the argument, else of the layer in one of its methods."""
    if is_path(operand):
        return f"{source(refused.place.module, operand)}.dtype"
    function = function_around(program, refused.place)
    if isinstance(function, ast.FunctionDef) and function.name == "call" and function.args.args:
        return f"{function.args.args[0].arg}.compute_dtype"
    return None
