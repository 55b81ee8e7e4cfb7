"""`mpfix check --show-dtypes`: each layer, what it computes in, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
Project = Callable[[Mapping[str, str | bytes]], Path]

TRAIN = """\
import argparse
import keras
from heads import head

args = argparse.ArgumentParser().parse_args()
early = keras.layers.Dense(3)
if args.amp:
    keras.mixed_precision.set_global_policy("mixed_float16")


class Own(keras.layers.Layer):
    def __init__(self):
        super().__init__(dtype="float32")


model = keras.Sequential([keras.layers.Dense(8, name="a"), head(), keras.layers.Dense(2, dtype="bfloat16"), Own()])
unknown = keras.layers.Dense(1, dtype=args.dtype)
keras.backend.clear_session()
last = keras.layers.Dense(1)
"""
HEADS = "import keras\n\n\ndef head():\n    return keras.layers.Dense(2)\n"


@pytest.fixture
def written(project: Project) -> Path:
    return project({"train.py": TRAIN, "heads.py": HEADS, "pyproject.toml": ""})


def rows(mpfix: Command, *arguments: str) -> list[tuple[Any, ...]]:
    result = mpfix("check", "--show-dtypes", "--output-format", "json", *arguments)
    assert (result.status, result.err) == (0, "")
    return [
        (row["location"]["row"], row["layer"], row["dtype"], row["reason"], row["guard"])
        for row in json.loads(result.out)["layers"]
    ]


def test_each_layer_has_its_dtype_and_the_reason(mpfix: Command, written: Path) -> None:
    assert rows(mpfix, "--keras", "3", "train.py") == [
        (6, "Dense", "float32", "no policy is set before it", None),
        (16, "Dense", "float16", "the policy is set", "`args.amp`"),
        (16, "Dense", "float32", "no policy is set before it", "not `args.amp`"),
        (16, "Dense", "bfloat16", "its own `dtype`", None),
        (16, "Own", "float32", "its own `dtype`", None),
        (17, "Dense", None, "its policy is not known", None),
        (19, "Dense", "float32", "the session is cleared, and the policy with it", None),
    ]


def test_the_policy_of_another_file_counts_and_is_named(mpfix: Command, written: Path) -> None:
    result = mpfix("check", "--show-dtypes", "--keras", "3", "heads.py")

    assert result.status == 0
    assert result.out.splitlines() == [
        "heads.py (Keras 3)",
        "  5:12  Dense  float16  the policy is set at train.py:8:5 (mixed_float16), when `args.amp`",
        "  5:12  Dense  float32  no policy is set before it, when not `args.amp`",
        "",
        "2 layers: 1 float16, 1 float32.",
    ]


def test_an_assumed_policy_is_told_as_such(mpfix: Command, written: Path) -> None:
    found = rows(mpfix, "--keras", "2", "--no-context", "--assume-policy", "mixed_bfloat16", "heads.py")

    assert found == [(5, "Dense", "bfloat16", "`--assume-policy` says so", None)]


def test_both_generations_are_told(mpfix: Command, written: Path) -> None:
    result = mpfix("check", "--show-dtypes", "--keras", "2+3", "--output-format", "concise", "train.py")

    last = [line for line in result.out.splitlines() if line.startswith("train.py:19:")]
    assert last == [
        "train.py:19:8: Dense float16 on Keras 2: the policy is set at train.py:8:5 (mixed_float16), when `args.amp`",
        "train.py:19:8: Dense float32 on Keras 2: no policy is set before it, when not `args.amp`",
        "train.py:19:8: Dense float32 on Keras 3: the session is cleared, and the policy with it at train.py:18:1",
    ]


def test_layers_of_a_notebook_are_named_by_cell(mpfix: Command, tmp_path: Path) -> None:
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for source in ("import keras\n", "layer = keras.layers.Dense(1)\n")
    ]
    (tmp_path / "x.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))

    result = mpfix("check", "--show-dtypes", "--output-format", "concise", "--keras", "3", "x.ipynb")

    assert result.out == "x.ipynb:cell 2:1:9: Dense float32 on Keras 3: no policy is set before it\n"


def test_what_cannot_be_parsed_is_an_error_and_the_rest_is_told(mpfix: Command, written: Path) -> None:
    (written / "broken.py").write_text("import keras\ndef f(:\n")
    (written / "plain.py").write_text("x = 1\n")

    result = mpfix("check", "--show-dtypes", "--keras", "3", ".")

    assert result.status == 2
    assert result.err.startswith("broken.py: does not parse: ")
    assert "heads.py (Keras 3)" in result.out


def test_a_file_without_layers_says_so(mpfix: Command, clean: Path) -> None:
    clean.write_text("import keras\n")

    assert mpfix("check", "--show-dtypes", "--keras", "3", clean.name).out == "No layers.\n"
