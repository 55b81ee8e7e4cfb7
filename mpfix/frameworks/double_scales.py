"""Loss scales that multiply or divide once too often."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from mpfix.frameworks.events import Scaled
from mpfix.frameworks.steps import Step, training_steps
from mpfix.frameworks.wrapper_arguments import WrapperMade
from mpfix.semantic.guards import Guard
from mpfix.semantic.program import Program, fact
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, TRUE_VALUE, At, Constant, Value


class Excess(Enum):
    """Which scale is one too many."""

    SCALED_TWICE = "the loss is scaled by the same optimizer twice"
    MINIMIZED = "a scaled loss is given to `minimize`, which scales"
    UNSCALED_TWICE = "gradients are unscaled twice, on Keras 3 the second time by `apply`"
    BY_HAND = "a scale made by hand is balanced, the one of the wrapper of Keras 3 is not"


@dataclass(frozen=True)
class DoubleScale:
    """A step whose update is off by the loss scale: `place` is one scaling too many, `first` the other one."""

    excess: Excess
    step: Step
    place: Place
    first: Place


@dataclass(frozen=True)
class Nested:
    """A loss scale optimizer around another one."""

    place: Place
    inner: Place
    guard: Guard
    event: WrapperMade


@fact
def nested_wrappers(program: Program) -> tuple[Nested, ...]:
    """The wrappers that are put around a wrapper."""
    found = []
    for case in program.cases(WrapperMade, "nested"):
        inner = case.value("nested")
        if isinstance(inner, At):
            found.append(Nested(case.place, inner.place, case.guard, case.event))
    return tuple(found)


@fact
def double_scales(program: Program) -> tuple[DoubleScale, ...]:
    """The steps of wrapped optimizers that scale or unscale once too often."""
    steps = (step for step in training_steps(program) if step.wrapped)
    return tuple(found for step in steps for found in _excess(program, step))


def _excess(program: Program, step: Step) -> Iterator[DoubleScale]:
    scaled_at, unscaled_at, hand = step.place("scaled at"), step.place("unscaled at"), step.place("hand")
    if step.is_minimize:
        # on Keras 3 there is no `minimize`
        if program.generation == 2 and _is_scaled_by_applier(step) and scaled_at is not None:
            yield DoubleScale(Excess.MINIMIZED, step, step.applied, scaled_at)
    elif (first := _first_of_two(program, step)) is not None and scaled_at is not None:
        yield DoubleScale(Excess.SCALED_TWICE, step, scaled_at, first)
    elif _is_unscaled_twice(program, step) and unscaled_at is not None:
        again = step.place("unscaled again")
        first = again if again is not None else step.applied
        yield DoubleScale(Excess.UNSCALED_TWICE, step, unscaled_at, first)
    elif program.generation == 3 and _is_balanced_by_hand(step) and hand is not None:
        yield DoubleScale(Excess.BY_HAND, step, hand, step.applied)


def _is_scaled_by_applier(step: Step) -> bool:
    return step.of("scaled") == step.event.optimizer and step.of("scaled late") != TRUE_VALUE


def _first_of_two(program: Program, step: Step) -> Place | None:
    """Where the optimizer of a step scaled the loss that it scales again."""
    first = step.place("scaled again")
    one_too_many = step.of("unscaled again") == NONE and step.of("divided by hand") == NONE
    if first is None or not one_too_many or not _is_scaled_by_applier(step) or _lacks_methods(program, step):
        return None
    events = [one.event for one in program.happened(Scaled) if one.place == first]
    same = all(isinstance(event, Scaled) and event.optimizer == step.event.optimizer for event in events)
    return first if events and same else None


def _lacks_methods(program: Program, step: Step) -> bool:
    """Whether a step calls what its generation does not have: nothing is computed then."""
    method = step.of("scaled method")
    if program.generation == 2:
        return method == Constant("scale_loss")
    return method == Constant("get_scaled_loss") or _is_call(step.place("unscaled at"))


def _is_unscaled_twice(program: Program, step: Step) -> bool:
    """On Keras 2 that takes two calls, on Keras 3 one division by hand: the optimizer makes the other."""
    fits = step.of("unscaled") == step.event.optimizer and step.of("divided by hand") == NONE
    if not fits or not _is_scaled_by_applier(step) or step.of("scaled again") != NONE or _lacks_methods(program, step):
        return False
    is_twice = step.of("unscaled again") != NONE
    return is_twice if program.generation == 2 else not is_twice


def _is_call(place: Place | None) -> bool:
    return place is not None and isinstance(place.node, ast.Call)


def _is_balanced_by_hand(step: Step) -> bool:
    """Whether a loss times a constant, and its gradients over it, meet an optimizer that divides once more."""
    by_name = all(step.of(name) == NONE for name in ("scaled", "unscaled"))
    return by_name and _is_number(step.of("hand factor")) and step.of("hand factor") == step.of("hand divisor")


def _is_number(value: Value) -> bool:
    return isinstance(value, Constant) and isinstance(value.value, (int, float)) and value not in (NONE, TRUE_VALUE)
