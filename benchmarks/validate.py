"""Measures how sound `mpfix validate` is and what its timing probes cost; see README.md."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
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
data = tf.data.Dataset.from_tensors((x, y)).repeat(100)
traced = tf.function(step)
images, labels = tf.constant(x), tf.constant(y)


def fit():
    model.fit(data, verbose=0)
    return 100


def loop_with_function():
    for _ in range(50):
        traced(images, labels)
    return 50


def loop_without():
    for _ in range(10):
        step(images, labels)
    return 10


probes = [
    (owner, name, value)
    for subject in (model, adam, traced, tf.GradientTape())
    for owner in type(subject).__mro__
    for name, value in list(vars(owner).items())
    if getattr(value, "mpfix_wraps", False)
]


def timed(block, has_probes):
    for owner, name, value in probes:
        setattr(owner, name, value if has_probes else value.__wrapped__)
    wall, processor = time.perf_counter(), time.process_time()
    steps = block()
    return (time.perf_counter() - wall) / steps, (time.process_time() - processor) / steps


assert probes
for block in (fit, loop_with_function, loop_without):
    block()
    pairs = []
    for number in range(PAIRS):
        order = (True, False) if number % 2 else (False, True)
        found = {has_probes: timed(block, has_probes) for has_probes in order}
        pairs.append([found[True], found[False]])
    print(json.dumps([block.__name__, pairs]))
"""
BOUND = 1.1
"""Time of a step with the timing probes over that without."""


def main() -> int:
    """Print what was asked for; status 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["itself", "overhead"])
    parser.add_argument("--script", type=Path, default=PROGRAM, help="what `itself` compares with itself")
    parser.add_argument("--runs", type=int, default=10, help="comparisons, or a quarter of the pairs of blocks")
    arguments = parser.parse_args()
    return itself(arguments.script, arguments.runs) if arguments.what == "itself" else overhead(4 * arguments.runs)


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
    for answer in different:
        print(answer.question, answer.sentence)
    print(f"{len(different)} of {len(report.answers)} answers tell a difference")
    return int(bool(different))


def overhead(pairs: int) -> int:
    """Time of a step with the timing probes over that without, in one process that takes them off and puts them on."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "train.py")
        script.write_text(f"PAIRS = {pairs}\n{HEAD}{BODY}")
        job = ChildJob(Options(script, steps=10**9, timeout=3600), Variant("as is"), MEMORY, script.parent, script)
        lines = run_child(job).output.splitlines()
    rows = [row(*json.loads(line)) for line in lines if line.startswith("[")]
    print(*map(json.dumps, rows), sep="\n")
    return int(len(rows) != 3 or any(found["wall"] > BOUND for found in rows))


def row(loop: str, pairs: Sequence[Sequence[tuple[float, float]]]) -> dict[str, Any]:
    """What the pairs of blocks say: median time of a step, and median of the ratios by clock and by processor."""
    wall, processor = ([probed[i] / plain[i] for probed, plain in pairs] for i in (0, 1))
    quarter = statistics.quantiles(wall, n=4)
    return {
        "loop": loop,
        "pairs": len(pairs),
        "step_ms": round(statistics.median(plain[0] for _, plain in pairs) * 1e3, 2),
        "wall": round(statistics.median(wall), 3),
        "wall_quartiles": [round(quarter[0], 3), round(quarter[2], 3)],
        "processor": round(statistics.median(processor), 3),
    }


if __name__ == "__main__":
    sys.exit(main())
