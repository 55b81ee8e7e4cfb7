"""What the framework facts know of windows and sums: which conditions are windows, which sums start again."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpfix.frameworks import interpret
from mpfix.frameworks.accumulation import doubled_updates, missing_gradients, starts_again, sums
from mpfix.frameworks.windows import updates, window_length
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import parse_module
from mpfix.semantic.values import Constant
from mpfix.source.document import read_document

HEAD = """\
import tensorflow as tf
from tensorflow import keras
from data import batches, steps
model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(1)])
optimizer = keras.optimizers.SGD(0.1)
loss_fn = keras.losses.MeanSquaredError()
def gradients_of(x, y):
    with tf.GradientTape() as tape:
        loss = loss_fn(y, model(x, training=True))
    return tape.gradient(loss, model.trainable_variables)
def update(gradients):
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
"""


def program_of(folder: Path, body: str) -> Program:
    path = folder / "train.py"
    path.write_text(HEAD + body, encoding="utf-8")
    return interpret([parse_module(read_document(path, "train.py"))], generation=3)


@pytest.mark.parametrize(
    "test",
    [
        "(step + 1) % 4 == 0",
        "0 == (step + 1) % 4",
        "step % 4 == 3",
        "not (step + 1) % 4",
        "tf.equal((step + 1) % 4, 0)",
        "tf.math.floormod(step + 1, 4) == 0",
        "(step + 1) % 4 == 0 or step == steps",
    ],
)
def test_a_remainder_of_the_iteration_is_a_window(test: str, tmp_path: Path) -> None:
    body = f"for step, (x, y) in enumerate(batches):\n    if {test}:\n        update(gradients_of(x, y))\n"

    (found,) = updates(program_of(tmp_path, body))

    assert found.window
    assert window_length(found) == Constant(4)


@pytest.mark.parametrize("test", ["step > 100", "steps % 4 == 0", "step == 4", "x is not None"])
def test_other_conditions_are_no_windows(test: str, tmp_path: Path) -> None:
    body = f"for step, (x, y) in enumerate(batches):\n    if {test}:\n        update(gradients_of(x, y))\n"

    (found,) = updates(program_of(tmp_path, body))

    assert not found.window


def test_a_counter_that_is_set_back_is_a_window(tmp_path: Path) -> None:
    body = """\
pending = 0
for x, y in batches:
    pending += 1
    if pending == 4:
        update(gradients_of(x, y))
        pending = 0
"""

    (found,) = updates(program_of(tmp_path, body))

    assert found.window


ADDS = {
    "list": "total = [a + b for a, b in zip(total, gradients_of(x, y))]",
    "function": "total = list(map(tf.add, total, gradients_of(x, y)))",
    "items": "for i, g in enumerate(gradients_of(x, y)):\n        total[i] = total[i] + g",
}


@pytest.mark.parametrize("how", ADDS)
def test_a_list_that_a_loop_adds_to_is_a_sum(how: str, tmp_path: Path) -> None:
    body = f"""\
total = [tf.zeros_like(v) for v in model.trainable_variables]
for step, (x, y) in enumerate(batches):
    {ADDS[how]}
    if (step + 1) % 4 == 0:
        update(total)
"""
    program = program_of(tmp_path, body)

    (found,) = updates(program)

    assert found.accumulator in sums(program)
    assert found.loop is not None
    assert not starts_again(program, sums(program)[found.accumulator], found.loop)


@pytest.mark.parametrize("reset", ["total = [tf.zeros_like(v) for v in total]", "total = None", "total = other()"])
def test_a_sum_that_is_bound_anew_may_start_again(reset: str, tmp_path: Path) -> None:
    body = f"""\
from elsewhere import other
total = None
for step, (x, y) in enumerate(batches):
    g = gradients_of(x, y)
    total = g if total is None else [a + b for a, b in zip(total, g)]
    if (step + 1) % 4 == 0:
        update(total)
        {reset}
"""
    program = program_of(tmp_path, body)

    (found,) = [one for one in updates(program) if one.accumulator in sums(program)]

    assert found.accumulator is not None
    assert found.loop is not None
    assert starts_again(program, sums(program)[found.accumulator], found.loop)


def test_a_momentum_is_no_sum(tmp_path: Path) -> None:
    body = """\
velocity = [tf.zeros_like(v) for v in model.trainable_variables]
for x, y in batches:
    velocity = [0.9 * a + b for a, b in zip(velocity, gradients_of(x, y))]
    update(velocity)
"""

    assert not sums(program_of(tmp_path, body))


def test_an_update_in_a_helper_is_told_apart_by_its_calls(tmp_path: Path) -> None:
    body = """\
for step, (x, y) in enumerate(batches):
    gradients = gradients_of(x, y)
    update(gradients)
    if (step + 1) % 4 == 0:
        update(gradients)
"""

    (found,) = doubled_updates(program_of(tmp_path, body))

    assert (found.kind, found.place.line, found.again_place.line) == ("same", 15, 17)


def test_a_name_that_a_step_keeps_for_itself_is_missing_outside(tmp_path: Path) -> None:
    body = """\
def step(x, y):
    slopes = gradients_of(x, y)
    return x
for x, y in batches:
    step(x, y)
    update(slopes)
"""

    (found,) = missing_gradients(program_of(tmp_path, body))

    assert (found.name, found.occurrence.place.line) == ("slopes", 18)


LAZY = """\
slots = None
for step, (x, y) in enumerate(batches):
    {begin}
    gradients = gradients_of(x, y)
    if slots is None:
        slots = [tf.Variable(tf.zeros_like(g), trainable=False) for g in gradients]
    for slot, gradient in zip(slots, gradients):
        slot.assign_add(gradient / 4)
    if (step + 1) % 4 == 0:
        update(slots)
        {end}
"""


@pytest.mark.parametrize(
    ("begin", "end", "carries", "restarts"),
    [
        ("pass", "pass", True, False),
        ("pass", "[slot.assign(tf.zeros_like(slot)) for slot in slots]", True, True),
        ("[slot.assign(tf.zeros_like(slot)) for slot in slots or ()]", "pass", True, True),
        ("pass", "slots = None", False, True),
    ],
)
def test_variables_that_the_first_iteration_makes(
    begin: str, end: str, carries: bool, restarts: bool, tmp_path: Path
) -> None:
    program = program_of(tmp_path, LAZY.format(begin=begin, end=end))

    (found,) = sums(program).values()
    loop = next(one.loop for one in updates(program) if one.loop is not None)

    assert found.carried_by(loop) is carries
    assert (starts_again(program, found, loop) or not carries) is restarts


UPDATES = """\
class Own(keras.optimizers.Optimizer):
    def __init__(self, inner, made):
        self.inner = inner
        self.sums = [tf.Variable(tf.zeros_like(v), trainable=False) for v in made]
    def {name}(self, {parameters}):
        {pairs}
        for total, gradient in zip(self.sums, gradients):
            total.assign_add(gradient)
        self.inner.apply_gradients(zip(self.sums, variables))
"""


@pytest.mark.parametrize(
    ("name", "parameters", "pairs"),
    [
        ("apply_gradients", "pairs, name=None", "gradients, variables = zip(*pairs)"),
        ("apply_gradients", "pairs", "gradients, variables = zip(*[(g, v) for g, v in pairs if g is not None])"),
        ("apply", "gradients, variables=None", "pass"),
    ],
)
@pytest.mark.parametrize("use", ["", "model.compile(Own(optimizer, model.weights), 'mse')\nmodel.fit(batches)\n"])
def test_an_optimizer_of_the_project_updates_batch_by_batch(
    name: str, parameters: str, pairs: str, use: str, tmp_path: Path
) -> None:
    program = program_of(tmp_path, UPDATES.format(name=name, parameters=parameters, pairs=pairs) + use)

    (found,) = sums(program).values()
    applied = [one for one in updates(program) if one.accumulator == found.accumulator]

    assert applied
    assert all(one.loop is not None and found.carried_by(one.loop) for one in applied)
