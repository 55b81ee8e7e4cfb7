"""Losses that `compile` gets: with what Keras 2 calls them, and where that is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mpfix.frameworks.half_values import HalfComputed
from mpfix.semantic.program import cases_of

MakeProgram = Callable[..., Any]
HEAD = """
import tensorflow as tf
from tensorflow import keras

keras.mixed_precision.set_global_policy("mixed_float16")

def loss(y_true, y_pred):
    return tf.math.log(y_pred)

def other(y_true, y_pred):
    return tf.math.exp(y_pred)

class Own(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return tf.math.log(y_pred)

def outputs(inputs):
    return {"a": keras.layers.Dense(2, name="a")(inputs), "b": keras.layers.Dense(2, name="b", dtype="float32")(inputs)}

layers = [keras.layers.Dense(4), keras.layers.Dense(2)]
"""


def half_operations(program: MakeProgram, source: str, generation: int = 2) -> set[tuple[str, str]]:
    """The functions that met predictions in half, with their dtype."""
    found = program(HEAD + source, generation=generation)
    return {
        (case.event.how, case.constant("left.dtype"))
        for occurrence in found.happened(HalfComputed)
        for case in cases_of(occurrence, "left.dtype")
        if case.constant("left.dtype") is not None
    }


@pytest.mark.parametrize("given", ["loss", "[loss]", "Own()", "lambda t, p: loss(t, p)"])
def test_keras_2_hands_over_the_output_in_its_own_dtype(program: MakeProgram, given: str) -> None:
    source = f"model = keras.Sequential(layers)\nmodel.compile('sgd', loss={given})"

    assert half_operations(program, source) == {("log", "float16")}


def test_keras_3_hands_over_float32(program: MakeProgram) -> None:
    source = "model = keras.Sequential(layers)\nmodel.compile('sgd', loss=loss)"

    assert half_operations(program, source, generation=3) == set()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("loss", {("log", "float16")}),
        ("{'a': loss, 'b': other}", {("log", "float16")}),
        ("{'b': loss, 'a': other}", {("exp", "float16")}),
        ("[other, loss]", {("exp", "float16")}),
        ("{'b': loss}", set()),
    ],
)
def test_each_output_has_the_loss_of_its_name_or_index(
    program: MakeProgram, given: str, expected: set[tuple[str, str]]
) -> None:
    source = f"""
inputs = keras.Input((3,))
model = keras.Model(inputs, outputs(inputs))
model.compile("sgd", loss={given})
"""
    assert half_operations(program, source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "model = keras.Sequential(layers)\nmodel.compile('sgd', loss=loss)\nmodel.compile('sgd', loss=other)",
        "model = unknown()\nmodel.compile('sgd', loss=loss)",
        "class M(keras.Sequential):\n    def train_step(self, data):\n        return {}\n\n"
        "model = M(layers)\nmodel.compile('sgd', loss=loss)",
    ],
)
def test_what_a_loss_gets_is_unknown_where_compile_does_not_say(program: MakeProgram, source: str) -> None:
    assert half_operations(program, source) == set()


OWN_STEP = """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.scores = keras.layers.Dense(2)

    def call(self, inputs):
        return self.scores(inputs)

    def train_step(self, data):
        x, y = data
        return {{"loss": self.{call}}}

model = Net()
model.compile("sgd", loss=loss)
model.fit(dataset)
"""


@pytest.mark.parametrize(
    "call",
    ["compute_loss(x, y, self(x), None)", "compiled_loss(y, self(x), None)", "compute_loss(y=y, y_pred=self(x))"],
)
@pytest.mark.parametrize(("generation", "expected"), [(2, {("log", "float16")}), (3, set())])
def test_a_step_of_the_models_own_hands_over_what_it_says(
    program: MakeProgram, call: str, generation: int, expected: set[tuple[str, str]]
) -> None:
    assert half_operations(program, OWN_STEP.format(call=call), generation) == expected
