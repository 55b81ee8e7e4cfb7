"""Repairs that give an optimizer its variables before a step is traced."""

from __future__ import annotations

import ast

from mpfix.frameworks.frozen_scales import FrozenScale, owner_of_variables
from mpfix.rewriting.edits import InsertBefore
from mpfix.semantic.program import Program
from mpfix.semantic.values import Object
from mpfix_rules.repairs.places import call_at, function_of, is_inside, is_path, parents, source, statement_of
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.update_places import means_the_same

BUILT_WHEN_MADE = ("keras.Model", "keras.applications")
"""Models that have their variables as soon as they are made, where the project does not subclass them."""


def built_before(program: Program, frozen: FrozenScale) -> Offer:
    """`optimizer.build(variables)` in front of the loop that calls the traced step."""
    return planned(program, lambda plan: _build(plan, frozen))


def _build(plan: Plan, frozen: FrozenScale) -> None:
    program = plan.program
    if plan.is_for_keras_2:
        raise Refused("optimizers of Keras 2 are built in another way")
    owner = owner_of_variables(program, frozen.step)
    if not isinstance(owner, Object) or owner.cls is not None or owner.key not in BUILT_WHEN_MADE:
        raise Refused("the variables of the model may not exist yet where the optimizer could be built")
    scaling, gradient = call_at(frozen.place), call_at(frozen.step.gradient)
    sources = gradient.args[1] if gradient is not None and len(gradient.args) > 1 else None
    if scaling is None or not isinstance(scaling.func, ast.Attribute) or sources is None:
        raise Refused("the optimizer or the variables are not named in the step")
    optimizer, statement = scaling.func.value, _before(program, frozen)
    if not (is_path(optimizer) and is_path(sources)):
        raise Refused("the optimizer or the variables are not named in the step")
    if not (means_the_same(program, optimizer, statement) and means_the_same(program, sources, statement)):
        raise Refused("the optimizer or the variables have other names where the step is called")
    module = frozen.call.module
    plan.title = "Build the optimizer before the step is traced"
    plan.add(module, InsertBefore(statement, f"{source(module, optimizer)}.build({source(module, sources)})"))


def _before(program: Program, frozen: FrozenScale) -> ast.stmt:
    """The outermost loop around the call of the traced step, in a function that does not run again and again."""
    statement, scope = statement_of(program, frozen.call.node), function_of(program, frozen.call.node)
    if any(not is_inside(program, key.place.node, scope) for key in frozen.scaling.loops):
        raise Refused("the optimizer would be built again and again")
    node: ast.AST = statement
    while node is not scope:
        if isinstance(node, (ast.For, ast.While, ast.AsyncFor)):
            statement = node
        node = parents(program)[node]
    return statement
