"""Which Keras generation a program is written for, and why."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpfix.frameworks.generation import Generation, decide_generation
from mpfix.frameworks.keys import public_names
from mpfix.frameworks.pins import find_pin
from mpfix.semantic.names import NamesResult, resolve_names
from mpfix.semantic.syntax import Module
from mpfix.source.document import document_from_bytes


@dataclass(frozen=True)
class Part:
    module: Module
    names: NamesResult


def decide(source: str, folder: Path | None = None) -> Generation:
    tree = ast.parse(source)
    module = Module("train", document_from_bytes(source.encode(), Path("train.py"), "train.py"), tree)
    return decide_generation([Part(module, resolve_names(tree, public_names))], folder)


@pytest.mark.parametrize(
    ("source", "value", "reason"),
    [
        ("import os\nos.environ['TF_USE_LEGACY_KERAS'] = '1'\nimport keras\n", 2, "set to '1' in train.py line 2"),
        ("import os\nos.environ.setdefault('TF_USE_LEGACY_KERAS', '0')\n", 3, "set to '0' in train.py line 2"),
        ("import os\nos.environ.update({'A': 'b', 'TF_USE_LEGACY_KERAS': 'true'})\n", 2, "line 2"),
        ("import tf_keras as keras\n", 2, "`tf_keras` is used in train.py line 1"),
        ("import keras\nkeras.ops.mean(x)\n", 3, "`keras.ops.mean` in train.py line 2 exists in Keras 3 only"),
        ("import keras\nkeras.layers.Dense(1)\n", 3, "the default"),
    ],
)
def test_code_decides_first(source: str, value: int, reason: str) -> None:
    decided = decide(source)

    assert decided.value == value
    assert reason in decided.reason
    assert decided.defaulted == (decided.reason == "the default")


def test_the_default_names_the_first_call_of_keras_2() -> None:
    source = "import keras\nopt = keras.optimizers.SGD()\nopt.get_scaled_loss(1)\nkeras.optimizers.legacy.SGD()\n"

    assert decide(source).first_k2_call == "`get_scaled_loss` in train.py line 3"
    assert decide("import keras\nkeras.optimizers.legacy.SGD()\n").first_k2_call is not None
    assert decide("import keras\n").first_k2_call is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("requirements.txt", "numpy\ntensorflow<2.16  # old\n", 2),
        ("requirements.txt", "tensorflow[and-cuda]>=2.16; python_version > '3.9'\n", 3),
        ("requirements-gpu.txt", "tensorflow-gpu==2.4.1\n", 2),
        ("requirements.txt", "tensorflow>=2.4\nkeras<3\n", 2),
        ("requirements.txt", "keras>=3\n", 3),
        ("requirements.txt", "tensorflow~=2.15.0\n", 2),
        ("requirements.txt", "tensorflow~=2.15\n", None),
        ("requirements.txt", "tensorflow==2.*\n", None),
        ("requirements.txt", "tensorflow==2\n", 2),
        ("requirements.txt", "tensorflow\n", None),
        ("requirements.txt", "tf-nightly\ntensorflow-datasets<2.16\n", None),
        ("pyproject.toml", '[project]\ndependencies = ["tensorflow>=2.9,<=2.15"]\n', 2),
        ("pyproject.toml", '[project.optional-dependencies]\ntrain = ["keras>=3.3"]\n', 3),
        ("pyproject.toml", '[tool.poetry.dependencies]\nkeras = "^2.11"\n', 2),
        ("pyproject.toml", '[tool.poetry.dependencies]\ntensorflow = {version = "~2.15", extras = ["x"]}\n', 2),
        ("pyproject.toml", '[dependency-groups]\ndev = ["keras==3.0.2"]\n', 3),
        ("pyproject.toml", "keras = [broken", None),
        ("setup.cfg", "[options]\ninstall_requires =\n    tensorflow < 2.12\n", 2),
        ("setup.cfg", "[options]\ninstall_requires = tensorflow>=2.17\n", 3),
        ("environment.yml", "dependencies:\n  - python=3.9\n  - conda-forge::tensorflow-gpu=2.4.1=py39\n", 2),
        ("environment.yml", "dependencies:\n  - pip:\n    - 'tensorflow==2.18'\n", 3),
        ("uv.lock", '[[package]]\nname = "keras"\nversion = "3.5.0"\n', 3),
        ("poetry.lock", '[[package]]\nname = "tensorflow"\nversion = "2.11.0"\n', 2),
    ],
)
def test_pins_decide_where_they_allow_one_generation(tmp_path: Path, name: str, text: str, value: int | None) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    pin = find_pin(tmp_path)

    assert (pin and pin.generation) == value


def test_the_nearest_pin_wins_up_to_the_root_of_the_project(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "package"
    inner.mkdir(parents=True)
    (tmp_path / "requirements.txt").write_text("keras>=3\n")
    (tmp_path / "project" / "setup.py").write_text("")

    assert find_pin(inner) is None
    (tmp_path / "project" / "requirements.txt").write_text("keras<3\n")
    assert decide("import keras\n", inner).reason == "`keras<3` in requirements.txt"
    (inner / "requirements.txt").write_text("keras==3.1.0\n")
    assert decide("import keras\n", inner).release == (3, 1, 0)
