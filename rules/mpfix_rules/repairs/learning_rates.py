"""The repair of a learning rate that is used by its name of Keras 2."""

from __future__ import annotations

import ast

from mpfix.frameworks.learning_rates import NAMES, OldRate
from mpfix.rewriting.edits import ReplaceExpression, ReplaceStatement
from mpfix.semantic.program import Program
from mpfix_rules.repairs.places import source, statement_of
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned


def todays_rate(program: Program, old: OldRate) -> Offer:
    """`optimizer.learning_rate` in place of what Keras 2 had."""

    def build(plan: Plan) -> None:
        if old.kind != "read" and old.is_schedule:
            raise Refused("the learning rate is a schedule: it cannot be set")
        plan.is_unsafe = old.kind != "read" and not old.is_known
        plan.title = "Use `learning_rate`"
        place, node = old.occurrence.place, old.occurrence.place.node
        if isinstance(node, ast.Call):
            _assign(plan, program, old, node)
        elif isinstance(node, ast.Attribute):
            plan.add(place.module, ReplaceExpression(node, f"{source(place.module, node.value)}.learning_rate"))

    return planned(program, build)


def _assign(plan: Plan, program: Program, old: OldRate, call: ast.Call) -> None:
    """`optimizer.learning_rate = value` in place of `set_value(optimizer.lr, value)`."""
    statement = statement_of(program, call)
    module = old.occurrence.place.module
    if not isinstance(statement, ast.Expr) or statement.value is not call:
        raise Refused("the call is a part of a longer statement")
    if len(call.args) != 2 or call.keywords:
        raise Refused("the arguments of the call are not plain")
    rate, value = call.args
    if not isinstance(rate, ast.Attribute) or rate.attr not in NAMES:
        raise Refused("the learning rate has another name here")
    plan.title = "Assign to `learning_rate`"
    plan.add(
        module, ReplaceStatement(statement, f"{source(module, rate.value)}.learning_rate = {source(module, value)}")
    )
