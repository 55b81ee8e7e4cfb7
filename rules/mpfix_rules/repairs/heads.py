"""The repair of a model's head: what leaves the model is computed in float32."""

from __future__ import annotations

import ast

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.training import layers_by_place
from mpfix.rewriting.edits import AddKeyword, Intent, ModuleEdits, SetKeyword
from mpfix.rule import FixIntent
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Object

TITLE = 'Compute it in float32 with `dtype="float32"`'


def float32_layer(program: Program, maker: Place, heads: frozenset[Object]) -> FixIntent | None:
    """`dtype="float32"` for the constructor call of a head; only shown where that call makes other layers too."""
    call = maker.node
    if not isinstance(call, ast.Call):
        return None
    made = layers_by_place(program).get(maker, frozenset())
    shared = bool(made - heads)
    return FixIntent(
        TITLE,
        Applicability.DISPLAY_ONLY if shared else Applicability.SAFE,
        Effect.TOLERANCE_EQUAL,
        lambda: (ModuleEdits(maker.module, (_with_float32(call),)),),
        reason="the same call makes hidden layers too: they would be computed in float32 as well" if shared else None,
    )


def _with_float32(call: ast.Call) -> Intent:
    if any(keyword.arg == "dtype" for keyword in call.keywords):
        return SetKeyword(call, "dtype", '"float32"')
    return AddKeyword(call, "dtype", '"float32"')
