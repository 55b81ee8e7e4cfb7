"""Repairs of what a `train_step` hands to `fit`."""

from __future__ import annotations

import ast

from mpfix.frameworks.step_logs import ZeroLoss
from mpfix.rewriting.edits import InsertBefore
from mpfix.semantic.program import Program
from mpfix_rules.repairs.places import function_of, is_path, source
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned


def tracked(program: Program, zero: ZeroLoss) -> Offer:
    """The loss that a step returns, put into the metric of that name before."""
    return planned(program, lambda plan: _build(plan, zero))


def _build(plan: Plan, zero: ZeroLoss) -> None:
    if plan.is_for_keras_2:
        raise Refused("on Keras 2 the loss would be counted twice")
    statement, module = zero.place.node, zero.place.module
    value = statement.value if isinstance(statement, ast.Return) else None
    function = function_of(plan.program, statement)
    if not isinstance(statement, ast.Return) or not isinstance(value, ast.Dict) or not is_path(value.values[0]):
        raise Refused("the step does not return the loss by its name")
    if not isinstance(function, ast.FunctionDef) or not function.args.args:
        raise Refused("the step is not a method")
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    metric = "metric" if "metric" not in names else "own_metric"
    loss, owner = source(module, value.values[0]), function.args.args[0].arg
    plan.title = "Update the metric of the loss"
    plan.is_unsafe = True
    code = f'for {metric} in {owner}.metrics:\n    if {metric}.name == "loss":\n        {metric}.update_state({loss})'
    plan.add(module, InsertBefore(statement, code))
