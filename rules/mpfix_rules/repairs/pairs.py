"""The missing or misplaced half of loss scaling, written where the other half says."""

from __future__ import annotations

import ast
from collections.abc import Callable
from enum import Enum, auto

from mpfix.frameworks.steps import Step, siblings
from mpfix.rewriting.edits import AppendToBlock, DeleteStatement, ReplaceExpression
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE
from mpfix_rules.repairs.clips import clip_inside
from mpfix_rules.repairs.places import block_of, call_at, function_of, is_inside, parents, source, statement_of
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.training_step import (
    add_scaling,
    add_unscaling,
    receiver_of,
    recording_block,
    target_of,
)
from mpfix_rules.repairs.unscaling import drop_unscaling

ELSEWHERE = "the condition stands in another function"


class Fault(Enum):
    """What is wrong with a pair."""

    NOT_UNSCALED = auto()
    NEVER_SCALED = auto()
    OTHER_LOSS = auto()
    OTHER_OPTIMIZER = auto()


def repaired_pair(program: Program, step: Step, fault: Fault, cause: Place) -> Offer:
    """The repair of one fault; `cause` is the place of the other half."""
    return planned(program, lambda plan: _REPAIRS[fault](plan, step, cause))


def _unscale(plan: Plan, step: Step, scaling: Place) -> None:
    plan.title = "Unscale the gradients"
    _same_function(plan.program, step)
    test = condition_of(plan.program, step, scaling, lambda one: one.of("scaled") != NONE)
    add_unscaling(plan, step.gradient, receiver_of(step), test)


def _scale(plan: Plan, step: Step, gradient: Place) -> None:
    plan.title = "Scale the loss"
    unscaling = step.place("unscaled at")
    assert unscaling is not None
    optimizer = receiver_of(step, unscaling)
    if not plan.is_for_keras_2:
        add_scaling(plan, gradient, optimizer)
        clip_inside(plan, step)
    else:
        test = condition_of(plan.program, step, unscaling, lambda one: one.of("unscaled") != NONE)
        add_scaling(plan, gradient, optimizer, test)
    if plan.is_for_keras_3:
        drop_unscaling(plan, unscaling)


def _differentiate_scaled(plan: Plan, step: Step, scaling: Place) -> None:
    program, call, statement = plan.program, call_at(step.gradient), statement_of(plan.program, scaling.node)
    target = target_of(call) if call is not None else None
    named = isinstance(statement, ast.Assign) and statement.value is scaling.node and len(statement.targets) == 1
    if call is None or target is None or not named or conditions(program, scaling.node, call):
        raise Refused("the scaled loss has no name that is always set")
    if function_of(program, scaling.node) is not function_of(program, call):
        raise Refused("the loss is scaled in another function")
    assert isinstance(statement, ast.Assign)
    name = source(scaling.module, statement.targets[0])
    plan.title = f"Differentiate `{name}`"
    plan.add(scaling.module, ReplaceExpression(target, name))
    if plan.is_for_keras_2 and step.of("unscaled") == NONE:
        add_unscaling(plan, step.gradient, receiver_of(step))


def scaled_inside(program: Program, gradient: Place, scaling: Place) -> Offer:
    """The scaling moved to the end of the tape's block."""
    return planned(program, lambda plan: _scale_inside(plan, gradient, scaling))


def _scale_inside(plan: Plan, gradient: Place, scaling: Place) -> None:
    program, call = plan.program, call_at(gradient)
    statement = statement_of(program, scaling.node)
    block = recording_block(program, call) if call is not None else None
    if block is None or function_of(program, scaling.node) is not function_of(program, block):
        raise Refused("the tape and the scaling are in different functions")
    if not isinstance(statement, ast.Assign) or block_of(program, statement) != block_of(program, block):
        raise Refused("the scaling is no statement of its own beside the tape")
    plan.title = "Scale the loss inside the tape"
    plan.add(scaling.module, AppendToBlock(block, source(scaling.module, statement)), DeleteStatement(statement))


def _apply_with_scaler(plan: Plan, step: Step, scaling: Place) -> None:
    program, call = plan.program, call_at(step.applied)
    if function_of(program, scaling.node) is not function_of(program, step.applied.node):
        raise Refused("the loss is scaled in another function")
    optimizer = receiver_of(step, scaling)
    receiver_of(step)
    assert call is not None
    assert isinstance(call.func, ast.Attribute)
    plan.title = f"Apply with `{optimizer}`"
    plan.add(step.applied.module, ReplaceExpression(call.func.value, optimizer))
    if plan.is_for_keras_2 and step.of("unscaled") == NONE:
        _same_function(program, step)
        add_unscaling(plan, step.gradient, optimizer)


_REPAIRS: dict[Fault, Callable[[Plan, Step, Place], None]] = {
    Fault.NOT_UNSCALED: _unscale,
    Fault.NEVER_SCALED: _scale,
    Fault.OTHER_LOSS: _differentiate_scaled,
    Fault.OTHER_OPTIMIZER: _apply_with_scaler,
}


def _same_function(program: Program, step: Step) -> None:
    if function_of(program, step.gradient.node) is not function_of(program, step.applied.node):
        raise Refused("the gradient and its application are in different functions")


# -- conditions


def condition_of(program: Program, step: Step, half: Place, has_half: Callable[[Step], bool]) -> str | None:
    """The source of the test that one half stands behind, for the other half; None where it stands behind none."""
    gradient = step.gradient.node
    is_always = all(has_half(one) and one.wrapped is not False for one in siblings(program, step))
    if function_of(program, half.node) is not function_of(program, gradient):
        if is_always:
            return None
        raise Refused(ELSEWHERE)
    tests = conditions(program, half.node, gradient)
    if not tests:
        if is_always:
            return None
        raise Refused(ELSEWHERE)
    if len(tests) > 1 or tests[0] is None:
        raise Refused("the condition is not one test")
    return source(half.module, tests[0])


def conditions(program: Program, node: ast.AST, beside: ast.AST) -> list[ast.expr | None]:
    """The tests around a node that are not around another one; None for one that must be false."""
    found: list[ast.expr | None] = []
    while node in parents(program):
        inner, node = node, parents(program)[node]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or is_inside(program, beside, node):
            break
        if isinstance(node, ast.IfExp) and inner is not node.test:
            found.append(node.test if inner is node.body else None)
        elif isinstance(node, ast.If) and inner is not node.test:
            found.append(node.test if inner in node.body else None)
    return found
