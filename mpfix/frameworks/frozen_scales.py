"""Loss scales that traced functions take for constants: Keras 3 scales by a number while an optimizer is not built."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from mpfix.frameworks.events import Applied, Fitted, GradientTaken, Scaled
from mpfix.frameworks.optimizer_builds import OptimizerPrepared
from mpfix.frameworks.steps import Step, training_steps
from mpfix.frameworks.surroundings import calls_on_the_way, traced_functions
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Record, Value, widened


@dataclass(frozen=True)
class FrozenScale:
    """A step whose loss is scaled in a traced function, and whose gradients are applied outside of it."""

    step: Step
    scaling: Occurrence
    call: Place
    """Where the traced function is called."""

    @property
    def place(self) -> Place:
        """The call that scales."""
        return self.scaling.place


@fact
def frozen_scales(program: Program) -> tuple[FrozenScale, ...]:
    """The scales that are traced before the optimizer has its variables, and never looked at again."""
    found = []
    for step in training_steps(program):
        if not step.wrapped or not step.scales_itself or step.asked_as_keras_2 or step.is_minimize:
            continue
        scaling = _scaling(program, step)
        call = _traced_call(program, scaling) if scaling is not None else None
        if scaling is None or call is None or call in step.occurrence.chain:
            continue
        if not _is_built_before(program, step, scaling):
            found.append(FrozenScale(step, scaling, call))
    return tuple(found)


def _scaling(program: Program, step: Step) -> Occurrence | None:
    """The first time that the loss of a step is scaled."""
    place = step.place("scaled at")
    for occurrence in program.happened(Scaled):
        event = occurrence.event
        assert isinstance(event, Scaled)
        if occurrence.place == place and event.optimizer == step.event.optimizer:
            return occurrence
    return None


def _traced_call(program: Program, occurrence: Occurrence) -> Place | None:
    """The call of the outermost traced function around something."""
    way = calls_on_the_way(program, occurrence)
    traced = next((one for one in way if one in traced_functions(program)), None)
    if traced is None:
        return None
    # a call of `strategy.run(f)` or `map_fn(f)` is not the call of the function that the text shows
    return next(
        (call for call, inner in zip(occurrence.chain, (*occurrence.chain[1:], occurrence.place), strict=True)
         if isinstance(call.node, ast.Call) and _stands_in(inner, traced)),
        None,
    )  # fmt: skip


def _stands_in(place: Place, function: ast.AST) -> bool:
    return any(one is place.node for one in ast.walk(function))


def _is_built_before(program: Program, step: Step, scaling: Occurrence) -> bool:
    """Whether the optimizer may have its variables when the step is traced."""
    optimizer = step.event.optimizer
    for occurrence in program.happened(OptimizerPrepared, Applied, Fitted):
        event = occurrence.event
        if isinstance(event, OptimizerPrepared) and event.optimizer in (optimizer, None):
            return True
        is_earlier = occurrence.order < scaling.order
        if is_earlier and (isinstance(event, Fitted) or getattr(event, "optimizer", None) == optimizer):
            return True
    return False


def owner_of_variables(program: Program, step: Step) -> Value | None:
    """What the variables belong to that a step differentiates by; None where that is not seen."""
    for occurrence in program.happened(GradientTaken):
        event = occurrence.event
        assert isinstance(event, GradientTaken)
        sources = widened(event.sources)
        if occurrence.place == step.gradient and isinstance(sources, Record):
            return sources.get("owner")
    return None
