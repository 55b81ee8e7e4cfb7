"""How many axes a tensor has, the batch included, as far as shapes and layers tell."""

from __future__ import annotations

from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import NONE, TRUE_VALUE, Arguments, Constant, Object, Value

RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN", "RNN", "CuDNNLSTM", "CuDNNGRU"})
DIMENSIONS = {"1D": 3, "2D": 4, "3D": 5}


def input_rank(run: Run, arguments: Arguments) -> Value:
    """The rank that `keras.Input(shape)`, or a layer's `input_shape`, says; None (the constant) where it does not."""
    for name, position, extra in (
        ("shape", 0, 1),
        ("input_shape", None, 1),
        ("batch_shape", None, 0),
        ("batch_input_shape", None, 0),
    ):
        shape = arguments.get(position, name)
        rank = shape_rank(run, shape, extra) if shape is not None else NONE
        if rank != NONE:
            return rank
    return NONE


def shape_rank(run: Run, shape: Value, extra: int) -> Value:
    """The length of a shape, and `extra` axes besides."""
    content = list_content(run, shape)
    return NONE if content is None or content.open else Constant(len(content.items) + extra)


def weight_rank(run: Run, arguments: Arguments, generation: int) -> Value:
    """The rank of a weight that `add_weight` makes."""
    shape = arguments.get(1 if generation == 2 else 0, "shape")
    return shape_rank(run, shape, 0) if shape is not None else NONE


def is_short(run: Run, variable: Object) -> bool:
    """Whether a weight is known to have one axis at most."""
    return run.get(variable, "rank") in (Constant(0), Constant(1))


def rank_after(run: Run, layer: Object, name: str, before: Value) -> Value:
    """The rank of what a built-in layer gives, `before` that of its input; None (the constant) where nobody knows."""
    if before == NONE:
        before = run.get(layer, "input rank")
    if name == "Flatten" or name.startswith("Global"):
        return Constant(2)
    if name == "Reshape":
        return shape_rank(run, run.get(layer, "argument target_shape"), 1)
    if name in RECURRENT:
        return Constant(3 if run.get(layer, "argument return_sequences") == TRUE_VALUE else 2)
    if name in ("Embedding", "RepeatVector"):
        return Constant(3)
    if name[-2:] in DIMENSIONS and "Conv" in name:
        return Constant(DIMENSIONS[name[-2:]])
    return NONE if name in ("Bidirectional", "Lambda") else before
