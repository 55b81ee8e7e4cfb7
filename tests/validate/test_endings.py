"""Every way a script can end, none of which needs TensorFlow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mpfix.validate.endings import guessed_spec, undefined_names
from mpfix.validate.sources import is_user_file

Run = Callable[..., object]


def test_a_script_that_trains_nothing_is_told_so(run_script: Run) -> None:
    run = run_script("print('hello')")

    assert run.ending.kind == "finished"
    assert run.ending.sentence == "the script ended without a training step"
    assert "fit" in run.ending.advice
    assert run.result.output == "hello\n"


def test_an_exception_names_its_line_in_the_rewritten_text(run_script: Run) -> None:
    run = run_script("value = 1\n", text="value = 1\n\nraise RuntimeError('boom')\n")

    assert run.ending.sentence == "raised RuntimeError: boom at train.py:3 after 0 training steps"
    assert "raise RuntimeError('boom')" in run.ending.traceback
    assert "mpfix" not in run.ending.traceback


def test_sys_exit_tells_its_status_and_last_words(run_script: Run) -> None:
    run = run_script("import sys\nprint('no licence')\nsys.exit(3)")

    assert run.ending.kind == "exit"
    assert run.ending.sentence == "the script called `sys.exit(3)` after 0 training steps: no licence"


def test_missing_arguments_are_named(run_script: Run) -> None:
    source = """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--data", required=True)
        parser.parse_args()
    """
    run = run_script(source)

    assert "needs arguments" in run.ending.sentence
    assert "--data" in run.ending.sentence
    assert "-- ARGS" in run.ending.advice


def test_arguments_reach_the_script(run_script: Run) -> None:
    run = run_script("import sys\nprint(sys.argv[1:])", arguments=("--epochs", "2"))

    assert run.result.output == "['--epochs', '2']\n"


def test_os_exit_leaves_what_was_told(run_script: Run) -> None:
    run = run_script("import os\nopen('log.txt', 'w').close()\nos._exit(7)")

    assert run.ending.sentence == "the script called `os._exit(7)` after 0 training steps"
    assert run.result.of_kind("file")[0]["name"].endswith("log.txt")


def test_a_loop_that_never_ends_is_ended(run_script: Run) -> None:
    source = """
        while True:
            try:
                while True:
                    pass
            except:
                continue
    """
    run = run_script(source, timeout=1.0)

    assert run.ending.kind == "timeout"
    assert "--timeout" in run.ending.advice


def test_input_ends_at_once(run_script: Run) -> None:
    run = run_script("name = input('name? ')")

    assert run.ending.sentence == "the script reads `input()` at train.py:1, and nobody answers"


def test_random_numbers_are_the_same_in_each_run(run_script: Run) -> None:
    source = """
        import random
        import numpy as np
        one, other = np.random.default_rng(), np.random.default_rng()
        print(random.random(), np.random.rand(), one.random(), other.random(), np.random.default_rng(5).random())
    """
    first = run_script(source).result.output

    assert first == run_script(source).result.output
    assert len(set(first.split())) == 5


def test_standard_input_is_empty(run_script: Run) -> None:
    assert run_script("import sys\nprint(repr(sys.stdin.read()))").result.output == "''\n"


def test_processes_that_outlive_the_script_are_ended(run_script: Run) -> None:
    source = """
        import subprocess, sys
        for flag in (False, True):
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=flag)
            print(child.pid)
    """
    run = run_script(source)

    assert run.result.left_running == 2
    assert not [pid for pid in map(int, run.result.output.split()) if is_alive(pid)]


def test_a_forked_process_tells_nothing(run_script: Run) -> None:
    source = """
        import os
        if os.fork() == 0:
            open("child.txt", "w").close()
            os._exit(0)
        os.wait()
    """
    run = run_script(source)

    assert not run.result.of_kind("file")
    assert run.ending.kind == "finished"


def test_memory_beyond_the_limit_ends_the_run(run_script: Run) -> None:
    run = run_script("block = bytearray(10**9)\nimport time\ntime.sleep(60)", memory_limit=200 * 2**20)

    assert run.ending.kind == "memory"
    assert run.ending.sentence.startswith("killed after 0 training steps: it held ")


def test_megabytes_of_output_are_drained_and_cut(run_script: Run) -> None:
    run = run_script("for i in range(200000):\n    print('x' * 99)\nprint('last')")

    assert run.ending.kind == "finished"
    assert run.result.output.endswith("last\n")
    assert len(run.result.output) <= 65536


def test_a_change_of_folder_does_not_lose_the_record(run_script: Run) -> None:
    run = run_script("import os\nos.chdir('/')\nopen('/proc/self/comm', 'w').close()")

    assert run.ending.kind == "finished"


def test_a_script_may_delete_its_temporary_files(run_script: Run) -> None:
    source = """
        import shutil, tempfile
        tempfile.mkstemp()
        shutil.rmtree(tempfile.gettempdir())
    """
    run = run_script(source)

    assert run.ending.kind == "finished"
    assert not run.result.of_kind("file")


def test_nothing_is_left_behind(run_script: Run) -> None:
    before = set(os.listdir(tempfile.gettempdir()))
    run = run_script("import tempfile\ntempfile.mkstemp()")

    left = {name for name in set(os.listdir(tempfile.gettempdir())) - before if name.startswith("mpfix-validate")}
    assert not {name for name in left if not is_in_use(name)}
    assert sorted(path.name for path in run.script.parent.iterdir()) == ["train.py"]


def test_scratch_runs_in_a_copy_and_names_the_original(run_script: Run) -> None:
    run = run_script("open('model.txt', 'w').close()\nraise OSError('stop')", scratch=True)

    assert not (run.script.parent / "model.txt").exists()
    assert run.result.of_kind("file")[0]["name"] == str(run.script.parent / "model.txt")
    assert "at train.py:2" in run.ending.sentence


def test_missing_data_are_named(run_script: Run) -> None:
    run = run_script("open('images.bin', 'rb')")

    assert run.ending.sentence == "the script needs data that are not here: `images.bin` at train.py:1"
    assert "--define" in run.ending.advice


def test_data_that_cannot_be_fetched_are_named(run_script: Run) -> None:
    run = run_script("raise Exception('URL fetch failure on https://a.example/words.json: None -- [Errno -2] unknown')")

    assert "cannot be fetched here: `https://a.example/words.json` at train.py:1" in run.ending.sentence


def test_undefined_names_are_listed_ready_to_copy(run_script: Run) -> None:
    source = """
        shape = dict(input_shape=(28, 28, 1))
        print(x_train.mean(), y_train.max())
    """
    run = run_script(source)

    assert run.ending.advice == "--define 'x_train=float32[1024,28,28,1]' --define 'y_train=int32[1024]<10'"


def test_stand_ins_are_there_before_the_script(run_script: Run) -> None:
    source = "print(x.shape, x.dtype, y.max() < 3, n)"
    run = run_script(source, defines=("x=float16[4,2]", "y=int[50]<3", "n=12"))

    assert run.result.output == "(4, 2) float16 True 12\n"


def test_a_bad_stand_in_is_refused_with_an_example(run_script: Run) -> None:
    run = run_script("pass", defines=("x=float32(4)",))

    assert "write `float32[1024,784]`" in run.ending.sentence


def test_a_missing_tensorflow_names_the_extra(run_script: Run) -> None:
    source = """
        import sys
        sys.modules["tensorflow"] = None
        import tensorflow
    """
    run = run_script(source)

    assert run.ending.sentence == "tensorflow is not installed"
    assert run.ending.advice == "pip install 'mpfix[validate]'"


def test_a_keras_without_its_backend_names_the_others(run_script: Run) -> None:
    source = """
        import os, sys
        os.environ["KERAS_BACKEND"] = "tensorflow"
        class NotInstalled:
            def find_spec(self, name, path, target=None):
                if name == "tensorflow":
                    raise ModuleNotFoundError(name, name=name)
        sys.meta_path.insert(0, NotInstalled())
        import keras
    """
    run = run_script(source)

    assert run.ending.advice.endswith("or set KERAS_BACKEND to jax or torch, which Keras 3 runs on too")


def test_killing_the_parent_leaves_no_child(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import os, subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'], start_new_session=True)\n"
        f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{p.pid}} {{os.getppid()}} ')\n"
        "time.sleep(99)\n"
    )
    code = (
        "import pathlib; from mpfix.validate.plan import *; from mpfix.validate.runner import run_child\n"
        f"script = pathlib.Path({str(script)!r})\n"
        "run_child(ChildJob(Options(script), Variant('as is'), MEMORY, script.parent, script))"
    )
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    assert wait_for(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().count(" ") == 3, 30)
    parent.send_signal(signal.SIGKILL)
    parent.wait()

    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert wait_for(lambda: not any(map(is_alive, pids)), 5)
    assert wait_for(lambda: not os.listdir(tmp_path / "tmp"), 5)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_every_run_at_once(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(f'{{os.getpid()}} ')\ntime.sleep(99)\n"
    )
    command = [sys.executable, "-m", "mpfix", "validate", "--isolated", str(script)]
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert wait_for(lambda: (tmp_path / "pid").exists() and " " in (tmp_path / "pid").read_text(), 30)
    parent.send_signal(signal.SIGINT)

    assert parent.wait(10) == 130
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_names_of_functions_classes_and_globals_are_defined() -> None:
    source = (
        "import os\nclass A: pass\ndef f(a):\n    global b\n    b = a + c\n    return [d for d in a]\nprint(A, b, e)\n"
    )

    assert undefined_names(source) == ("c", "e")


def test_labels_are_guessed_to_be_integers() -> None:
    assert guessed_spec("train_labels", "") == "int32[1024]<10"
    assert guessed_spec("images", "model = Input((16, 8))") == "float32[1024,16,8]"


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_in_use(name: str) -> bool:
    """Whether a folder belongs to a run of another test that is still going on."""
    return time.time() - os.stat(os.path.join(tempfile.gettempdir(), name)).st_mtime < 120


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_what_was_installed_beside_a_script_is_not_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "theirs-1.0.dist-info" / "RECORD"
    record.parent.mkdir()
    record.write_text("theirs/__init__.py,sha256=abc,10\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    assert not is_user_file(str(tmp_path / "theirs" / "layer.py"))
    assert is_user_file(str(tmp_path / "train.py"))
