"""Repairs of norms: their squares are taken in float32."""

from __future__ import annotations

import ast

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.half_facts import HalfOperation
from mpfix.rewriting.edits import ModuleEdits, WrapExpression
from mpfix.rule import FixIntent
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix_rules.repairs.casts import source_of
from mpfix_rules.repairs.half_numbers import is_repeatable, name_of_tensorflow
from mpfix_rules.repairs.heads import with_float32

TITLE = "Take it in float32 and cast the result back"
LAYER = 'Compute the layer in float32 with `dtype="float32"`'


def norm_in_float32(program: Program, one: HalfOperation) -> FixIntent | None:
    """`l2_normalize(x)` as `cast(l2_normalize(cast(x, float32)), x.dtype)`."""
    call, module = one.place.node, one.place.module
    tf = name_of_tensorflow(program, module)
    if tf is None or not isinstance(call, ast.Call) or not call.args or not is_repeatable(call.args[0]):
        return None
    inner = WrapExpression(call.args[0], f"{tf}.cast(", f", {tf}.float32)")
    outer = WrapExpression(call, f"{tf}.cast(", f", {source_of(module, call.args[0])}.dtype)")
    edits = (ModuleEdits(module, (inner, outer)),)
    return FixIntent(TITLE, Applicability.UNSAFE, Effect.REPAIRS, lambda: edits)


def layer_in_float32(maker: Place) -> FixIntent | None:
    """`dtype="float32"` for a layer's constructor."""
    call = maker.node
    if not isinstance(call, ast.Call) or any(keyword.arg is None for keyword in call.keywords):
        return None
    edits = (ModuleEdits(maker.module, (with_float32(call),)),)
    return FixIntent(LAYER, Applicability.UNSAFE, Effect.REPAIRS, lambda: edits)
