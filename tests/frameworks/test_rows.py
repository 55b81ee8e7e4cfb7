"""Every row of the tables of library models, against what Keras 2 and Keras 3 really do.

The examples of the rows are run in one child a generation, under float32 and mixed_float16, and interpreted as one
program each: dtype, class, activation and constants must be the same.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mpfix.frameworks.events import Cast
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.rows import role_of, row_of
from mpfix.frameworks.tables import examples_of, load_table
from mpfix.semantic.values import NONE, Constant, Object, Record, Sequence, Unknown, Value

WORKER = Path(__file__).with_name("worker.py")
GENERATIONS = (2, 3)
POLICIES = ("float32", "mixed_float16")
SETUP = """
import os
import sys
import typing
import numpy
import tensorflow
from tensorflow import keras

os.environ["CHOSEN"] = "0"
keras.mixed_precision.set_global_policy(POLICY)
half = keras.mixed_precision.global_policy().compute_dtype
x = tensorflow.cast([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], half)
y = tensorflow.cast([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]], half)
sequence = tensorflow.ones([2, 3, 4], half)
images = tensorflow.ones([1, 8, 8, 3], half)
vector = tensorflow.ones([4], half)
single = tensorflow.ones([2, 4])
ids = tensorflow.cast([0, 1], "int32")
mask = single > 0.5
"""
ACTIVATIONS = {"swish": "silu", "softmax_v2": "softmax", "NoneType": "linear"}
QUESTIONS = (
    'hasattr(keras, "ops")',
    'hasattr(keras, "random")',
    'hasattr(keras.mixed_precision, "LossScaleOptimizer")',
    'hasattr(keras.mixed_precision, "set_global_policy")',
    'hasattr(keras.optimizers, "legacy")',
    'hasattr(keras.optimizers, "LossScaleOptimizer")',
    'hasattr(keras.layers, "Dense")',
    'hasattr(keras.layers, "LocallyConnected1D")',
    'hasattr(keras.backend, "learning_phase")',
    'hasattr(keras.utils, "clear_session")',
    "keras.__version__[0]",
    'int(keras.__version__.split(".")[0]) >= 3',
    'keras.__version__.startswith("3.")',
    'keras.__version__ < "3"',
    'keras.__version__ >= "2.4"',
    'tensorflow.__version__.split(".")[0]',
    'tensorflow.__version__ > "2"',
    "int(tensorflow.version.VERSION[0])",
    "sys.version_info >= (3, 8)",
    "sys.version_info[0]",
    "sys.version_info.major == 2",
    "typing.TYPE_CHECKING",
    "keras.backend.backend()",
    'os.environ["CHOSEN"]',
    'os.environ.get("CHOSEN", "1")',
    'os.environ.setdefault("CHOSEN", "1")',
)
"""Expressions whose value the generation, or the program itself, decides."""


@dataclass(frozen=True)
class Example:
    """One line of a row."""

    text: str
    key: str
    row: dict[str, Any]
    counter: bool = False
    """The row must not be taken for it: a line of `not`."""

    @property
    def runs(self) -> bool:
        """Whether it is more than a name."""
        return "(" in self.text


@cache
def examples() -> tuple[Example, ...]:
    """The examples of both tables, in order."""
    found: list[Example] = []
    for table in ("functions", "classes"):
        for row in load_table(table)["row"]:
            found += [Example(text, key, row) for key, text in examples_of(row.get("example", ""))]
            found += [Example(text, key, row, True) for key, text in examples_of(row.get("not", ""))]
    return tuple(found)


RUNNING = (
    *(one for one in examples() if one.runs),
    *(Example(text, text, {"makes": "constant"}) for text in QUESTIONS),
)


@pytest.fixture(scope="session")
def built() -> Callable[[int, str], list[dict[str, Any]]]:
    """What the real library gives for each of `RUNNING`, by generation and policy."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")

    @cache
    def build(generation: int) -> dict[str, list[dict[str, Any]]]:
        request = {"policies": POLICIES, "setup": SETUP, "examples": [one.text for one in RUNNING]}
        run = subprocess.run(
            [sys.executable, str(WORKER), str(generation)],
            input=json.dumps(request), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr[-2000:]
        answers: dict[str, list[dict[str, Any]]] = json.loads(run.stdout)
        return answers

    return lambda generation, policy: build(generation)[policy]


@pytest.fixture(scope="session")
def modelled() -> Callable[[int, str], list[Value]]:
    """What the interpreter gives for each of `RUNNING`."""
    from mpfix.frameworks import interpret
    from mpfix.semantic.budget import Limits
    from mpfix.semantic.syntax import parse_module
    from mpfix.source.document import document_from_bytes

    @cache
    def model(generation: int, policy: str) -> list[Value]:
        lines = [*SETUP.replace("POLICY", repr(policy)).splitlines()]
        first = len(lines) + 1
        lines += [f"tensorflow.cast({one.text}, 'complex128')" for one in RUNNING]
        document = document_from_bytes("\n".join(lines).encode(), Path("rows.py"), "rows.py")
        program = interpret((parse_module(document),), generation=generation, limits=Limits())
        found: dict[int, Value] = {}
        for one in program.happened(Cast):
            if isinstance(one.event, Cast) and one.event.dtype == Constant("complex128"):
                found[one.place.line] = one.event.operand
        return [found[first + index] for index in range(len(RUNNING))]

    return model


def _cases() -> Iterator[Any]:
    for generation in GENERATIONS:
        for policy in POLICIES:
            # With `-n 2 --dist loadgroup` each generation is started once.
            group = pytest.mark.xdist_group(f"rows{generation}")
            yield pytest.param(generation, policy, id=f"Keras {generation}, {policy}", marks=group)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("generation", "policy"), tuple(_cases()))
def test_rows_say_what_the_library_does(generation: int, policy: str, built: Any, modelled: Any) -> None:
    wrong = []
    for one, real, model in zip(RUNNING, built(generation, policy), modelled(generation, policy), strict=True):
        if _is_missing(real):
            continue
        found = difference(one, real, model)
        if found:
            wrong.append(f"{one.text}: {found}")

    assert not wrong, "\n".join(wrong)


def _is_missing(real: dict[str, Any]) -> bool:
    return str(real.get("error", "")).startswith("AttributeError: module ")


@pytest.mark.tensorflow
@pytest.mark.xdist_group("rows3")
def test_each_example_exists_in_some_generation(built: Any) -> None:
    answers = {generation: built(generation, "float32") for generation in GENERATIONS}

    assert not [
        one.text for index, one in enumerate(RUNNING) if all(_is_missing(answers[g][index]) for g in GENERATIONS)
    ]


def difference(example: Example, real: dict[str, Any], model: Value) -> str | None:
    """What the model gets wrong about an example, for people; None for nothing."""
    if "error" in real:
        return str(real["error"])
    if example.counter:
        return _taken_wrongly(example, real, model)
    if "base" in example.row and "made" not in real:
        return _wrong_object(example, real, model)
    makes = example.row.get("makes", "constant")
    if makes == "constant":
        return None if model == Constant(real.get("constant")) else f"{real.get('constant')}, modelled as {model}"
    if makes in ("tensor", "tensors", "layer"):
        return _wrong_tensor(real, model)
    if makes == "none":
        return None if model == NONE and real["class"] == "NoneType" else f"{real['class']}, modelled as {model}"
    if makes == "plain":
        return None if isinstance(model, Unknown) else f"modelled as {model}"
    return None


def _wrong_tensor(real: dict[str, Any], model: Value) -> str | None:
    dtype = real.get("dtype") or real.get("dtypes", [None])[0]
    tensor = model.items[0] if isinstance(model, Sequence) and model.items else model
    claimed = tensor.get("dtype") if isinstance(tensor, Record) else None
    if claimed != Constant(dtype) and not (isinstance(claimed, Unknown) and dtype.startswith("int")):
        return f"{dtype}, modelled as {claimed}"
    made = real.get("made")
    if made is not None and isinstance(tensor, Record) and "->" not in made["class"]:
        return _wrong_layer(made, tensor)
    return None


def _wrong_layer(made: dict[str, Any], tensor: Record) -> str | None:
    layer = tensor.get("layer")
    if isinstance(layer, Object) and layer.key.rpartition(".")[2] != made["class"] != "TimeDistributed":
        return f"{made['class']}, modelled as {layer.key}"
    activation = tensor.get("activation")
    real = ACTIVATIONS.get(made["activation"], made["activation"])
    if isinstance(activation, Constant) and activation != NONE and real not in ("linear", activation.value):
        return f"activation {real}, modelled as {activation}"
    if activation == NONE and real in ("softmax", "sigmoid"):
        return f"activation {real} is not modelled"
    return None


def _wrong_object(example: Example, real: dict[str, Any], model: Value) -> str | None:
    if not any(base.startswith(example.row["base"]) for base in real["bases"]):
        return f"no {example.row['base']}: {real['bases']}"
    kind = model.kind if isinstance(model, Object) else None
    return None if kind == example.row["makes"] else f"modelled as {model}"


def _taken_wrongly(example: Example, real: dict[str, Any], model: Value) -> str | None:
    if "below" in example.row:
        return "has the role of the row" if isinstance(model, Object) else None
    claimed = model.get("dtype") if isinstance(model, Record) else None
    is_right = isinstance(claimed, Unknown) or claimed == Constant(real.get("dtype"))
    return None if claimed is None or is_right else f"{real.get('dtype')}, modelled as {claimed}"


# -- the tables themselves


def test_names_are_canonical_and_stand_in_one_row() -> None:
    owners: dict[str, int] = {}
    for one in examples():
        assert canonical(one.key).name == one.key
        if not one.counter and "below" not in one.row:
            assert owners.setdefault(one.key, id(one.row)) == id(one.row), one.key
            assert row_of(one.key) is not None


def test_rows_of_tensors_say_their_dtype() -> None:
    for row in load_table("functions")["row"]:
        assert {"makes", "gives"} & row.keys()
        assert row.get("makes") not in ("tensor", "tensors") or {"passes", "dtype"} <= row.keys()
        assert set(row.get("args", "").split()) >= {"dtype"} or "dtype" not in row.get("dtype", "").split()


def test_names_of_tensorflow_1_count_as_those_of_today() -> None:
    assert row_of("tensorflow.compat.v1.reshape") == row_of("tensorflow.reshape")
    assert row_of("tensorflow.compat.v1.made_up") is None


def test_roles_need_the_suffix_of_their_namespace() -> None:
    assert role_of("tensorflow.train.AdamOptimizer") == "optimizer"
    assert role_of("tensorflow.train.Checkpoint") is None
    assert role_of("tensorflow.distribute.ReduceOp") is None
    assert role_of("keras.layers.add") is None
