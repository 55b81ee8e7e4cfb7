"""Tests for the Keras 2 method of loss scaling, asking for what Keras 3 has."""

from __future__ import annotations

import ast

from mpfix.frameworks.events import Unscaled
from mpfix.frameworks.steps import DeadTest, as_meant, dead_tests, training_steps
from mpfix.rewriting.edits import ReplaceExpression
from mpfix.semantic.guards import Guard
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Unknown
from mpfix_rules.repairs.clips import clip_inside
from mpfix_rules.repairs.places import call_at, source
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.removed_methods import rename_scaling
from mpfix_rules.repairs.unscaling import drop_unscaling


def revived(program: Program, dead: DeadTest) -> Offer:
    """The test asks for `scale_loss`, and what stands behind it is called by the names there are."""
    meant = as_meant(program)
    if meant is None:
        return None, "the guarded code is not seen"
    scalings = {one.scaling.place for one in dead_tests(program) if one.test.place == dead.test.place}

    def build(plan: Plan) -> None:
        plan.title = "Ask for `scale_loss`"
        _ask(plan, dead.test.place)
        for place in sorted(scalings, key=lambda one: one.sort_key):
            call = call_at(place)
            if call is not None and isinstance(call.func, ast.Attribute):
                rename_scaling(plan, place)
        for place in _unscalings(plan.program):
            drop_unscaling(plan, place)
        for step in training_steps(plan.program):
            if step.place("scaled at") in scalings:
                clip_inside(plan, step)

    return planned(meant, build)


def _ask(plan: Plan, place: Place) -> None:
    """`hasattr(o, "get_scaled_loss")`, or `getattr` with a default, for the generations at hand."""
    call = call_at(place)
    if call is None or len(call.args) < 2 or not isinstance(call.args[1], ast.Constant):
        raise Refused("the test is made through another function")
    if not plan.is_for_keras_2:
        plan.add(place.module, ReplaceExpression(call.args[1], '"scale_loss"'))
        return
    text, optimizer = source(place.module, call), source(place.module, call.args[0])
    rest = "".join(f", {source(place.module, one)}" for one in call.args[2:])
    asked = f'{source(place.module, call.func)}({optimizer}, "scale_loss"{rest})'
    plan.add(place.module, ReplaceExpression(call, f"{asked} or {text}"))


def _unscalings(meant: Program) -> list[Place]:
    """Unscaling behind the answer of a test for the other method."""
    found = {
        occurrence.place
        for occurrence in meant.happened(Unscaled)
        if "get_scaled_loss" in _asked(occurrence.guard) and "get_unscaled_gradients" not in _asked(occurrence.guard)
    }
    return sorted(found, key=lambda one: one.sort_key)


def _asked(guard: Guard) -> frozenset[str]:
    """The names that must exist where a guard holds."""
    return frozenset(
        condition.origin[2]
        for condition, holds in guard
        if holds and isinstance(condition, Unknown) and condition.origin[0] == "hasattr"
    )
