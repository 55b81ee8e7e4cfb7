"""The command line in this process, and files for it to work on."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpfix.cli.app import run

FLAWED = """\
import tensorflow as tf

tf.keras.mixed_precision.experimental.set_policy("mixed_float16")
"""
REPAIRED = FLAWED.replace("experimental.set_policy", "set_global_policy")
CLEAN = "import keras\n\nmodel = keras.Sequential([keras.layers.Dense(1)])\n"


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def mpfix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `mpfix` in a folder of its own, without a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def command(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        status = run(arguments)
        captured = capsys.readouterr()
        return Result(int(status), captured.out, captured.err)

    return command


@pytest.fixture
def flawed(tmp_path: Path) -> Path:
    """A file with one finding that has a safe fix."""
    path = tmp_path / "train.py"
    path.write_bytes(FLAWED.encode())
    return path


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """A file without findings."""
    path = tmp_path / "clean.py"
    path.write_bytes(CLEAN.encode())
    return path
