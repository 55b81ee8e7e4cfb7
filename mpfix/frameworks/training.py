"""Facts about training that several rules ask."""

from __future__ import annotations

from mpfix.frameworks.events import Applied, Compiled, Fitted, GradientTaken, LayerBuilt, TrainedUnseen
from mpfix.semantic.program import Program, fact
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Object

HALF = frozenset({"float16", "bfloat16"})
"""Compute dtypes of half precision."""


@fact
def trains(program: Program) -> bool:
    """Whether the component trains anything: a compile, a fit, a gradient or an update."""
    return bool(program.happened(Compiled, Fitted, GradientTaken, Applied, TrainedUnseen))


@fact
def layers_by_place(program: Program) -> dict[Place, frozenset[Object]]:
    """The layers that each constructor call makes: several where a helper builds them."""
    found: dict[Place, set[Object]] = {}
    for occurrence in program.happened(LayerBuilt):
        assert isinstance(occurrence.event, LayerBuilt)
        found.setdefault(occurrence.place, set()).add(occurrence.event.layer)
    return {place: frozenset(layers) for place, layers in found.items()}
