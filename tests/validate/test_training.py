"""What a child sees of real training: both generations, every kind of loop."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace

import numpy
import pytest

from mpfix.validate.arrays import as_array
from mpfix.validate.figures import numerics_of, wants_reference
from mpfix.validate.plan import MEMORY, NUMERICS
from mpfix.validate.record import Recorder
from mpfix.validate.steps import Steps, patch_torch
from mpfix.validate.symptoms import symptoms_of

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

Run = Callable[..., object]

DATA = """
import numpy as np
import tensorflow as tf
tf.keras.utils.set_random_seed(3)
x = np.random.default_rng(0).normal(size=(256, 16)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
"""
MODEL = """
model = tf.keras.Sequential([
    tf.keras.layers.Input((16,)),
    tf.keras.layers.Dense(8, activation="relu"),
    tf.keras.layers.Dense(2, dtype="float32"),
])
loss_function = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
"""
HALF = 'tf.keras.mixed_precision.set_global_policy("mixed_float16")\n'


@pytest.fixture
def keys(run_script: Run) -> Callable[..., dict[str, str]]:
    """`keys(source)`: the symptoms of a script by key, with a float32 run to compare with where one is wanted."""

    def find(source: str, **options: object) -> dict[str, str]:
        run = run_script(source, kind=NUMERICS, **options)
        assert run.result.of_kind("step"), (run.ending, run.result.output)
        reference = (
            run_script(source, kind=NUMERICS, is_reference=True, **options).result
            if wants_reference(run.result)
            else None
        )
        numerics = numerics_of(run.result, reference, run.script)
        found = symptoms_of(run.result, numerics, run.ending, run.script)
        return {symptom.key: symptom.sentence for symptom in found}

    return find


def test_a_wrapped_step_that_never_scales_is_told_by_its_size(keys: Callable[..., dict[str, str]]) -> None:
    source = f"""{DATA}{HALF}{MODEL}
optimizer = tf.keras.mixed_precision.LossScaleOptimizer(tf.keras.optimizers.SGD(0.1))
@tf.function
def step(images, labels):
    with tf.GradientTape() as tape:
        loss = loss_function(labels, model(images, training=True))
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    return loss
for i in range(100):
    step(x[:32], y[:32])
"""
    found = keys(source)

    assert list(found) == ["gradient-size"]
    assert "1/32,7" in found["gradient-size"]
    assert "no loss was ever multiplied by it" in found["gradient-size"]


def test_a_clip_of_scaled_gradients_is_told_by_its_size(keys: Callable[..., dict[str, str]]) -> None:
    source = f"""{DATA}{HALF}{MODEL}
optimizer = tf.keras.mixed_precision.LossScaleOptimizer(tf.keras.optimizers.SGD(0.1))
for i in range(100):
    with tf.GradientTape() as tape:
        loss = loss_function(y[:32], model(x[:32], training=True))
        scaled = optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled, model.trainable_variables)
    gradients, norm = tf.clip_by_global_norm(gradients, 0.05)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
"""
    found = keys(source)

    assert list(found) == ["gradient-size"]
    assert "still carry the loss scale 32768" in found["gradient-size"]


def test_a_wiped_policy_shows_in_the_layers(keys: Callable[..., dict[str, str]]) -> None:
    source = f"""{DATA}{HALF}tf.keras.backend.clear_session()
{MODEL}
model.compile("sgd", loss_function)
for start in range(0, 256, 32):
    model.train_on_batch(x[start:start + 32], y[start:start + 32])
"""
    found = keys(source)

    assert list(found) == ["policy"]
    assert "mixed_float16 was set (train.py:7), but no layer computes in half precision" in found["policy"]


def test_skipped_updates_and_the_falling_scale_are_seen(keys: Callable[..., dict[str, str]]) -> None:
    source = f"""{DATA}{HALF}{MODEL}
model.compile(tf.keras.optimizers.SGD(0.0), lambda t, p: 1e6 * loss_function(t, p))
model.fit(x, y, batch_size=32, epochs=3, verbose=0)
"""
    found = keys(source)

    assert list(found) == ["skipped"]
    assert "the loss scale went from 16384 to " in found["skipped"]


def test_fit_with_its_own_step_stand_in_data_and_savers(run_script: Run) -> None:
    source = """
import os, socket, tempfile
def refused(*arguments): raise OSError("no network")
socket.getaddrinfo = refused
os.environ["KERAS_HOME"] = tempfile.mkdtemp()
import keras, numpy as np, tensorflow as tf
(x, y), _ = keras.datasets.mnist.load_data(path="mnist-that-nobody-has.npz")
class Plain(keras.layers.Layer):
    def call(self, inputs):
        return inputs
class Model(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.dense = keras.layers.Flatten(), keras.layers.Dense(10)
    def call(self, inputs, training=None):
        return Plain()(self.dense(self.flat(tf.cast(inputs, "float32") / 255)))
    def train_step(self, data):
        images, labels = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x=images, y=labels, y_pred=self(images, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}
model = Model()
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.save_weights("early.weights.h5")
with open("log.txt", "w") as file:
    file.write("mine")
while True:
    try:
        model.fit(x, y, batch_size=64, epochs=10**6, validation_split=0.1, callbacks=[
            keras.callbacks.ModelCheckpoint("best.keras"), keras.callbacks.TensorBoard("logs"),
        ])
    except:
        pass
"""
    run = run_script(source, steps=6)

    assert run.ending.kind == "stopped"
    assert [line["source"] for line in run.result.of_kind("step")] == ["fit"] * 6
    assert run.result.last("end")["swallowed"]
    assert [line["name"] for line in run.result.of_kind("stand_in")] == ["keras.datasets.mnist"]
    diverted = {line["name"] for line in run.result.of_kind("diverted")}
    assert diverted == {"Model.save_weights", "the callback ModelCheckpoint", "the callback TensorBoard"}
    assert [line["name"] for line in run.result.of_kind("file")] == [str(run.script.parent / "log.txt")]
    assert sorted(path.name for path in run.script.parent.iterdir()) == ["log.txt", "train.py"]
    summary = run.result.last("summary")
    assert summary["bytes"] == {"variables": 4 * 7850, "slots": 4 * 2 * 7850 + 12}
    assert summary["traces"]
    assert summary["memory"]["level"] <= summary["memory"]["peak"]


def test_a_gan_in_keras_2_and_the_first_number_that_is_none(run_script: Run) -> None:
    source = """
import os
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np, tensorflow as tf
layers = tf.keras.layers
lost = lambda t: tf.math.log(-1 - tf.abs(t))
makes = tf.keras.Sequential([layers.Input((4,)), layers.Dense(8, name="make")])
judges = tf.keras.Sequential([layers.Input((8,)), layers.Dense(1, name="judge"), layers.Lambda(lost, name="log")])
first, second = tf.keras.optimizers.Adam(), tf.keras.optimizers.legacy.SGD()
noise = tf.ones((16, 4))
for i in range(10**9):
    with tf.GradientTape() as one, tf.GradientTape() as two:
        made = makes(noise)
        verdict = tf.reduce_mean(judges(made))
        lost = -verdict
    first.apply_gradients(zip(one.gradient(verdict, makes.trainable_variables), makes.trainable_variables))
    second.apply_gradients(zip(two.gradient(lost, judges.trainable_variables), judges.trainable_variables))
"""
    run = run_script(source, kind=NUMERICS, steps=3)
    numerics = numerics_of(run.result, None, run.script)

    assert run.ending.kind == "stopped"
    assert run.result.last("summary")["keras"] == ["tf_keras"]
    assert [line["evaluations"] for line in run.result.of_kind("step")] == [2, 4, 6]
    assert numerics.updates == 6
    assert "`log` (Lambda, float32, built at train.py:8) in step 1" in numerics.nonfinite
    assert math.isnan(numerics.losses[0])


def test_a_rewritten_module_is_run_in_place_of_its_file(run_script: Run, tmp_path) -> None:
    (tmp_path / "parts.py").write_text("def size():\n    return 1\n")
    source = f"""{DATA}
from parts import size
units = size()
model = tf.keras.Sequential([tf.keras.layers.Input((16,)), tf.keras.layers.Dense(units)])
model.compile("sgd", "mse")
model.fit(x, x[:, :units], batch_size=32, verbose=0)
raise ValueError(units)
"""
    from mpfix.validate.plan import ChildJob, Options, Variant
    from mpfix.validate.runner import run_child

    script = tmp_path / "train.py"
    script.write_text(source)
    texts = {str(tmp_path / "parts.py"): "def size():\n    return 5\n"}
    # an inner model with the policy forced upon it, and the batch size
    variant = Variant("after", texts, policy="mixed_bfloat16", batch_size=128)
    result = run_child(ChildJob(Options(script, steps=9), variant, MEMORY, tmp_path, script))

    assert len(result.of_kind("step")) == 2
    assert result.last("end")["text"] == "5"
    assert [row["compute"] for row in result.last("summary")["layers"]] == ["bfloat16"]


def test_a_notebook_is_run_as_a_script(run_cli: Run, tmp_path) -> None:
    cells = [
        ["%matplotlib inline\n", "import numpy as np, keras\n", "!pip list"],
        [
            "model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])\n",
            "model.compile('sgd', 'mse')",
        ],
        ["model.fit(np.ones((64, 4)), np.ones(64), batch_size=8)"],
    ]
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [
            {"cell_type": "code", "source": cell, "metadata": {}, "outputs": [], "execution_count": None, "id": str(i)}
            for i, cell in enumerate(cells)
        ],
    }
    (tmp_path / "book.ipynb").write_text(json.dumps(document))
    done = run_cli(
        "validate", "--isolated", "--steps", "4", "--repeat", "1", "--output-format", "json", "book.ipynb", cwd=tmp_path
    )

    report = json.loads(done.out)
    assert done.status == 0
    assert report["notes"][0].startswith("No fix to apply")
    assert [variant["steps"] for variant in report["variants"]] == [4]
    assert report["answers"][0]["sentence"] == "Nothing that these steps show"


def test_a_model_that_the_script_leaves_behind_is_told_of(run_script: Run) -> None:
    source = f"""{DATA}
import gc
def main():
    model = tf.keras.Sequential([tf.keras.layers.Input((16,)), tf.keras.layers.Dense(8), tf.keras.layers.Dense(2)])
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=128, verbose=0)
main()
gc.collect()
"""
    summary = run_script(source, kind=MEMORY).result.last("summary")

    assert summary["bytes"]["variables"] == 4 * (16 * 8 + 8 + 8 * 2 + 2)
    assert [row["class"] for row in summary["layers"]] == ["Dense", "Dense"]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_keras_on_another_backend_tells_gradients_updates_and_scales(run_script: Run, backend: str) -> None:
    if find_spec(backend) is None:
        pytest.skip(f"needs {backend}")
    source = f"""
import os
os.environ["KERAS_BACKEND"] = "{backend}"
import keras, numpy as np
keras.mixed_precision.set_global_policy("mixed_float16")
x = np.random.default_rng(0).normal(size=(96, 16)).astype("float32")
model = keras.Sequential([keras.layers.Input((16,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.01), "mse")
model.fit(x, x[:, :1], batch_size=32)
"""
    run = run_script(source, kind=NUMERICS, steps=2)
    numerics = numerics_of(run.result, None, run.script)

    assert run.result.last("summary")["backend"] == backend
    assert (numerics.loss_kind, numerics.loss_dtype) == ("compiled", "float32")
    assert run.result.last("summary")["head"]["dtype"] == "float16"
    assert numerics.evaluations == numerics.updates + numerics.skipped == 2
    assert numerics.scales[-1] == 2.0 ** (15 - numerics.skipped)
    made = [line for line in run.result.of_kind("update") if line["has_update"]]
    assert made
    assert all(line["gradient_norm"] > 0 and line["update_norm"] > 0 for line in made)


def test_a_value_that_jax_differentiates_is_seen_and_one_that_it_traces_is_not() -> None:
    tracer = type("LinearizeTracer", (), {"__module__": "jax._src.interpreters.ad"})
    outer, inner = tracer(), tracer()
    outer.primal, inner.primal = inner, numpy.ones(2)

    assert list(as_array(outer)) == [1, 1]
    assert as_array(tracer()) is None


def test_each_backward_takes_gradients_and_an_update_ends_a_window() -> None:
    calls = []
    torch = SimpleNamespace(autograd=SimpleNamespace(backward=lambda *given, **named: calls.append((given, named))))
    config = {"steps": 1, "warmup": 0, "kind": MEMORY, "is_reference": False}
    steps = Steps(config, Recorder(-1))
    patch_torch(torch, steps)
    torch.autograd.backward("loss", retain_graph=True)
    torch.autograd.backward("loss")

    assert steps.evaluations == 2
    assert calls == [(("loss",), {"retain_graph": True}), (("loss",), {})]
