"""Repairs of casts: the one that came too late is dropped, or made before the softmax instead."""

from __future__ import annotations

import ast
from dataclasses import replace

from mpfix.diagnostic import Effect
from mpfix.frameworks.surroundings import scope_around, statements_around
from mpfix.frameworks.training import layers_by_place
from mpfix.rewriting.edits import DeleteStatement, Intent, ModuleEdits, ReplaceExpression
from mpfix.rule import FixIntent
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import Object
from mpfix_rules.repairs.heads import cast_around, float32_head, merged_edits

TITLE = "Compute the probabilities in float32 and drop the cast"


def cast_before_softmax(program: Program, cast: Place, maker: Place, heads: frozenset[Object]) -> FixIntent | None:
    """float32 for what makes the probabilities, and no cast behind it; a layer that only casts may stay."""
    head = float32_head(program, maker, heads, Effect.REPAIRS)
    call = cast.node
    if head is None or not isinstance(call, ast.Call):
        return None
    if cast in layers_by_place(program):
        return head
    if call.args and call.args[0] is maker.node:
        return _turned_around(program, cast, maker, head)
    dropped = drop_cast(program, cast)
    if dropped is None:
        return None
    whole = ModuleEdits(cast.module, (dropped,))
    return replace(head, title=TITLE, edits=lambda: merged_edits((*head.edits(), whole)))


def drop_cast(program: Program, cast: Place) -> Intent | None:
    """The cast's argument in its place; `x = cast(x, ...)` goes as a whole."""
    call = cast.node
    operand = operand_of(call)
    if operand is None or not isinstance(call, ast.Call):
        return None
    around = statements_around(scope_around(program, cast), call)
    match around[-1] if around else None:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) as statement if value is call:
            if isinstance(operand, ast.Name) and operand.id == name:
                return DeleteStatement(statement)
    return ReplaceExpression(call, source_of(cast.module, operand))


def operand_of(call: ast.AST) -> ast.expr | None:
    """What a cast is given."""
    if not isinstance(call, ast.Call):
        return None
    if call.args:
        return None if isinstance(call.args[0], ast.Starred) else call.args[0]
    return next((one.value for one in call.keywords if one.arg == "x"), None)


def source_of(module: Module, node: ast.expr) -> str:
    """The text of an expression, as it is written."""
    return ast.get_source_segment(module.document.text, node) or ast.unparse(node)


def _turned_around(program: Program, cast: Place, maker: Place, head: FixIntent) -> FixIntent | None:
    """`tf.cast(tf.nn.softmax(x), tf.float32)` becomes `tf.nn.softmax(tf.cast(x, tf.float32))`."""
    inner, around = maker.node, cast_around(program, maker)
    if around is None or not isinstance(inner, ast.Call) or not inner.args or not isinstance(cast.node, ast.expr):
        return None
    function, argument = source_of(cast.module, inner.func), source_of(cast.module, inner.args[0])
    rest = source_of(cast.module, inner)[len(function) :]
    changed = function + rest.replace(argument, f"{around[0]}{argument}{around[1]}", 1)
    intent = ReplaceExpression(cast.node, changed)
    return replace(head, title="Cast before the softmax", edits=lambda: (ModuleEdits(cast.module, (intent,)),))
