"""Repairs of logarithms of probabilities: one function that never makes the probabilities."""

from __future__ import annotations

import ast

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.half_facts import HalfOperation
from mpfix.rewriting.edits import ModuleEdits, ReplaceExpression
from mpfix.rule import FixIntent
from mpfix.semantic.program import Program
from mpfix_rules.repairs.casts import source_of

JOINED = {
    "nn.softmax": "nn.log_softmax",
    "nn.sigmoid": "math.log_sigmoid",
    "math.sigmoid": "math.log_sigmoid",
    "sigmoid": "math.log_sigmoid",
}
"""Functions of TensorFlow and the one that is their logarithm."""


def joined_logarithm(program: Program, one: HalfOperation) -> FixIntent | None:
    """`tf.math.log(tf.nn.softmax(x))` as `tf.nn.log_softmax(x)`."""
    outer, module = one.place.node, one.place.module
    inner = outer.args[0] if isinstance(outer, ast.Call) and len(outer.args) == 1 and not outer.keywords else None
    if not isinstance(outer, ast.Call) or not isinstance(inner, ast.Call) or not one.key.startswith("tensorflow."):
        return None
    root, _, last = source_of(module, inner.func).partition(".")
    joined = JOINED.get(last)
    if joined is None or not source_of(module, outer.func).startswith(f"{root}."):
        return None
    arguments = source_of(module, inner)[len(source_of(module, inner.func)) :]
    intent = ReplaceExpression(outer, f"{root}.{joined}{arguments}")
    title = f"Use `{joined.rpartition('.')[2]}`, which never makes the probabilities"
    return FixIntent(title, Applicability.SAFE, Effect.TOLERANCE_EQUAL, lambda: (ModuleEdits(module, (intent,)),))
