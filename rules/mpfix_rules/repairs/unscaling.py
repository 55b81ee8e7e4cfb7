"""Unscaling that Keras 3 does by itself: the calls of Keras 2, taken out or asked for with care."""

from __future__ import annotations

import ast

from mpfix.rewriting.edits import DeleteStatement, ReplaceExpression
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix_rules.repairs.places import (
    call_at,
    function_of,
    is_path,
    is_stored_in,
    parents,
    reads_of,
    source,
    statement_of,
)
from mpfix_rules.repairs.plan import Plan, Refused


def drop_unscaling(plan: Plan, place: Place) -> None:
    """Take `get_unscaled_gradients` out; where Keras 2 needs it, call what there is."""
    call = call_at(place)
    if call is None or not isinstance(call.func, ast.Attribute) or not call.args:
        raise Refused("the method is called through another name")
    if plan.is_for_keras_2:
        if not is_path(call.func.value):
            raise Refused("the optimizer has no name")
        plan.add(place.module, ReplaceExpression(call.func, plan.unscaling(source(place.module, call.func.value))))
        return
    replaced, by = _whole(plan.program, call)
    statement = statement_of(plan.program, call)
    if not isinstance(statement, ast.Assign) or statement.value is not replaced or len(statement.targets) != 1:
        plan.add(place.module, ReplaceExpression(replaced, source(place.module, by)))
    elif ast.unparse(statement.targets[0]) == ast.unparse(by):
        plan.add(place.module, DeleteStatement(_without_empty_branch(plan.program, statement)))
    else:
        _rename(plan, place, statement, replaced, by)


def _whole(program: Program, call: ast.Call) -> tuple[ast.expr, ast.expr]:
    """The expression that goes with a call, and what is left of it: `f(g) if amp else g` is `g`."""
    holder = parents(program)[call]
    argument = call.args[0]
    if isinstance(holder, ast.IfExp) and call in (holder.body, holder.orelse):
        other = holder.orelse if holder.body is call else holder.body
        if ast.unparse(other) == ast.unparse(argument):
            return holder, argument
    return call, argument


def _without_empty_branch(program: Program, statement: ast.stmt) -> ast.stmt:
    """A statement, or the `if` that holds nothing else."""
    holder = parents(program)[statement]
    is_alone = isinstance(holder, ast.If) and holder.body == [statement] and not holder.orelse
    return holder if is_alone else statement  # type: ignore[return-value]


def _rename(plan: Plan, place: Place, statement: ast.Assign, replaced: ast.expr, by: ast.expr) -> None:
    """`a = unscaled(b)`: the gradients get the name `a` at once where `b` is read nowhere else."""
    scope, name = function_of(plan.program, statement), ast.unparse(by)
    taken = [
        node
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and ast.unparse(node.targets[0]) == name
    ]
    is_sole = len(taken) == 1 and len(reads_of(scope, name)) == 1 and isinstance(taken[0].targets[0], ast.Name)
    target = statement.targets[0]
    is_side_by_side = is_sole and parents(plan.program)[taken[0]] is parents(plan.program)[statement]
    if is_side_by_side and isinstance(target, ast.Name) and not is_stored_in(taken[0].value, target.id):
        plan.add(place.module, ReplaceExpression(taken[0].targets[0], target.id), DeleteStatement(statement))
    else:
        plan.add(place.module, ReplaceExpression(replaced, source(place.module, by)))
