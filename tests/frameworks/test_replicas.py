"""Strategies: which scopes are open where something is made, and what their replicas may run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mpfix.frameworks.events import Applied
from mpfix.frameworks.replica_scopes import may_run_in_replicas, scopes_around
from mpfix.frameworks.variables import VariableMade

MakeProgram = Callable[..., Any]
HEAD = """
import contextlib
import kit
import tensorflow as tf
from tensorflow import keras

strategy = tf.distribute.MirroredStrategy()
"""
STEP = """
model, optimizer = kit.model, keras.optimizers.SGD(0.1)

def step(x, y):
    with tf.GradientTape() as tape:
        loss = model.loss(x, y)
    optimizer.apply_gradients(zip(tape.gradient(loss, model.weights), model.weights))

"""


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("v = tf.Variable(0.0)", 0),
        ("with strategy.scope():\n    v = tf.Variable(0.0)", 1),
        ("with strategy.scope():\n    pass\nv = tf.Variable(0.0)", 0),
        ("scope = strategy.scope()\nwith scope:\n    v = tf.Variable(0.0)", 1),
        ("scope = strategy.scope()\nscope.__enter__()\nv = tf.Variable(0.0)", 1),
        ("scope = strategy.scope()\nscope.__enter__()\nscope.__exit__(None, None, None)\nv = tf.Variable(0.0)", 0),
        ("with tf.device('/gpu:0'), tf.name_scope('a'):\n    v = tf.Variable(0.0)", 0),
        ("with tf.summary.create_file_writer('logs').as_default():\n    v = tf.Variable(0.0)", 0),
        ("with kit.somewhere():\n    v = tf.Variable(0.0)", 1),
        ("with contextlib.ExitStack() as stack:\n    v = tf.Variable(0.0)", 1),
        ("def make():\n    with strategy.scope():\n        return kit.model\nmake()\nv = tf.Variable(0.0)", 0),
        ("try:\n    with strategy.scope():\n        raise ValueError\nexcept ValueError:\n    v = tf.Variable(0.0)", 0),
    ],
)
def test_scopes_around_a_variable_are_those_still_open(program: MakeProgram, source: str, count: int) -> None:
    found = program(HEAD + source)

    (made,) = found.happened(VariableMade)
    assert len(scopes_around(found, made)) == count


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("step(1, 2)", False),
        ("strategy.run(step, args=(1, 2))", True),
        ("kit.strategy.run(step, args=(1, 2))", True),
        ("kit.make_strategy().run(step, args=(1, 2))", True),
        ("tf.distribute.get_strategy().run(step, args=(1, 2))", True),
        ("tf.distribute.OneDeviceStrategy('/gpu:0').run(step, args=(1, 2))", False),
        ("tf.function(step)(1, 2)", False),
        ("step(1, 2)\nstrategy.run(step, args=(1, 2))", True),
        ("kit.call(step)", False),
        ("def outer():\n    tf.distribute.get_replica_context()\n    step(1, 2)\nouter()", True),
        ("tf.distribute.get_replica_context()\nstep(1, 2)", False),
    ],
)
def test_replicas_run_what_a_strategy_calls(program: MakeProgram, source: str, *, expected: bool) -> None:
    found = program(HEAD + STEP + source)

    assert {may_run_in_replicas(found, one) for one in found.happened(Applied)} == {expected}


@pytest.mark.parametrize(
    ("manager", "expected"),
    [("strategy.scope()", True), ("kit.strategy.scope()", True), ("tf.name_scope('a')", False), ("kit.log()", False)],
)
def test_replicas_run_the_fit_of_a_model_made_in_a_scope(program: MakeProgram, manager: str, *, expected: bool) -> None:
    source = f"""
class Model(keras.Model):
    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = self.compute_loss(data)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, self.weights), self.weights))

with {manager}:
    model = Model()
    model.compile(optimizer="sgd", loss="mse")
model.fit(kit.data)
"""
    found = program(HEAD + source)

    assert {may_run_in_replicas(found, one) for one in found.happened(Applied)} == {expected}
