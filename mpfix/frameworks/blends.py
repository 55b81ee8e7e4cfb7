"""Probabilities of probabilities: what averages or resizes a softmax or sigmoid, so that no loss finds its logits."""

from __future__ import annotations

from collections.abc import Iterable

from mpfix.semantic.program import alternatives
from mpfix.semantic.values import NONE, TRUE_VALUE, Constant, Record, Value, widened

PROBABILITIES = frozenset({"softmax", "sigmoid"})
"""Activations whose results are probabilities that a loss turns back into logits."""

FUNCTIONS = frozenset(
    {"reduce_mean", "mean", "average", "reduce_max", "max", "amax", "reduce_min", "min", "amin", "resize"}
)
"""The last words of the keys of functions that blend."""

LAYERS = ("UpSampling", "AveragePooling", "AvgPool", "GlobalAverage", "GlobalAvg", "GlobalMax", "MaxPool", "Resizing")
"""What the names of layers that blend begin with."""

MERGING = frozenset({"Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"})
"""Layers that compute of several tensors, without weights."""


def traces(tensors: Iterable[Value]) -> dict[str, Value]:
    """`mixed`: something is computed of tensors, one of which is probabilities, or was computed of some."""
    return {"mixed": TRUE_VALUE} if any(_has_probabilities(one) for one in tensors) else {}


def _has_probabilities(tensor: Value) -> bool:
    tensor = widened(tensor)
    if not isinstance(tensor, Record) or tensor.kind != "tensor":
        return False
    found = alternatives(tensor.get("activation"))
    is_probable = any(isinstance(one, Constant) and one.value in PROBABILITIES for _, one in found)
    return is_probable or tensor.get("blended") != NONE or tensor.get("mixed") != NONE


def after_function(key: str, tensor: Value | None) -> dict[str, Value]:
    """Properties of what a function makes of a tensor, when it blends."""
    return _blended(tensor) if key.rpartition(".")[2] in FUNCTIONS else {}


def after_layer(name: str, tensor: Value | None) -> dict[str, Value]:
    """Properties of what a built-in layer makes of a tensor, when it blends."""
    return _blended(tensor) if name.startswith(LAYERS) else {}


def _blended(tensor: Value | None) -> dict[str, Value]:
    """`blended`: the activation whose results were blended; where, in which layer and dtype it ran stays known."""
    if not isinstance(tensor, Record) or tensor.kind != "tensor":
        return {}
    again = tensor.get("blended") != NONE
    activation = tensor.get("blended" if again else "activation")
    if not isinstance(activation, Constant) or activation.value not in PROBABILITIES:
        return {}
    kept = {name: tensor.get(name) for name in ("activation dtype", "activation maker")}
    return {"blended": activation, "blended layer": tensor.get("blended layer" if again else "layer"), **kept}
