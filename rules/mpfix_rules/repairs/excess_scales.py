"""Loss scales that are one too many, taken out."""

from __future__ import annotations

import ast

from mpfix.frameworks.double_scales import DoubleScale, Excess, Nested
from mpfix.rewriting.edits import DeleteStatement, ReplaceExpression
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix_rules.repairs.places import call_at, function_of, parents, source, statement_of
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.training_step import receiver_of


def unwrapped(program: Program, nested: Nested) -> Offer:
    """The inner one of two wrappers."""

    def build(plan: Plan) -> None:
        plan.title, plan.is_unsafe = "Keep one loss scale optimizer", True
        call = call_at(nested.place)
        given = [] if call is None else [*call.args, *(keyword.value for keyword in call.keywords)]
        if call is None or len(given) != 1 or isinstance(given[0], ast.Starred):
            raise Refused("the outer loss scale optimizer has settings of its own")
        if call.keywords and call.keywords[0].arg is None:
            raise Refused("the arguments are gathered in a dictionary")
        _put(plan, nested.place, call, given[0])

    return planned(program, build)


def scaled_once(program: Program, found: DoubleScale) -> Offer:
    """A step without the scaling, unscaling or hand-made scale that is one too many."""

    def build(plan: Plan) -> None:
        plan.is_unsafe = True
        if found.excess is Excess.BY_HAND:
            _scale_by_name(plan, found)
        elif found.excess is Excess.UNSCALED_TWICE:
            plan.title = "Unscale once"
            _check_generation(plan)
            _drop_division(plan, found.place)
        else:
            plan.title = "Scale once"
            place = found.first if found.excess is Excess.MINIMIZED else found.place
            call = call_at(place)
            if call is None or len(call.args) != 1 or call.keywords:
                raise Refused("the loss is not scaled by a call")
            _put(plan, place, call, call.args[0])

    return planned(program, build)


def _check_generation(plan: Plan) -> None:
    if plan.program.generation == 3 and plan.is_for_keras_2:
        raise Refused("Keras 2 does not unscale in `apply_gradients`")


def _scale_by_name(plan: Plan, found: DoubleScale) -> None:
    """`loss * 1024` becomes the wrapper's own scaling, and the division of the gradients goes."""
    plan.title = "Let the optimizer scale"
    _check_generation(plan)
    product, divided_at = found.place.node, found.step.place("divided by hand")
    if not isinstance(product, ast.BinOp) or divided_at is None:
        raise Refused("the loss is not scaled by one product")
    if function_of(plan.program, product) is not function_of(plan.program, found.step.applied.node):
        raise Refused("the loss is scaled in another function than the one that applies")
    loss = product.right if isinstance(product.left, ast.Constant) else product.left
    text = plan.scaled(receiver_of(found.step), source(found.place.module, loss))
    plan.add(found.place.module, ReplaceExpression(product, text))
    _drop_division(plan, divided_at)


def _drop_division(plan: Plan, place: Place) -> None:
    """Gradients as they are before a call that unscales them, or a quotient that does."""
    node = place.node
    if isinstance(node, ast.Call):
        if len(node.args) != 1 or node.keywords or not isinstance(node.func, ast.Attribute):
            raise Refused("the gradients are not unscaled by a plain call")
        _put(plan, place, node, node.args[0])
        return
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)):
        raise Refused("the gradients are not unscaled by a plain division")
    whole = parents(plan.program)[node]
    if isinstance(whole, ast.ListComp) and whole.elt is node and len(whole.generators) == 1:
        loop = whole.generators[0]
        if not loop.ifs and ast.unparse(loop.target) == ast.unparse(node.left):
            _put(plan, place, whole, loop.iter)
            return
    _put(plan, place, node, node.left)


def _put(plan: Plan, place: Place, whole: ast.expr, part: ast.expr) -> None:
    """A part of an expression in the place of the whole; a statement that then assigns a name to itself goes."""
    statement = statement_of(plan.program, whole)
    is_plain = isinstance(statement, ast.Assign) and statement.value is whole and len(statement.targets) == 1
    if is_plain and ast.unparse(statement.targets[0]) == ast.unparse(part):  # type: ignore[attr-defined]
        plan.add(place.module, DeleteStatement(statement))
    else:
        plan.add(place.module, ReplaceExpression(whole, source(place.module, part)))
