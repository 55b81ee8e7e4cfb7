"""Facts about training that several rules ask."""

from __future__ import annotations

from mpfix.frameworks.events import Applied, Compiled, Fitted, GradientTaken, LayerBuilt, LossComputed
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Object, Record, Value

HALF = frozenset({"float16", "bfloat16"})
"""Compute dtypes of half precision."""

PROBABILITIES = frozenset({"softmax", "sigmoid"})
"""Activations whose results are probabilities."""


@fact
def trains(program: Program) -> bool:
    """Whether the component trains anything: a compile, a fit, a gradient or an update."""
    return bool(program.happened(Compiled, Fitted, GradientTaken, Applied))


@fact
def layers_by_place(program: Program) -> dict[Place, frozenset[Object]]:
    """The layers that each constructor call makes: several where a helper builds them."""
    found: dict[Place, set[Object]] = {}
    for occurrence in program.happened(LayerBuilt):
        assert isinstance(occurrence.event, LayerBuilt)
        found.setdefault(occurrence.place, set()).add(occurrence.event.layer)
    return {place: frozenset(layers) for place, layers in found.items()}


def losses_of(program: Program, model: Object) -> tuple[Occurrence, ...]:
    """The losses that are computed by hand from a model's predictions."""
    return tuple(o for o in program.happened(LossComputed) if _model_of(getattr(o.event, "loss", None)) == model)


def _model_of(loss: Value | None) -> Value | None:
    return loss.get("model") if isinstance(loss, Record) else None


@fact
def compiled_models(program: Program) -> frozenset[Object]:
    """Models that are compiled."""
    return frozenset(o.event.model for o in program.happened(Compiled) if isinstance(o.event, Compiled))
