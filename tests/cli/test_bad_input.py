"""Any input ends in an answer: one clear sentence, the right status, nothing lost, no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpfix.engine import pipeline

Command = Callable[..., Any]

TRIGGER = "import keras\nkeras.mixed_precision.set_global_policy('mixed_float16')\n"
"""Words that make rules relevant, so that odd text behind it is analysed and not skipped."""
FLAWED = "import tensorflow as tf\ntf.keras.mixed_precision.experimental.set_policy('mixed_float16')\n"


def answer(mpfix: Command, *arguments: str) -> Any:
    """Run a command; whatever it says, it is no traceback and no apology."""
    result = mpfix(*arguments)
    assert "Traceback" not in result.out + result.err
    assert "internal error" not in result.err
    assert "this is a bug" not in result.err
    return result


def notebook(*cells: str) -> str:
    made = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": cell} for cell in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


# What does not parse is a finding: status 1.


@pytest.mark.parametrize(
    ("content", "place"),
    [
        pytest.param(b"def f(:\n    pass\n", "bad.py:1:", id="syntax error"),
        pytest.param(b"import keras\nx = (\n", "bad.py:", id="open bracket"),
        pytest.param(b"if True:\n\tx = 1\n        y = 2\n", "bad.py:3:", id="tabs against blanks"),
        pytest.param(b"import keras\nx = 1\x00\n", "bad.py:", id="NUL byte"),
        pytest.param(b"print 'python 2'\n", "bad.py:1:", id="Python 2"),
    ],
)
@pytest.mark.parametrize("command", ["check", "apply"])
def test_broken_source_is_a_syntax_error(
    mpfix: Command, tmp_path: Path, content: bytes, place: str, command: str
) -> None:
    (tmp_path / "bad.py").write_bytes(content)

    result = answer(mpfix, command, "--output-format", "concise", "bad.py")

    assert result.status == 1
    assert result.out.startswith(place)
    assert ": MP001 [syntax-error] " in result.out
    assert (tmp_path / "bad.py").read_bytes() == content


def test_broken_cell_hides_no_other(mpfix: Command, tmp_path: Path) -> None:
    (tmp_path / "study.ipynb").write_text(notebook("def f(:", FLAWED))

    result = answer(mpfix, "check", "--output-format", "concise", "study.ipynb")

    assert result.status == 1
    assert "study.ipynb:cell 1:1:" in result.out
    assert "study.ipynb:cell 2:2:" in result.out


# What cannot be read is an error of the run: status 2, and the others are still judged.


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("bad.py", b"# caf\xe9\n", "UTF-8", id="Latin-1"),
        pytest.param("bad.py", "x = 1\n".encode("utf-16"), "UTF-8", id="UTF-16"),
        pytest.param("bad.py", b"# coding: klingon\nx = 1\n", "klingon", id="unknown encoding"),
        pytest.param("bad.ipynb", b'{"cells": [', "JSON", id="broken JSON"),
        pytest.param("bad.ipynb", b"[1, 2]", "notebook", id="JSON that is no notebook"),
        pytest.param("bad.ipynb", b'{"a": 1}', "notebook", id="object that is no notebook"),
        pytest.param("bad.ipynb", b'{"cells": {}, "nbformat": 4}', "notebook", id="cells that are no list"),
        pytest.param("bad.ipynb", b"", "JSON", id="empty notebook file"),
    ],
)
@pytest.mark.parametrize("command", ["check", "apply"])
def test_undecodable_file_is_an_error_and_the_others_are_done(
    mpfix: Command, tmp_path: Path, name: str, content: bytes, said: str, command: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.py").write_text(FLAWED)

    result = answer(mpfix, command, name, "good.py")

    assert result.status == 2
    assert result.err.splitlines()[0].startswith(f"{name}: ")
    assert said in result.err.splitlines()[0]
    assert "MP801" in result.out
    assert (tmp_path / name).read_bytes() == content


def test_missing_path_never_passes(mpfix: Command, clean: Path) -> None:
    result = answer(mpfix, "check", "--exit-zero", "nowhere", clean.name)

    assert result.status == 2
    assert result.err == "nowhere: no such file or folder\n"
    assert "1 failed" in result.out


def test_folder_named_like_a_script_is_walked(mpfix: Command, tmp_path: Path) -> None:
    (tmp_path / "pack.py").mkdir()
    (tmp_path / "pack.py" / "train.py").write_text(FLAWED)

    assert "pack.py/train.py:2:" in answer(mpfix, "check", "--output-format", "concise", "pack.py").out


def test_unreadable_file_is_named_with_the_reason(
    mpfix: Command, flawed: Path, clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = os.open

    def denied(path: Any, *arguments: Any, **options: Any) -> int:
        # a superuser may read everything: the refusal is made
        if os.path.basename(os.fspath(path)) == clean.name:
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real_open(path, *arguments, **options)

    monkeypatch.setattr(os, "open", denied)
    result = answer(mpfix, "check", clean.name, flawed.name)

    assert result.status == 2
    assert result.err == f"{clean.name}: cannot be read: permission denied\n"
    assert "MP801" in result.out


def test_read_only_target_keeps_its_bytes_and_the_others_are_written(
    mpfix: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.py", "locked.py", "z.py"):
        (tmp_path / name).write_text(FLAWED)
    real_replace = os.replace

    def denied(source: Any, target: Any, **options: Any) -> None:
        if os.path.basename(os.fspath(target)) == "locked.py":
            raise PermissionError(13, "Permission denied", os.fspath(target))
        real_replace(source, target, **options)

    monkeypatch.setattr(os, "replace", denied)
    result = answer(mpfix, "apply", "a.py", "locked.py", "z.py")

    assert result.status == 2
    assert result.err.startswith("locked.py: cannot be written: ")
    assert (tmp_path / "locked.py").read_text() == FLAWED
    assert "experimental" not in (tmp_path / "a.py").read_text() + (tmp_path / "z.py").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.py", "locked.py", "z.py"]


# What is odd but right passes.


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\n\n", id="blank lines"),
        pytest.param(b"\xef\xbb\xbf" + TRIGGER.encode(), id="byte order mark"),
        pytest.param(TRIGGER.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(TRIGGER.replace("\n", "\r").encode(), id="CR"),
        pytest.param(TRIGGER.encode() + b"x = 1\r\ny = 2\rz = 3", id="mixed newlines, none at the end"),
        pytest.param(b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + TRIGGER.encode(), id="declared Latin-1"),
        pytest.param(TRIGGER.encode() + b"\x0cx = 1\n", id="form feed"),
    ],
)
@pytest.mark.parametrize("command", ["check", "apply"])
def test_odd_but_right_source_passes_untouched(mpfix: Command, tmp_path: Path, content: bytes, command: str) -> None:
    (tmp_path / "odd.py").write_bytes(content)

    result = answer(mpfix, command, "odd.py")

    assert (result.status, result.err) == (0, "")
    assert (tmp_path / "odd.py").read_bytes() == content


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(f"{TRIGGER}x = {'(' * 3000}1{')' * 3000}\n", id="3,000 nested parentheses"),
        pytest.param(f"{TRIGGER}x = {' + '.join(['1'] * 20_000)}\n", id="sum of 20,000 terms"),
        pytest.param(f"{TRIGGER}x = {' + '.join(['y'] * 20_000)}\n", id="sum of 20,000 names"),
        pytest.param(
            f"{TRIGGER}if x == 0:\n    y = 0\n" + "".join(f"elif x == {n}:\n    y = {n}\n" for n in range(10_000)),
            id="10,000 elif",
        ),
        pytest.param(f"{TRIGGER}x = y{'.add(1)' * 5000}\n", id="chain of 5,000 methods"),
        pytest.param(f"{TRIGGER}x = {'-' * 3000}1\n", id="3,000 signs"),
        pytest.param(f"{TRIGGER}x = {'[' * 150}{']' * 150}\n", id="150 nested lists"),
        pytest.param(TRIGGER + "".join(f"{' ' * n}if x:\n" for n in range(90)) + " " * 90 + "y = 1\n", id="90 blocks"),
    ],
)
def test_deep_and_long_source_ends_in_an_answer(tmp_path: Path, source: str) -> None:
    (tmp_path / "deep.py").write_text(source)

    # a crash of the interpreter itself would take the tests along
    command = [sys.executable, "-m", "mpfix", "check", "--output-format", "concise", "deep.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode in {0, 1}, done.stderr[-2000:]
    assert done.stderr == ""
    assert "Files: " in done.stdout


# What is asked for and does not exist is status 2, with the nearest that does.


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "--select", "MP391"], "`--select`: unknown code `MP391`; the nearest is `MP3"),
        (["check", "--ignore", "half-softmax-haed"], "the nearest is `half-softmax-head`"),
        (["check", "--select", ""], "`--select`: is empty"),
        (["check", "--selct", "MP301"], "--selct"),
        (["check", "--select"], "--select"),
        (["check", "--keras", "4"], "`--keras`: `4` is not one of `auto`, `2`, `3`, `2+3`"),
        (["check", "--assume-policy", "mixed_fp16"], "`--assume-policy`: `mixed_fp16` is not one of "),
        (["check", "--fail-on", "fatal"], "`--fail-on`: `fatal` is not one of "),
        (["check", "--output-format", "xml"], "`--output-format`: `xml` is not one of "),
        (["check", "--config", "none.toml"], "`none.toml` cannot be read: "),
        (["check", "--config", "a.toml", "--isolated"], "exclude each other"),
        (["chek"], "'check'"),
        (["rule", "MP999"], "unknown rule `MP999`"),
        (["rule"], "RULE"),
    ],
)
def test_unknown_words_of_the_command_line_never_pass(mpfix: Command, arguments: list[str], said: str) -> None:
    result = answer(mpfix, *arguments)

    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("mpfix: ")
    assert said in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('ignroe = ["MP301"]\n', ["mpfix.toml:1:1: `ignroe`: unknown key; the nearest is `ignore`", "^^^^^^"]),
        ('select = ["MP391"]\n', ["unknown code `MP391`; the nearest is `MP3"]),
        ("keras = 3\n", ["mpfix.toml:1:1: `keras`: must be a string"]),
        ('keras = "4"\n', ["`4` is not one of"]),
        ("select = [\n", ["is not valid TOML"]),
        ('packs = ["no_such_pack"]\n', ["rule pack `no_such_pack` cannot be imported"]),
    ],
)
def test_wrong_settings_file_never_passes(
    mpfix: Command, clean: Path, tmp_path: Path, settings: str, said: list[str]
) -> None:
    (tmp_path / "mpfix.toml").write_text(settings)

    result = answer(mpfix, "check", clean.name)

    assert (result.status, result.out) == (2, "")
    assert [part for part in said if part not in result.err] == []


# The reader goes away, the user loses patience, mpfix itself is wrong.


def test_closed_pipe_is_quiet_and_the_status_stays_true(tmp_path: Path) -> None:
    (tmp_path / "many.py").write_text(FLAWED + FLAWED.splitlines(True)[1] * 3000)
    command = [sys.executable, "-m", "mpfix", "check", "--output-format", "concise", "many.py"]

    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        complaints = child.stderr.read()

    assert (complaints, child.returncode) == (b"", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_under_the_output_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(FLAWED)
    command = [sys.executable, "-m", "mpfix", "check", "train.py"]

    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (2, "mpfix: the output cannot be written: no space left on device\n")


def test_interrupt_gives_130(mpfix: Command, clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "check", interrupted)
    result = answer(mpfix, "check", clean.name)

    assert (result.status, result.out, result.err) == (130, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process")
@pytest.mark.usefixtures("interruptible")
def test_interrupt_of_the_process_gives_130(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mpfix", "check", "-"]

    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        # more than a pipe holds: when it is written, mpfix is reading
        child.stdin.write(b"#" * 1_000_000)
        child.stdin.flush()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate()

    assert (child.returncode, out, err) == (130, b"", b"")


def test_bug_of_mpfix_is_one_sentence(mpfix: Command, clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise LookupError("no\nsuch thing")

    monkeypatch.setattr(pipeline, "check", broken)
    result = mpfix("check", clean.name)
    verbose = mpfix("check", "-v", clean.name)

    assert result.status == 2
    assert result.err == (
        "mpfix: internal error: LookupError: no such thing (this is a bug of mpfix; `-v` shows where)\n"
    )
    assert "Traceback" in verbose.err


def test_terminal_without_unicode_gets_escapes(tmp_path: Path) -> None:
    (tmp_path / "größe.py").write_text(FLAWED, encoding="utf-8")
    command = [sys.executable, "-m", "mpfix", "check", "größe.py"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (1, b"")
    assert b"gr\\xf6\\xdfe.py:2:" in done.stdout
