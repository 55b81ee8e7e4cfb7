"""Measures how sound `mpfix validate` is and what its timing probes cost; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mpfix.validate.measure import measure
from mpfix.validate.plan import MEMORY, ChildJob, Options, Variant
from mpfix.validate.runner import run_child
from mpfix.validation import Verdict

PROGRAM = Path(__file__).parents[1] / "fixtures" / "programs" / "compile_fit.py"
HEAD = """\
import json
import time

import numpy as np
import tensorflow as tf

x = np.random.default_rng(0).normal(size=(32, 64)).astype("float32")
y = np.random.default_rng(1).integers(0, 10, size=32)
model = tf.keras.Sequential([tf.keras.layers.Input((64,)), tf.keras.layers.Dense(64), tf.keras.layers.Dense(10)])
loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
adam = tf.keras.optimizers.Adam()


def step(images, labels):
    with tf.GradientTape() as tape:
        loss = loss_of(labels, model(images, training=True))
    adam.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    return loss


"""
BODY = """\
model.compile(adam, loss_of)
data = tf.data.Dataset.from_tensors((x, y)).repeat(200)
traced = tf.function(step)
images, labels = tf.constant(x), tf.constant(y)


def fit():
    model.fit(data, verbose=0)
    return 200


def loop_with_function():
    for _ in range(200):
        traced(images, labels)
    return 200


def loop_without():
    for _ in range(40):
        step(images, labels)
    return 40


figures = {}
for block in (fit, loop_with_function, loop_without):
    block()
    for _ in range(BLOCKS):
        wall, processor = time.perf_counter(), time.process_time()
        steps = block()
        spent = (time.perf_counter() - wall) / steps, (time.process_time() - processor) / steps
        figures.setdefault(block.__name__, []).append(spent)
print(json.dumps(figures))
"""
BLOCKS = 15
BOUND = 1.1
"""Time of a step with the timing probes over that without."""
Medians = Mapping[str, Mapping[str, float]]


def main() -> int:
    """Print what was asked for; status 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["itself", "overhead"])
    parser.add_argument("--script", type=Path, default=PROGRAM, help="what `itself` compares with itself")
    parser.add_argument("--runs", type=int, default=10, help="comparisons, or pairs of runs")
    arguments = parser.parse_args()
    return itself(arguments.script, arguments.runs) if arguments.what == "itself" else overhead(arguments.runs)


def itself(script: Path, runs: int) -> int:
    """Measure a script once, and `runs` times more against the first; status 1 when a difference is found."""
    options = Options(script.absolute(), display=script.name)
    report = measure(options, [Variant(str(number)) for number in range(runs + 1)])
    for variant in report.variants:
        memory, seconds = variant.memory, variant.step_seconds
        print(
            json.dumps(
                {
                    "variant": variant.label,
                    "megabytes": [round(value / 1e6, 1) for value in memory.peak.values] if memory else [],
                    "step_ms": [round(value * 1e3, 2) for value in seconds.values] if seconds else [],
                }
            )
        )
    different = [answer for answer in report.answers if answer.verdict is not Verdict.SAME]
    print(*(f"{answer.question} {answer.sentence}" for answer in different), sep="\n")
    print(f"{len(different)} of {len(report.answers)} answers tell a difference")
    return int(bool(different))


def overhead(runs: int) -> int:
    """Time of a step with the timing probes over that without, for each kind of loop; both sides in turn."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "train.py")
        script.write_text(f"BLOCKS = {BLOCKS}\n{HEAD}{BODY}")
        job = ChildJob(Options(script, steps=10**9), Variant("as is"), MEMORY, script.parent, script)
        pairs = [pair(job, is_probed_first=bool(number % 2)) for number in range(runs)]
    rows = [row(name, pairs) for name in pairs[0][0]]
    print(*map(json.dumps, rows), sep="\n")
    return int(any(found["wall"] > BOUND for found in rows))


def row(name: str, pairs: Sequence[tuple[Medians, Medians]]) -> dict[str, Any]:
    """What the pairs say of one kind of loop: medians of the ratios, and all of them."""
    wall, processor = (
        [probed[name][clock] / plain[name][clock] for probed, plain in pairs] for clock in ("wall", "processor")
    )
    return {
        "loop": name,
        "step_ms": round(statistics.median(plain[name]["wall"] for _, plain in pairs) * 1e3, 2),
        "wall": round(statistics.median(wall), 3),
        "processor": round(statistics.median(processor), 3),
        "wall_of_pairs": [round(ratio, 3) for ratio in wall],
    }


def pair(job: ChildJob, *, is_probed_first: bool) -> tuple[Medians, Medians]:
    """One run with probes and one without; which comes first changes, so that drift meets both."""
    if is_probed_first:
        return medians(run_child(job).output), medians(plain_run(job))
    plain = medians(plain_run(job))
    return medians(run_child(job).output), plain


def plain_run(job: ChildJob) -> str:
    """The script run by Python alone, under the same variables."""
    command = [sys.executable, str(job.script)]
    environment = {**os.environ, **job.environment(job.folder)}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def medians(output: str) -> Medians:
    """Median seconds of a step by kind of loop and by clock."""
    figures: dict[str, list[list[float]]] = json.loads(output.splitlines()[-1])
    return {
        name: dict(zip(("wall", "processor"), map(statistics.median, zip(*blocks, strict=True)), strict=True))
        for name, blocks in figures.items()
    }


if __name__ == "__main__":
    sys.exit(main())
