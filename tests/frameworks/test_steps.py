"""What a training step is: who scales, unscales and applies, in each consistent case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mpfix.frameworks.steps import dead_tests, late_scalings, scaled_beside, touched, training_steps
from mpfix.semantic.guards import describe
from mpfix.semantic.program import Program
from mpfix.semantic.values import NONE

Make = Callable[..., Program]

HEAD = """\
import tensorflow as tf
from tensorflow import keras

keras.mixed_precision.set_global_policy("mixed_float16")
model = keras.Sequential([keras.layers.Dense(8), keras.layers.Dense(1, dtype="float32")])
loss_fn = keras.losses.MeanSquaredError()
bare = keras.optimizers.SGD(0.1)
"""


def cases(program: Program) -> set[tuple[str, bool | None, bool, bool]]:
    """(guard, wrapped, scaled, unscaled) of every step."""
    return {
        (describe(step.guard), step.wrapped, step.of("scaled") != NONE, step.of("unscaled") != NONE)
        for step in training_steps(program)
    }


def step_of(body: str, *, optimizer: str = "keras.mixed_precision.LossScaleOptimizer(bare)") -> str:
    return f"{HEAD}optimizer = {optimizer}\nfor x, y in data:\n{body}"


PLAIN = """\
    with tf.GradientTape() as tape:
        loss = loss_fn(y, model(x))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
"""


def test_plain_step_of_a_wrapper_is_wrapped_and_neither_scaled_nor_unscaled(program: Make) -> None:
    found = training_steps(program(step_of(PLAIN)))

    assert [(one.wrapped, one.is_plain, one.is_minimize) for one in found] == [(True, True, False)]
    assert (found[0].gradient.line, found[0].applied.line) == (12, 13)
    half = found[0].place("half")
    assert half is not None
    assert half.line == 4


def test_flag_of_the_wrapper_and_of_the_scaling_gives_two_consistent_cases(program: Make) -> None:
    source = step_of(
        """\
    with tf.GradientTape() as tape:
        loss = loss_fn(y, model(x))
        if args.amp:
            loss = optimizer.get_scaled_loss(loss)
    gradients = tape.gradient(loss, model.trainable_variables)
    if args.amp:
        gradients = optimizer.get_unscaled_gradients(gradients)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
""",
        optimizer="keras.mixed_precision.LossScaleOptimizer(bare) if args.amp else bare",
    )

    assert cases(program(source, generation=2)) == {
        ("`args.amp`", True, True, True),
        ("not `args.amp`", False, False, False),
    }


@pytest.mark.parametrize(
    ("policy", "arguments", "wrapped"),
    [
        ("mixed_float16", "", True),
        ("mixed_bfloat16", "", False),
        ("float32", "", False),
        ("mixed_float16", ", auto_scale_loss=False", False),
    ],
)
def test_compile_wraps_by_the_policy_of_the_model(program: Make, policy: str, arguments: str, wrapped: bool) -> None:
    source = HEAD.replace("mixed_float16", policy) + f'model.compile(bare, "mse"{arguments})\n'
    source += "optimizer = model.optimizer\nfor x, y in data:\n" + PLAIN

    assert [step.wrapped for step in training_steps(program(source))] == [wrapped]


@pytest.mark.parametrize(
    "strategy",
    ["tf.distribute.MirroredStrategy()", "tf.distribute.TPUStrategy(resolver)"],
)
def test_step_under_a_strategy_is_not_judged(program: Make, strategy: str) -> None:
    source = f"{HEAD}optimizer = bare\nstrategy = {strategy}\ndef step(x, y):\n{PLAIN}strategy.run(step, args=(1, 2))\n"

    assert training_steps(program(source)) == ()


def test_default_strategy_is_none(program: Make) -> None:
    source = f"{HEAD}optimizer = bare\nstrategy = tf.distribute.get_strategy()\ndef step(x, y):\n{PLAIN}"

    assert len(training_steps(program(f"{source}strategy.run(step, args=(1, 2))\n"))) == 1


@pytest.mark.parametrize(
    ("loss", "by_hand"),
    [
        ("loss_fn(y, model(x)) * 1024.0", True),
        ("loss_fn(y, model(x)) * scale", True),
        ("loss_fn(y, model(x)) * 0.5", False),
        ("loss_fn(y, model(x)) + 100 * loss_fn(y, model(x))", False),
        ("tf.reduce_mean(loss_fn(y, model(x)) / 4)", False),
    ],
)
def test_large_or_unknown_factor_is_a_scale_made_by_hand(program: Make, loss: str, by_hand: bool) -> None:
    (step,) = training_steps(program(step_of(PLAIN.replace("loss_fn(y, model(x))", loss))))

    assert (step.of("hand") != NONE) is by_hand


def test_unknown_function_may_have_scaled(program: Make) -> None:
    (step,) = training_steps(program(step_of(PLAIN.replace("loss_fn(y", "imported_loss(y"))))

    assert not step.is_plain


def test_clip_knows_whether_the_gradients_are_scaled_there(program: Make) -> None:
    source = step_of(
        """\
    with tf.GradientTape() as tape:
        loss = optimizer.get_scaled_loss(loss_fn(y, model(x)))
    gradients = tape.gradient(loss, model.trainable_variables)
    norm = tf.linalg.global_norm(gradients)
    gradients = optimizer.get_unscaled_gradients(gradients)
    gradients, _ = tf.clip_by_global_norm(gradients, 1.0)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
"""
    )
    made = program(source, generation=2)
    (step,) = training_steps(made)

    found = [(case.place.line, case.value("gradients.unscaled") == NONE) for case in touched(made, step)]
    assert found == [(13, True), (15, False)]


def test_scaling_after_the_tape_is_late_whoever_applies(program: Make) -> None:
    late = PLAIN.replace("    gradients =", "    loss = optimizer.scale_loss(loss)\n    gradients =")
    inside = PLAIN.replace("    gradients =", "        loss = optimizer.scale_loss(loss)\n    gradients =")

    assert [one.scaling.line for one in late_scalings(program(step_of(late)))] == [12]
    assert late_scalings(program(step_of(inside))) == ()


def test_scaled_loss_that_nobody_differentiates_is_seen_beside_the_step(program: Make) -> None:
    unused = PLAIN.replace("    gradients =", "        scaled = optimizer.scale_loss(loss)\n    gradients =")
    made = program(step_of(unused))
    (step,) = training_steps(made)

    beside = scaled_beside(made, step)
    assert beside is not None
    assert beside.place.line == 12


def test_dead_test_knows_the_scaling_behind_it(program: Make) -> None:
    guarded = '        if hasattr(optimizer, "get_scaled_loss"):\n            loss = optimizer.get_scaled_loss(loss)\n'
    source = step_of(PLAIN.replace("    gradients =", f"{guarded}    gradients ="))

    assert [(one.test.place.line, one.scaling.place.line) for one in dead_tests(program(source))] == [(12, 13)]
    assert dead_tests(program(source, generation=2)) == ()


def test_branch_of_the_other_generation_is_no_case(program: Make) -> None:
    source = step_of(
        """\
    with tf.GradientTape() as tape:
        loss = loss_fn(y, model(x))
        scaled = optimizer.scale_loss(loss) if IS_3 else optimizer.get_scaled_loss(loss)
    gradients = tape.gradient(scaled, model.trainable_variables)
    gradients = gradients if IS_3 else optimizer.get_unscaled_gradients(gradients)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
"""
    ).replace("bare =", 'IS_3 = keras.__version__.startswith("3")\nbare =')
    made: Any = program(source)

    assert cases(made) == {("", True, True, False)}


def test_exception_in_a_look_up_of_the_methods_is_no_case(program: Make) -> None:
    look_up = """\
    try:
        gradients = optimizer.get_unscaled_gradients(gradients)
    except AttributeError:
        pass
    optimizer.apply"""
    source = step_of(PLAIN.replace("    optimizer.apply", look_up))

    assert {unscaled for _, _, _, unscaled in cases(program(source, generation=2))} == {True}
