"""Repairs of `gradient_accumulation_steps`: on the optimizer, where it works, or not at all."""

from __future__ import annotations

import ast

from mpfix.frameworks.accumulation_arguments import ARGUMENT, BadAccumulation, is_refused
from mpfix.frameworks.events import OptimizerBuilt
from mpfix.frameworks.steps import uses_strategies
from mpfix.rewriting.edits import AddKeyword, RemoveArgument, ReplaceExpression
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Constant, Object
from mpfix_rules.repairs.inner_arguments import keyword_of, value_for, with_keywords
from mpfix_rules.repairs.places import call_at, is_inside
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned


def asked_rightly(program: Program, bad: BadAccumulation) -> Offer:
    """The argument where Keras 3 takes it; a window of one micro batch needs none."""
    return planned(program, lambda plan: _build(plan, bad))


def _build(plan: Plan, bad: BadAccumulation) -> None:
    call = call_at(bad.place)
    if call is None:
        raise Refused("optimizers of Keras 2 do not accumulate: the loop must")
    keyword = keyword_of(call, ARGUMENT)
    if bad.value in (Constant(1), Constant(True)) and isinstance(keyword.value, ast.Constant):
        plan.title = f"Remove `{ARGUMENT}`: every batch is applied"
        plan.add(bad.place.module, RemoveArgument(call, ARGUMENT))
        return
    if plan.is_for_keras_2:
        raise Refused("optimizers of Keras 2 do not accumulate: the loop must")
    if bad.owner == "optimizer" or is_refused(bad.value):
        raise Refused("how many micro batches are meant is not known")
    _move(plan, bad, call, keyword)


def _move(plan: Plan, bad: BadAccumulation, call: ast.Call, keyword: ast.keyword) -> None:
    """From `compile` or `fit` to the call that makes the optimizer."""
    program, module = plan.program, bad.place.module
    if uses_strategies(program):
        raise Refused("under a distribution strategy accumulation raises as well")
    maker = _maker(program, bad)
    made = call_at(maker)
    if made is None or any(one.arg in (None, ARGUMENT) for one in made.keywords):
        raise Refused("the call that makes the optimizer has arguments that are not seen")
    plan.title = f"Give `{ARGUMENT}` to the optimizer"
    plan.add(module, RemoveArgument(call, ARGUMENT))
    if is_inside(program, made, call):
        plan.add(module, ReplaceExpression(made, with_keywords(plan, bad.place, made, [keyword])))
    else:
        plan.add(maker.module, AddKeyword(made, ARGUMENT, value_for(program, bad.place, keyword.value, made)))


def _maker(program: Program, bad: BadAccumulation) -> Place:
    """The one call that makes the optimizer, and makes no other."""
    optimizer = bad.optimizer
    if not isinstance(optimizer, Object) or not optimizer.key.startswith("keras.optimizers."):
        raise Refused("the optimizer is not known")
    places = {o.place for o in program.happened(OptimizerBuilt) if getattr(o.event, "optimizer", None) is optimizer}
    if len(places) != 1:
        raise Refused("the optimizer is given by its name")
    place = places.pop()
    made = {getattr(o.event, "optimizer", None) for o in program.happened(OptimizerBuilt) if o.place == place}
    if len(made) > 1:
        raise Refused("the same call makes several optimizers")
    return place
