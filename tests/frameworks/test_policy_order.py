"""Which policy came too late for what, and what float16 for everything reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mpfix.frameworks.policy_order import late_policies, pure_halves

MakeProgram = Callable[..., Any]
HEAD = "from tensorflow import keras\nfrom tensorflow.keras import layers\n"
SET = "keras.mixed_precision.set_global_policy('mixed_float16')\n"
MODEL = "model = keras.Sequential([layers.Dense(4), layers.Dense(1)])\n"
TRAIN = "model.compile('adam', 'mse')\nmodel.fit(x, y)\n"


def late(program: MakeProgram, source: str) -> list[tuple[int, bool]]:
    """The line of what was made too early, and whether it is the whole model."""
    return [(one.built.place.line, one.is_whole) for one in late_policies(program(HEAD + source))]


def test_model_built_before_its_policy_is_late(program: MakeProgram) -> None:
    assert late(program, MODEL + SET + TRAIN) == [(3, True)]


def test_model_trained_before_the_policy_is_not(program: MakeProgram) -> None:
    assert late(program, MODEL + TRAIN + SET + "model.evaluate(x, y)") == []


def test_float32_that_was_asked_for_is_not(program: MakeProgram) -> None:
    assert late(program, SET.replace("mixed_float16", "float32") + MODEL + SET + TRAIN) == []


def test_base_of_a_later_model_is_a_late_part(program: MakeProgram) -> None:
    base = "base = keras.applications.ResNet50(include_top=False)\n"
    model = "model = keras.Sequential([base, layers.Dense(1)])\n"

    assert late(program, base + SET + model + TRAIN) == [(3, False)]


def test_order_of_functions_that_nobody_calls_is_unknown(program: MakeProgram) -> None:
    source = (
        f"def build():\n    return {MODEL[8:]}def use():\n    {SET}def train(model):\n    {TRAIN.splitlines()[0]}\n"
    )

    assert late(program, source) == []


FLOATX = "keras.backend.set_floatx('float16')\n"
REACHES = {
    "a fresh program": (FLOATX + MODEL, "fresh", "fresh"),
    "a layer made before": (MODEL + FLOATX + MODEL, "late", "fresh"),
    "an input made before": ("keras.Input((2,))\n" + FLOATX + MODEL, "late", "fresh"),
    "a policy looked at before": ("keras.mixed_precision.global_policy()\n" + FLOATX + MODEL, "late", "fresh"),
    "a policy set before": (SET.replace("mixed_float16", "float32") + FLOATX + MODEL, "late", "late"),
    "a mixed policy before": (SET + FLOATX + MODEL, "beside", "beside"),
    "a mixed policy after": (FLOATX + SET + MODEL, "beside", "beside"),
}


@pytest.mark.parametrize("form", REACHES)
def test_floatx_reaches_layers_unless_something_came_first(form: str, program: MakeProgram) -> None:
    source, keras_3, keras_2 = REACHES[form]

    assert [one.how for one in pure_halves(program(HEAD + source, generation=3))] == [keras_3]
    assert [one.how for one in pure_halves(program(HEAD + source, generation=2))] == [keras_2]


def test_floatx_that_is_put_back_at_once_reaches_nothing(program: MakeProgram) -> None:
    assert pure_halves(program(HEAD + FLOATX + FLOATX.replace("16", "32") + MODEL)) == ()
