"""With a cache or without: the same report, byte for byte, whatever happens to the files of a project."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import mpfix
from mpfix.report import Report
from mpfix.reporters.json import json
from mpfix.reporters.text import text
from mpfix.settings import Settings

HEAD = "import keras\n\n\ndef head():\n    return keras.layers.Dense(2, activation='{activation}'{dtype})\n"
TRAIN = """\
import keras
from {package}model import head

keras.mixed_precision.set_global_policy("{policy}")
model = keras.Sequential([head()]){comment}
model.compile("adam", "categorical_crossentropy")
"""
LEGACY = "import tensorflow as tf\n\ntf.keras.mixed_precision.experimental.set_policy('mixed_float16')\n"
PINS = ("keras<3\n", "keras>=3\n", "numpy\n")
STEPS = 25


def model_text(chance: random.Random) -> str:
    dtype = chance.choice(("", ", dtype='float32'"))
    return HEAD.format(activation=chance.choice(("softmax", "relu")), dtype=dtype)


def train_text(chance: random.Random) -> str:
    return TRAIN.format(
        package=chance.choice(("", "lib.")),
        policy=chance.choice(("mixed_float16", "float32", "mixed_bfloat16")),
        comment=chance.choice(("", "  # noqa: MP301", "\n\n\nx = 1")),
    )


def other_text(chance: random.Random) -> str:
    return chance.choice((LEGACY, "def f(:\n", "x = 1\n", "import train\n", "import lib.model\n", "", "\ufeffx = 1\n"))


WRITERS: dict[str, Callable[[random.Random], str]] = {
    "model.py": model_text,
    "lib/model.py": model_text,
    "lib/__init__.py": lambda chance: "",
    "train.py": train_text,
    "again.py": train_text,
    "legacy.py": lambda chance: LEGACY,
    "other.py": other_text,
    "lib/other.py": other_text,
    "requirements.txt": lambda chance: chance.choice(PINS),
    "pyproject.toml": lambda chance: chance.choice(("", "[project]\nname = 'x'\n")),
}


def write(folder: Path, name: str, chance: random.Random) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(WRITERS[name](chance), encoding="utf-8")


def change(folder: Path, chance: random.Random) -> None:
    """Edit, add or delete a random file."""
    name = chance.choice([*sorted(WRITERS), "train.py", "model.py"])
    if (folder / name).exists() and chance.random() < 0.3:
        (folder / name).unlink()
    else:
        write(folder, name, chance)


def said(report: Report) -> tuple[str, str, Report]:
    """All that a report may come out as."""
    return json(report, version="1"), text(report), report


@pytest.mark.parametrize("seed", range(4))
def test_a_warm_run_says_what_a_cold_one_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = random.Random(seed)
    monkeypatch.chdir(tmp_path)
    for name in sorted(WRITERS):
        write(tmp_path, name, chance)
    settings = Settings(root=tmp_path, cache_dir=str(tmp_path.with_name(f"cache-{seed}")))

    found = 0
    for _ in range(STEPS):
        change(tmp_path, chance)
        with_fixes, context = chance.random() < 0.8, chance.random() < 0.8
        # a file whose findings others decide on is asked for at every step
        for paths in (["model.py"], chance.choice((["."], ["train.py", "."], ["lib", "other.py"]))):
            warm = mpfix.check(paths, settings, with_fixes=with_fixes, context=context, cache=True)
            cold = mpfix.check(paths, settings, with_fixes=with_fixes, context=context)
            assert said(warm) == said(cold)
            found += len(cold.diagnostics)

    assert found


@pytest.mark.parametrize("seed", range(2))
def test_apply_writes_the_same_with_a_warm_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = random.Random(100 + seed)
    project = tmp_path / "project"
    project.mkdir()
    for name in sorted(WRITERS):
        write(project, name, chance)
    settings = Settings(root=project, cache_dir=str(tmp_path / "cache"))
    monkeypatch.chdir(project)

    def applied(*, cache: bool) -> tuple[object, dict[str, bytes]]:
        report = mpfix.apply(["."], settings, cache=cache)
        return said(report), {str(path.relative_to(project)): path.read_bytes() for path in project.rglob("*.py")}

    for _ in range(4):
        change(project, chance)
        mpfix.check(["."], settings, cache=True)
        shutil.copytree(project, tmp_path / "kept")
        cold = applied(cache=False)
        shutil.rmtree(project)
        shutil.copytree(tmp_path / "kept", project)
        shutil.rmtree(tmp_path / "kept")
        monkeypatch.chdir(project)
        assert applied(cache=True) == cold
        assert applied(cache=True) == applied(cache=False)
