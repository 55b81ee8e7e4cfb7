"""Tapes: which record a backward pass, how often they are asked, and who else gets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mpfix.frameworks.events import GradientTaken
from mpfix.frameworks.surroundings import is_traced
from mpfix.frameworks.tape_uses import guard_of, recorded_backwards, recordings, taken_once
from mpfix.semantic.guards import is_maybe

MakeProgram = Callable[..., Any]
HEAD = "import tensorflow as tf\nw = tf.Variable([1.0])\n"


def recorders(program: MakeProgram, source: str) -> list[list[int]]:
    """For each gradient the lines of the tapes that record it."""
    return [[tape.place.line for tape in one.event.recorders] for one in program(HEAD + source).happened(GradientTaken)]


def test_ordinary_tape_closes_itself_before_its_backward_pass(program: MakeProgram) -> None:
    assert recorders(program, "with tf.GradientTape() as t:\n    g = t.gradient(w * w, w)") == [[]]


def test_persistent_tape_records_its_own_backward_pass(program: MakeProgram) -> None:
    assert recorders(program, "with tf.GradientTape(persistent=True) as t:\n    g = t.gradient(w * w, w)") == [[3]]


def test_paused_tape_does_not_record(program: MakeProgram) -> None:
    source = (
        "with tf.GradientTape(persistent=True) as t:\n    y = w * w\n"
        "    with t.stop_recording():\n        g = t.gradient(y, w)\n    h = t.gradient(y, w)"
    )

    assert recorders(program, source) == [[], [3]]


def test_second_tape_records_the_first_one_until_it_is_asked(program: MakeProgram) -> None:
    source = (
        "with tf.GradientTape() as a, tf.GradientTape() as b:\n    y = w * w\n"
        "    g = a.gradient(y, w)\n    h = b.gradient(y, w)"
    )

    assert recorders(program, source) == [[3], []]


def test_tape_opened_in_a_loop_inside_another_knows_the_outer_one(program: MakeProgram) -> None:
    source = (
        "with tf.GradientTape() as a:\n    for x in data:\n"
        "        with tf.GradientTape() as b:\n            y = w * x\n"
        "        opt.apply_gradients(zip(b.gradient(y, [w]), [w]))"
    )

    assert recorders(program, source)[-1] == [3]


ONCE = {
    "a gradient after the block": ("g = t.gradient(y, w)", True),
    "two gradients": ("g = t.gradient(y, w)\nh = t.gradient(y, w)", False),
    "a gradient in a loop": ("for y in ys:\n    g = t.gradient(y, w)", False),
    "a comprehension": ("gs = [t.gradient(y, w) for y in ys]", False),
    "a helper": ("def f(tape):\n    return tape.gradient(y, w)\ng = f(t)", True),
    "a helper that keeps the tape": (
        "def f(tape):\n    kept.append(tape)\n    return tape.gradient(y, w)\nf(t)",
        False,
    ),
    "a tape given to unknown code": ("send(t)\ng = t.gradient(y, w)", False),
    "a tape kept elsewhere": ("other.tape = t\ng = t.gradient(y, w)", False),
    "a callback": ("g = tf.nest.map_structure(lambda one: t.gradient(one, w), ys)", False),
}


@pytest.mark.parametrize("form", ONCE)
def test_tape_is_asked_once(form: str, program: MakeProgram) -> None:
    source, expected = ONCE[form]
    made = program(f"{HEAD}with tf.GradientTape(persistent=True) as t:\n    y = w * w\n{source}\n")

    assert [taken_once(made, one) is not None for one in recordings(made)] == [expected]


def test_gradient_that_goes_into_the_outer_loss_is_wanted(program: MakeProgram) -> None:
    made = program(
        HEAD
        + """
def slope(x):
    with tf.GradientTape() as inner:
        inner.watch(x)
        y = model(x)
    return inner.gradient(y, x)

with tf.GradientTape() as outer:
    norm = tf.norm(slope(x))
    loss = tf.reduce_mean(model(x)) + norm
g = outer.gradient(loss, w)
"""
    )

    assert recorded_backwards(made) == ()


def test_gradient_that_only_updates_weights_is_not(program: MakeProgram) -> None:
    made = program(
        HEAD
        + """
with tf.GradientTape() as outer:
    with tf.GradientTape() as inner:
        y = model(x)
    optimizer.apply_gradients(zip(inner.gradient(y, [w]), [w]))
    loss = tf.reduce_mean(model(x))
g = outer.gradient(loss, w)
"""
    )

    assert [one.place.line for one in recorded_backwards(made)] == [7]


TRACED = {
    "a decorator": ("@tf.function\ndef f():\n    return step()\nf()", True),
    "a decorator with options": ("@tf.function(jit_compile=True)\ndef f():\n    return step()\nf()", True),
    "a call": ("def f():\n    return step()\nf = tf.function(f)\nf()", True),
    "nothing": ("step()", False),
}


@pytest.mark.parametrize("form", TRACED)
def test_code_is_traced_through(form: str, program: MakeProgram) -> None:
    source, expected = TRACED[form]
    step = "def step():\n    with tf.GradientTape() as t:\n        y = w * w\n    return t.gradient(y, w)\n"
    made = program(HEAD + step + source)

    assert [is_traced(made, one) for one in made.happened(GradientTaken)] == [expected]


def test_a_tape_that_a_bound_made_uncertain_says_what_its_gradient_adds(program: MakeProgram) -> None:
    doubts = "".join(f"{' ' * number}if check_{number}():\n" for number in range(20))
    step = ("with tf.GradientTape() as t:", "    y = w * w", "    g = t.gradient(y, w)")
    block = "".join(f"{' ' * 20}{line}\n" for line in step)
    (recording,) = recordings(program(HEAD + doubts + block))
    (gradient,) = recording.gradients

    assert is_maybe(gradient.guard)
    assert not guard_of(gradient, recording)
