"""What leaves models in every way of writing them, and which losses judge it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mpfix.frameworks.events import ModelOutput
from mpfix.frameworks.heads import half_heads, is_trained, losses_of

MakeProgram = Callable[..., Any]
HEAD = """
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
keras.mixed_precision.set_global_policy("mixed_float16")
"""


def told(program: MakeProgram, source: str, generation: int = 3) -> list[tuple[object, object]]:
    """The activation and the dtype of each output."""
    made = program(HEAD + source, generation=generation)
    tensors = [one.event.tensor for one in made.happened(ModelOutput)]
    return [(getattr(one.get("activation"), "value", "?"), getattr(one.get("dtype"), "value", "?")) for one in tensors]


FORMS = {
    "a list": "keras.Sequential([layers.Dense(4), layers.Dense(2, activation='softmax')])",
    "a list that grows": (
        "m = keras.Sequential()\nfor n in (8, 4):\n    m.add(layers.Dense(n))\nm.add(layers.Dense(2, 'softmax'))"
    ),
    "a chain in a loop": (
        "x = keras.Input((4,))\ny = x\nfor n in sizes:\n    y = layers.Dense(n)(y)\n"
        "keras.Model(x, layers.Dense(2, activation=tf.nn.softmax)(y))"
    ),
    "an Activation": "x = keras.Input((4,))\nkeras.Model(x, layers.Activation('softmax')(layers.Dense(2)(x)))",
    "a Softmax": "keras.Sequential([layers.Dense(2), layers.Softmax()])",
    "a function": "x = keras.Input((4,))\nkeras.Model(x, tf.nn.softmax(layers.Dense(2)(x)))",
    "a builder": "def head(n):\n    return layers.Dense(n, activation='softmax')\nkeras.Sequential([head(2)])",
    "a nested model": (
        "body = keras.Sequential([layers.Dense(4)])\nkeras.Sequential([body, layers.Dense(2, activation='softmax')])"
    ),
    "a ready-made base": (
        "base = keras.applications.ResNet50(include_top=False)\n"
        "keras.Model(base.input, layers.Dense(2, activation='softmax')(base.output))"
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_softmax_is_seen_at_the_end_of(form: str, program: MakeProgram) -> None:
    assert ("softmax", "float16") in told(program, FORMS[form])


def test_outputs_of_training_and_of_inference_are_both_seen(program: MakeProgram) -> None:
    found = told(
        program,
        """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.main = layers.Dense(3, activation="softmax")
        self.extra = layers.Dense(1, activation="sigmoid")
    def call(self, inputs, training=False):
        if training:
            return {"main": self.main(inputs), "extra": self.extra(inputs)}
        return self.main(inputs)
net = Net()
net.compile("adam", "mse")
net.fit(x, y)
""",
    )

    assert {("sigmoid", "float16"), ("softmax", "float16")} <= set(found)


@pytest.mark.parametrize(("generation", "dtype"), [(2, "float32"), (3, "float16")])
def test_dtype_of_time_distributed_is_that_of_its_layer_in_keras_2_only(
    generation: int, dtype: str, program: MakeProgram
) -> None:
    source = "keras.Sequential([layers.TimeDistributed(layers.Dense(2, activation='softmax', dtype='float32'))])"

    assert told(program, source, generation) == [("softmax", dtype)]


def test_each_output_gets_the_loss_of_its_name(program: MakeProgram) -> None:
    made = program(
        HEAD
        + """
x = keras.Input((4,))
kind, size = layers.Dense(3, name="kind")(x), layers.Dense(1, name="size")(x)
model = keras.Model(x, [kind, size])
model.compile("adam", {"kind": keras.losses.CategoricalCrossentropy(from_logits=True), "size": "mse"})
"""
    )
    cases = list(made.cases(ModelOutput, "tensor.maker"))

    kinds = [[one.kind for one in losses_of(made, case.event, case.at("tensor.maker"))] for case in cases]
    assert kinds == [["logits"], ["regression"]]


def test_outputs_that_no_loss_judges_are_no_heads(program: MakeProgram) -> None:
    made = program(
        HEAD
        + """
x = keras.Input((4,))
weights = layers.Dense(4, activation="softmax")(x)
model = keras.Model(x, [layers.Dense(1, dtype="float32")(weights), weights])
model.compile("adam", ["mse", None])
model.fit(a, b)
"""
    )

    assert half_heads(made) == ()


def test_model_that_only_predicts_is_not_trained_beside_one_that_is(program: MakeProgram) -> None:
    made = program(
        HEAD
        + """
logits = keras.Sequential([layers.Dense(10)])
logits.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
logits.fit(x, y)
probabilities = keras.Sequential([logits, layers.Softmax()])
probabilities.predict(x)
"""
    )

    assert [is_trained(made, head.case.event.model) for head in half_heads(made)] == [False]


MODEL = "keras.Sequential([keras.Input((4,)), layers.Dense(2, 'softmax')]).compile('adam', 'mse')"


@pytest.mark.parametrize(("filename", "outputs"), [("train.py", 1), ("test_layers.py", 0)])
def test_what_leaves_a_model_that_a_test_builds_is_nobodys_loss(
    program: MakeProgram, filename: str, outputs: int
) -> None:
    made = program(f"{HEAD}def test_head():\n    {MODEL}\n", filename=filename)

    assert len(made.happened(ModelOutput)) == outputs
