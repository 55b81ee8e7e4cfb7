"""Measures what whole projects cost: processor time a line, how it grows, memory, and bounds that were hit."""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

from mpfix.cli.app import main as mpfix_main
from mpfix.engine import run_units
from mpfix.engine.analysis import Analysis, Job, analyse_unit
from mpfix.engine.components import Unit
from mpfix.semantic import roots
from mpfix.semantic.root_traces import RootTrace, trace_of
from mpfix.semantic.run import Run

SIZES = (250, 500, 1000, 2000)
GROWTH = 2.2
"""How much more time twice the files may take."""

MODULES = 8
"""Modules of a generated subpackage."""

LAYER = """\
import tensorflow as tf

from project.common import activation, scaled


class Block{number}(tf.keras.layers.Layer):
    def __init__(self, filters, use_norm=True, **kwargs):
        super().__init__(**kwargs)
        self.conv = tf.keras.layers.Conv2D(filters, 3, padding="same")
        self.norm = tf.keras.layers.BatchNormalization() if use_norm else None
        self.act = activation("relu")

    def call(self, inputs, training=False):
        x = self.conv(inputs)
        if self.norm is not None:
            x = self.norm(x, training=training)
        return self.act(scaled(x, {number}))


def build_{number}(classes, depth=3):
    inputs = tf.keras.Input((32, 32, 3))
    x = inputs
    for index in range(depth):
        x = Block{number}(16 * (index + 1))(x)
    x = tf.keras.layers.GlobalAveragePooling2D()(x)
    return tf.keras.Model(inputs, tf.keras.layers.Dense(classes, activation="softmax", dtype="float32")(x))
"""
COMMON = """\
import tensorflow as tf


def activation(name):
    return tf.keras.layers.Activation(name)


def scaled(x, number):
    return x * (1.0 + number)


class Trainer:
    def __init__(self, model, optimizer, mixed=False):
        self.model, self.optimizer, self.mixed = model, optimizer, mixed

    def step(self, x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(y, self.model(x, training=True)))
            scaled_loss = self.optimizer.get_scaled_loss(loss) if self.mixed else loss
        grads = tape.gradient(scaled_loss, self.model.trainable_variables)
        if self.mixed:
            grads = self.optimizer.get_unscaled_gradients(grads)
        self.optimizer.apply_gradients(zip(grads, self.model.trainable_variables))
        return loss
"""
SCRIPT = """\
import argparse

import tensorflow as tf

from project.common import Trainer
from project.part{part} import build_{number}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--amp", action="store_true")
    args = parser.parse_args()
    if args.amp:
        tf.keras.mixed_precision.set_global_policy("mixed_float16")
    optimizer = tf.keras.optimizers.Adam()
    if args.amp:
        optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    trainer = Trainer(build_{number}(10), optimizer, mixed=args.amp)
    for x, y in tf.data.Dataset.range(100):
        trainer.step(x, y)


if __name__ == "__main__":
    main()
"""
TEST = """\
import numpy as np
import project
from project.part{part}.block{number} import Block{number}, build_{number}


def test_shape():
    assert Block{number}(4)(np.zeros((1, 8, 8, 3))).shape == (1, 8, 8, 4)


def test_build():
    assert build_{number}(7).output_shape == (None, 7)
"""


@dataclass
class Cost:
    """What one run of `mpfix check` over a folder took."""

    files: int = 0
    lines: int = 0
    executed: int = 0
    """Lines of the bodies that ran, counted once for each root that runs them."""
    seconds: float = 0.0
    """Processor time."""
    slowest: float = 0.0
    """Processor time of the slowest component."""
    slowest_name: str = ""
    roots: int = 0
    hit: int = 0
    """Roots that some bound cut, other than the one on recursion alone."""
    recursive: int = 0
    """Roots that only the bound on recursion cut."""
    last: int = 0
    """Last passes, which run what no root reached, that some bound cut."""
    bounds: dict[str, int] = field(default_factory=dict)
    megabytes: int = 0
    """Peak of the process's memory."""

    @property
    def line(self) -> str:
        """The figures as a row of the table."""
        per_line = self.seconds / max(self.executed, 1) * 1e6
        cells = (
            self.files, self.lines, self.executed, f"{self.seconds:.1f}", f"{per_line:.0f}", f"{self.slowest:.1f}",
            self.megabytes, self.roots, self.hit, self.recursive, self.last,
        )  # fmt: skip
        return "| " + " | ".join(map(str, cells)) + " |"


COLUMNS = (
    "project", "files", "lines", "executed lines", "CPU s", "us / executed line", "slowest component s", "peak MB",
    "roots", "cut", "recursion only", "last passes cut",
)  # fmt: skip


def main() -> int:
    """Print a row for each project; status 1 when time grows faster than the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="folders, each checked as one project")
    parser.add_argument("--generated", nargs="*", type=int, metavar="FILES", help=f"sizes; {SIZES} when none is named")
    parser.add_argument("--keras", default="2")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(asdict(measured(options.one, options.keras))))
        return 0
    print("|", " | ".join(COLUMNS), "|")
    print("|", " | ".join("---" for _ in COLUMNS), "|", flush=True)
    for path in options.paths:
        print(f"| {path.name} {_apart(path, options.keras).line}", flush=True)
    if options.generated is None:
        return 0
    costs = [_generated(size, options.keras) for size in options.generated or SIZES]
    growths = [(later.seconds / before.seconds) / (later.files / before.files) for before, later in pairwise(costs)]
    print("growth for twice the files:", ", ".join(f"{2 * growth:.2f}" for growth in growths), f"(at most {GROWTH})")
    return int(any(2 * growth > GROWTH for growth in growths))


def _generated(size: int, keras: str) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), size)
        cost = _apart(Path(folder), keras)
    print(f"| generated {cost.line}", flush=True)
    return cost


def _apart(folder: Path, keras: str) -> Cost:
    """Measure in a process of its own, so that its peak of memory is its own."""
    command = [sys.executable, __file__, "--one", str(folder), "--keras", keras]
    return Cost(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def measured(folder: Path, keras: str) -> Cost:
    """Run `mpfix check` over a folder in this process and count."""
    cost = Cost()
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.rglob("*.py"))]
    cost.files, cost.lines = len(texts), sum(text.count("\n") for text in texts)

    counting = 0.0
    passes: list[Run] = []
    unpatched = roots._last_pass

    def last_pass(run: Run, *rest: Any) -> None:
        passes.append(run)
        unpatched(run, *rest)

    def traced(run: Run) -> RootTrace:
        nonlocal counting
        trace = trace_of(run)
        begun = time.process_time()
        cost.executed += _executed(trace)
        counting += time.process_time() - begun
        bounds = {bound for bound, _ in trace.cuts}
        if passes:
            passes.clear()
            cost.last += bool(bounds)
        else:
            cost.roots += 1
            cost.hit += bool(bounds - {"recursion"})
            cost.recursive += bounds == {"recursion"}
        cost.bounds = dict(Counter(cost.bounds) + Counter(bounds))
        return trace

    def analysed(unit: Unit, job: Job) -> Analysis:
        begun, before = time.process_time(), counting
        found = analyse_unit(unit, job)
        spent = time.process_time() - begun - (counting - before)
        if spent > cost.slowest:
            cost.slowest, cost.slowest_name = spent, unit.documents[0].display
        return found

    begun = time.process_time()
    arguments = ["check", "--isolated", "--no-cache", "-j", "1", "-q", "--keras", keras, "--exit-zero", str(folder)]
    with (
        mock.patch.object(roots, "trace_of", traced),
        mock.patch.object(roots, "_last_pass", last_pass),
        mock.patch.object(run_units, "analyse_unit", analysed),
        mock.patch.object(sys, "argv", ["mpfix", *arguments]),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        mpfix_main()
    cost.seconds = time.process_time() - begun - counting
    cost.megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return cost


def _executed(trace: RootTrace) -> int:
    """Lines of the modules and functions whose bodies ran; a function's lines are not its module's."""
    bodies = [module.tree for module in trace.executed]
    return sum(_own_lines(body) for body in (*bodies, *trace.called))


@cache
def _own_lines(body: ast.AST) -> int:
    lines, waiting = set[int](), list(ast.iter_child_nodes(body))
    while waiting:
        node = waiting.pop()
        if hasattr(node, "lineno"):
            lines.add(node.lineno)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)
    return len(lines)


def generate(folder: Path, files: int) -> None:
    """A project: a package of subpackages that export their modules, a script and a test for every fourth module."""
    parts = max(files * 2 // 3 // (MODULES + 1), 1)
    texts = {"pyproject.toml": "", "project/common.py": COMMON}
    texts["project/__init__.py"] = "".join(f"from project import part{part}\n" for part in range(parts))
    numbers = [(part, part * MODULES + index) for part in range(parts) for index in range(MODULES)]
    for part in range(parts):
        names = [number for home, number in numbers if home == part]
        exports = "".join(
            f"from project.part{part}.block{number} import Block{number}, build_{number}\n" for number in names
        )
        texts[f"project/part{part}/__init__.py"] = exports
    for part, number in numbers:
        texts[f"project/part{part}/block{number}.py"] = LAYER.format(number=number)
    for index, (part, number) in enumerate(numbers):
        if len(texts) > files:
            break
        kind, text = (("scripts/train", SCRIPT), ("tests/test_block", TEST))[index % 2]
        texts[f"{kind}{number}.py"] = text.format(part=part, number=number)
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
