"""Planted regressions, each caught with its own sentence; the same script against itself gives none."""

from __future__ import annotations

import pytest

from mpfix.validate.compare import BROKEN, LEARNING, MEMORY, SPEED
from mpfix.validate.measure import measure
from mpfix.validate.plan import Options, Variant
from mpfix.validation import Answer, ValidationReport, Verdict

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SCRIPT = """
import time
import numpy as np
import tensorflow as tf
tf.keras.utils.set_random_seed(3)
x = np.random.default_rng(0).normal(size=(64, 64)).astype("float32")
w = tf.Variable(np.random.default_rng(1).normal(size=(64, 1), scale=0.1).astype("float32"))
optimizer = tf.keras.optimizers.SGD(0.05)
optimizer.build([w])
def activations(inputs):
    wide = tf.tile(inputs, (WIDTH, 64))
    return tf.reshape(tf.exp(wide * 1e-3), (WIDTH, 64, 64, 64))[0, :, 0, :] * 1e3 - 1e3
for step in range(100):
    with tf.GradientTape() as tape:
        prediction = activations(x) @ w
        loss = FACTOR * tf.reduce_mean((prediction - x[:, :1]) ** 2)
    time.sleep(PAUSE)
    gradients = tape.gradient(loss, [w])
    if step % EVERY == 0:
        optimizer.apply_gradients(zip(gradients, [w]))
"""


def variant(label: str, *, width: int = 4, factor: float = 1.0, pause: float = 0.3, every: int = 1) -> Variant:
    values = {"WIDTH": width, "FACTOR": factor, "PAUSE": pause, "EVERY": every}
    text = SCRIPT
    for name, value in values.items():
        text = text.replace(name, str(value))
    return Variant(label, {"train.py": text})


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> ValidationReport:
    script = tmp_path_factory.mktemp("planted") / "train.py"
    script.write_text("raise SystemExit('only its rewritten text is run')\n")
    variants = [
        variant("before"),
        variant("same"),
        variant("wide", width=32),
        variant("other loss", factor=1.5),
        variant("slow", pause=0.9),
        variant("lazy", every=2),
    ]
    placed = [Variant(item.label, {str(script): text for text in item.texts.values()}) for item in variants]
    return measure(Options(script, display="train.py", repeat=2, steps=6), placed)


def answer(report: ValidationReport, label: str, question: str) -> Answer:
    return next(item for item in report.answers if item.question == f"{label}: {question}")


def test_a_script_against_itself_learns_bit_for_bit_the_same(report: ValidationReport) -> None:
    # memory and speed of a shared machine are too noisy to be asserted: docs/validate.md has ten runs of each
    assert answer(report, "same", LEARNING).verdict is Verdict.SAME
    assert answer(report, "same", LEARNING).sentence == "Yes: the losses of 6 steps are bit for bit the same"
    assert "A figure from a CPU says nothing about a GPU" in answer(report, "same", MEMORY).sentence


def test_more_kept_activations_are_more_memory(report: ValidationReport) -> None:
    found = answer(report, "wide", MEMORY)

    assert found.verdict is Verdict.WORSE
    assert "% more memory: " in found.sentence
    assert answer(report, "wide", LEARNING).verdict is Verdict.SAME


def test_another_loss_is_seen_in_the_first_step(report: ValidationReport) -> None:
    found = answer(report, "other loss", LEARNING)

    assert found.verdict is Verdict.WORSE
    assert "differs from the first step on, before any update" in found.sentence


def test_a_slow_step_is_seen(report: ValidationReport) -> None:
    found = answer(report, "slow", SPEED)

    assert found.verdict is Verdict.WORSE
    assert "% slower: " in found.sentence


def test_skipped_updates_are_counted(report: ValidationReport) -> None:
    found = answer(report, "lazy", LEARNING)

    assert found.verdict is Verdict.WORSE
    assert found.sentence.endswith("Updates for each micro batch: 1 before, 0.5 lazy")


def test_nothing_was_broken(report: ValidationReport) -> None:
    assert all(item.verdict is Verdict.SAME for item in report.answers if item.question.endswith(BROKEN))
    assert report.has_regression
