"""Attributes of a loss scale optimizer, set on the optimizer that it wraps."""

from __future__ import annotations

import ast

from mpfix.frameworks.events import Applied, Fitted
from mpfix.frameworks.stores import AttributeSet
from mpfix.frameworks.wrapper_arguments import CLIPS, FIXED_WHEN_BUILT, NEW_ON_INNER
from mpfix.rewriting.edits import ReplaceExpression
from mpfix.semantic.program import Case, Program, cases_of
from mpfix.semantic.run import Occurrence
from mpfix.semantic.values import TRUE_VALUE, Constant
from mpfix_rules.repairs.places import source
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned


def set_inside(program: Program, case: Case[AttributeSet]) -> Offer:
    """The same attribute of the inner optimizer, where setting it there has an effect."""
    name, node = case.event.name, case.place.node

    def build(plan: Plan) -> None:
        plan.title = f"Set `{name}` of the inner optimizer"
        _check_effect(plan, case)
        owner = _owner(node)
        if owner is None:
            raise Refused("the optimizer is not named where the attribute is set")
        plan.add(case.place.module, ReplaceExpression(owner, f"{source(case.place.module, owner)}.inner_optimizer"))

    return planned(program, build)


def _owner(node: ast.AST) -> ast.expr | None:
    """The optimizer in `optimizer.name = value` and in `setattr(optimizer, "name", value)`."""
    if isinstance(node, ast.Attribute):
        return node.value
    is_call = isinstance(node, ast.Call) and node.args and not isinstance(node.args[0], ast.Starred)
    return node.args[0] if is_call else None  # type: ignore[attr-defined]


def _check_effect(plan: Plan, case: Case[AttributeSet]) -> None:
    name, program = case.event.name, plan.program
    if name in NEW_ON_INNER and plan.is_for_keras_2:
        raise Refused(f"optimizers of Keras 2 do not have `{name}`")
    if name in FIXED_WHEN_BUILT:
        raise Refused(f"`{name}` must be given to the constructor of the inner optimizer: it decides what is built")
    if name in CLIPS and case.value("state.clips") == Constant(True):
        raise Refused("the inner optimizer clips already")
    if not _is_always_wrapped(program, case):
        raise Refused("the optimizer is wrapped on a condition")
    if case.occurrence.loops or _has_trained(program, case):
        raise Refused("the training step may be traced by then: on the inner optimizer too, it would come too late")


def _is_always_wrapped(program: Program, case: Case[AttributeSet]) -> bool:
    here = [one for one in program.happened(AttributeSet) if one.place == case.place]
    sides = [side for one in here for side in cases_of(one, "state.wrapped", allow_unknown=True)]
    return all(side.value("state.wrapped") == TRUE_VALUE for side in sides)


def _has_trained(program: Program, case: Case[AttributeSet]) -> bool:
    """Whether a model was fitted, or the optimizer applied, before."""
    for occurrence in program.occurrences:
        if occurrence is case.occurrence:
            return False
        if _trains(occurrence, case):
            return True
    return False


def _trains(occurrence: Occurrence, case: Case[AttributeSet]) -> bool:
    event = occurrence.event
    return isinstance(event, Fitted) or (isinstance(event, Applied) and event.optimizer is case.event.optimizer)
