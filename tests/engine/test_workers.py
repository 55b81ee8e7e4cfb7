"""Pieces of work in several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

import mpfix
from mpfix.engine.workers import SIZE_OF_A_SHARE, automatic_jobs, spread
from mpfix.settings import parse_settings

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="starts its processes by fork")


def square(number: int) -> int:
    return number * number


def square_elsewhere(number: int) -> tuple[int, int]:
    return square(number), os.getpid()


def dies_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number)


def exits(number: int) -> int:
    os._exit(7)


def waits(folder: Path, number: int) -> int:
    (folder / str(os.getpid())).touch()
    time.sleep(60)
    return number


def results_of(work: object, count: int, jobs: int) -> dict[int, object]:
    found: dict[int, object] = {}
    spread(work, [1] * count, jobs, done=found.__setitem__, lost=lambda number, how: how)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("jobs", [1, 2, 4, 50])
def test_every_piece_has_its_result(jobs: int) -> None:
    assert results_of(square, 20, jobs) == {number: number * number for number in range(20)}


def test_one_job_works_in_this_process_and_more_do_not() -> None:
    here = results_of(square_elsewhere, 3, 1)
    there = results_of(square_elsewhere, 3, 2)

    assert {pid for _, pid in here.values()} == {os.getpid()}  # type: ignore[misc]
    assert os.getpid() not in {pid for _, pid in there.values()}  # type: ignore[misc]


@pytest.mark.parametrize("jobs", [2, 3])
def test_a_process_that_is_killed_takes_only_its_own_piece_with_it(jobs: int) -> None:
    found = results_of(dies_at_three, 8, jobs)

    wanted: dict[int, object] = {number: number * number for number in range(8)}
    wanted[3] = "it was ended by signal SIGKILL, as the system does when memory runs out"
    assert found == wanted


def test_processes_that_end_at_every_piece_come_to_an_end() -> None:
    assert set(results_of(exits, 5, 2).values()) == {"it ended with status 7"}


def test_an_interrupt_ends_all_processes(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        with pytest.raises(KeyboardInterrupt):
            results_of(partial(waits, tmp_path), 4, 2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    started = [int(path.name) for path in tmp_path.iterdir()]
    assert len(started) == 2
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_little_work_is_not_worth_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpfix.engine.workers._processors", lambda: 4)

    assert automatic_jobs([]) == 1
    assert automatic_jobs([SIZE_OF_A_SHARE]) == 1
    assert automatic_jobs([100] * 10) == 1
    assert automatic_jobs([SIZE_OF_A_SHARE] * 3) == 3
    assert automatic_jobs([SIZE_OF_A_SHARE] * 30) == 4


def test_beside_other_threads_processes_start_afresh_and_find_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(
            "import tensorflow as tf\n\ntf.keras.mixed_precision.experimental.set_policy('x')\n"
        )
    monkeypatch.chdir(tmp_path)
    settings = parse_settings('keras = "3"')
    release = threading.Event()
    other = threading.Thread(target=release.wait)
    other.start()
    try:
        several = mpfix.check(["."], settings, jobs=2)
    finally:
        release.set()
        other.join()

    assert len(several.diagnostics) == 2
    assert several == mpfix.check(["."], settings)


ORPHANS = """\
import sys, threading, time
from functools import partial
from pathlib import Path
from mpfix.engine.workers import spread

def computes(folder, number):
    Path(folder, str(number)).touch()
    end = time.monotonic() + 120
    while time.monotonic() < end:
        sum(range(1000))

if __name__ == "__main__":
    folder, start = sys.argv[1:]
    if start == "spawn":
        # beside another thread processes start afresh
        threading.Thread(target=time.sleep, args=(120,), daemon=True).start()
    spread(partial(computes, folder), [1] * 9, 3, done=print, lost=print)
"""


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_at_once_with_the_one_that_started_them(tmp_path: Path, start: str, end: signal.Signals) -> None:
    script, seen = tmp_path / "orphans.py", tmp_path / "seen"
    script.write_text(ORPHANS)
    seen.mkdir()
    with subprocess.Popen(
        [sys.executable, str(script), str(seen), start], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        deadline = time.monotonic() + 60
        while len(list(seen.iterdir())) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(end)
        # the pipes are at their end when the last process that writes to them is gone
        out, err = child.communicate(timeout=20)

    assert (child.returncode, out, err) == (-end, b"", b"")
    assert len(list(seen.iterdir())) == 3
