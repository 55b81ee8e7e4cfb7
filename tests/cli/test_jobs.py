"""Several processes: the same bytes for any number of them, and clear ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HALF = """\
import keras
{extra}
keras.mixed_precision.set_global_policy("mixed_float16")
model = keras.Sequential([keras.layers.Dense({width}, activation="softmax")])
model.compile("adam", "categorical_crossentropy")
"""
BROKEN = "def f(:\n"
LEGACY = 'import tensorflow as tf\n\ntf.keras.mixed_precision.experimental.set_policy("mixed_float16")  # noqa: MP301\n'
MODEL = "import keras\n\n\ndef build():\n    return keras.layers.Dense(3, activation='softmax')\n"


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A project with components of one and of two files, findings, suppressions, errors and what nobody cares for."""
    for number in range(6):
        (tmp_path / f"train_{number}.py").write_text(HALF.format(extra="", width=number + 1))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "model.py").write_text(MODEL)
    (tmp_path / "uses.py").write_text(HALF.format(extra="from lib.model import build\nhead = build()", width=9))
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "legacy.py").write_text(LEGACY)
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00bad")
    (tmp_path / "plain.py").write_text("x = 1\n")
    return tmp_path


def command(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """How `mpfix` ends in a process of its own."""
    line = [sys.executable, "-m", "mpfix", *arguments]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("output_format", ["text", "concise", "json"])
def test_the_number_of_processes_and_the_order_of_paths_change_no_byte(many: Path, output_format: str) -> None:
    names = sorted(path.relative_to(many).as_posix() for path in many.rglob("*.py"))
    shuffled = random.Random(output_format).sample(names, len(names))
    options = ("check", "-v", "--no-cache", "--output-format", output_format)

    one = command(many, *options, "-j", "1", *names)
    four = command(many, *options, "-j", "4", *names)
    mixed = command(many, *options, "--jobs", "3", *shuffled)

    assert one == four == mixed
    assert one[0] == 2
    assert "MP301" in one[1]


def test_the_order_of_paths_does_not_decide_on_the_settings_file(mpfix: object, tmp_path: Path) -> None:
    for name, settings in (("a", 'ignore = ["MP801"]\n'), ("b", 'keras = "2"\n')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mpfix.toml").write_text(settings)
        (tmp_path / name / "train.py").write_text(LEGACY)

    one = mpfix("check", "-v", "a", "b")  # type: ignore[operator]
    other = mpfix("check", "-v", "b", "a/train.py", "a")  # type: ignore[operator]

    assert one == other
    assert "a/train.py:3:" in one.out
    assert "MP801" not in mpfix("check", "a/train.py").out  # type: ignore[operator]


def test_apply_writes_the_same_in_any_number_of_processes(many: Path) -> None:
    def applied(*arguments: str) -> tuple[tuple[int, str, str], dict[str, bytes]]:
        before = {path: path.read_bytes() for path in many.rglob("*.py")}
        said = command(many, "apply", "--no-cache", *arguments)
        after = {path.name: path.read_bytes() for path in before}
        for path, content in before.items():
            path.write_bytes(content)
        return said, after

    one, four = applied("-j", "1"), applied("-j", "4")
    shown = command(many, "apply", "--no-cache", "--diff", "-j", "1")

    assert one == four
    assert b'dtype="float32"' in one[1]["train_0.py"]
    assert shown == command(many, "apply", "--no-cache", "--diff", "-j", "4")


def test_a_small_run_starts_no_process(mpfix: object, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "multiprocessing", None)

    assert mpfix("check", "--no-cache", ".").status == 2  # type: ignore[operator]


def test_a_negative_number_of_processes_is_refused(mpfix: object) -> None:
    result = mpfix("check", "-j", "-1")  # type: ignore[operator]

    assert result.status == 2
    assert "--jobs" in result.err


DYING = """\
import os, signal, sys
from mpfix.cli.app import run
from mpfix.engine import run_units

whole = run_units.analyse_unit

def dies(unit, job):
    if unit.documents[0].display == "train_3.py":
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(unit, job)

run_units.analyse_unit = dies
sys.exit(run(["check", "--no-cache", "-j", "2", "--output-format", "concise", "."]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="replaces a function, which only a fork keeps")
def test_a_process_that_dies_is_one_error_and_the_others_are_judged(many: Path) -> None:
    (many / "bytes.py").unlink()
    done = subprocess.run([sys.executable, "-c", DYING], cwd=many, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr == (
        "train_3.py: not analysed: the process that had it is gone; "
        "it was ended by signal SIGKILL, as the system does when memory runs out\n"
    )
    assert [f"train_{number}.py" in done.stdout for number in range(6)] == [True, True, True, False, True, True]
    assert "1 failed" in done.stdout


SLOW = """\
import pathlib, os, sys, time
from mpfix.cli.app import run
from mpfix.engine import run_units

def waits(unit, job):
    pathlib.Path(f"{os.getpid()}.pid").touch()
    time.sleep(60)

run_units.analyse_unit = waits
sys.exit(run(["check", "--no-cache", "-j", "2", "."]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="replaces a function, which only a fork keeps")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("to_all", [False, True])
def test_an_interrupt_ends_every_process_and_gives_130(many: Path, to_all: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW], cwd=many, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as child:
        deadline = time.monotonic() + 60
        while len(list(many.glob("*.pid"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        # a terminal sends it to all of them, `kill` to one
        (os.killpg if to_all else os.kill)(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=30)

    assert (child.returncode, out, err) == (130, b"", b"")
    for path in many.glob("*.pid"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.stem), 0)
