"""Optimizers that a model's own `compile` keeps: the standard one never sees them, so nobody wraps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mpfix.frameworks.steps import Step, training_steps
from mpfix.frameworks.stores import OptimizerKept
from mpfix.semantic.guards import Guard, conjoin
from mpfix.semantic.program import Program, fact
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, TRUE_VALUE, Object


@dataclass(frozen=True)
class SideDoor:
    """A bare optimizer that a model's own `compile` keeps, and the steps that it applies without a scaled loss."""

    kept: Place
    name: str
    guard: Guard
    steps: tuple[Step, ...]


@fact
def side_doors(program: Program) -> Mapping[Object, SideDoor]:
    """By optimizer, those that train a mixed_float16 model; where one is kept twice, the first place."""
    found: dict[Object, SideDoor] = {}
    for case in program.cases(OptimizerKept, "optimizer"):
        optimizer = case.value("optimizer")
        if not isinstance(optimizer, Object) or optimizer in found:
            continue
        steps = tuple(
            step
            for step in training_steps(program)
            if step.event.optimizer is optimizer
            and step.place("half") is not None
            and conjoin(step.guard, case.guard) is not None
            and is_bare_and_unscaled(program, step)
        )
        if steps:
            guard = conjoin(steps[0].guard, case.guard) or case.guard
            found[optimizer] = SideDoor(case.place, case.event.name, guard, steps)
    return found


def is_bare_and_unscaled(program: Program, step: Step) -> bool:
    """Whether an optimizer that is not wrapped applies, and no scale made by hand protects its gradients."""
    if step.wrapped is not False or step.state("off") == TRUE_VALUE or step.state("factor") != NONE:
        return False
    if step.of("hand") != NONE or step.of("divided by hand") != NONE or step.of("unscaled") != NONE:
        return False
    if step.of("scaled") == NONE:
        return True
    # `scale_loss` of a bare Keras 3 optimizer gives its argument back
    return program.generation == 3 and step.scales_itself and not step.asked_as_keras_2
