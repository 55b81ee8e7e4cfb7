"""The repairs of averages over a window: one division, of what is applied."""

from __future__ import annotations

import ast

from mpfix.frameworks.windows import Update
from mpfix.rewriting.edits import DeleteStatement, ReplaceExpression, ReplaceStatement
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix_rules.repairs.places import block_of, is_path, source, statement_of
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.update_places import applied_parts, statement_source, window_around

ELSEWHERE = "the length of the window is not named beside the update"


def divide_when_applied(program: Program, update: Update) -> Offer:
    """The sum over the length of the window, in the call that applies it."""

    def build(plan: Plan) -> None:
        place = update.occurrence.place
        summed = _summed(place)
        window = window_around(program, place.node)
        if window is None:
            raise Refused(ELSEWHERE)
        length, text = source(place.module, window.length), source(place.module, summed)
        plan.changes_training = True
        plan.only_show_in_replicas(update.occurrence)
        plan.title = f"Divide the sum by `{length}`"
        plan.add(place.module, ReplaceExpression(summed, f"[total / {length} for total in {text}]"))

    return planned(program, build)


def _summed(place: Place) -> ast.expr:
    parts = applied_parts(place.node)
    if parts is None or not is_path(parts[0]):
        raise Refused("the sum has no name at the update")
    return parts[0]


def undivided_loss(program: Program, update: Update, division: Place) -> Offer:
    """The loss as it is, without its division."""

    def build(plan: Plan) -> None:
        node, module = division.node, division.module
        plan.changes_training = True
        plan.only_show_in_replicas(update.occurrence)
        plan.title = "Do not divide the loss"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            plan.add(module, ReplaceExpression(node, source(module, node.left)))
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
            plan.add(module, DeleteStatement(node))
        else:
            raise Refused("the loss is not divided by a division of its own")

    return planned(program, build)


def use_division(program: Program, update: Update, division: Place) -> Offer:
    """What the division gives is what is applied."""

    def build(plan: Plan) -> None:
        place = update.occurrence.place
        summed, statement = _summed(place), statement_of(program, division.node)
        applied = statement_of(program, place.node)
        if block_of(program, statement) != block_of(program, applied) or statement.lineno >= applied.lineno:
            raise Refused("the division does not stand in front of the update")
        plan.changes_training = True
        plan.only_show_in_replicas(update.occurrence)
        plan.title = "Apply what the division gives"
        if isinstance(statement, ast.Expr) and _goes_over(statement.value, summed):
            text = statement_source(division, statement)
            plan.add(place.module, ReplaceStatement(statement, f"{ast.unparse(summed)} = {text}"))
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1 and is_path(statement.targets[0]):
            plan.add(place.module, ReplaceExpression(summed, source(division.module, statement.targets[0])))
        else:
            raise Refused("the result of the division has no name")

    return planned(program, build)


def _goes_over(value: ast.expr, summed: ast.expr) -> bool:
    """Whether a list is made of the elements of the sum."""
    if not isinstance(value, ast.ListComp) or len(value.generators) != 1:
        return False
    return ast.unparse(value.generators[0].iter) == ast.unparse(summed)
