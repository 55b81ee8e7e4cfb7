"""The process between mpfix and the user's script: sets limits, and leaves nothing running.

It is started by path in a bare interpreter and imports nothing of ours. Standard input is the life line: when it ends,
mpfix is gone, and everything below this process is killed. Processes that the script starts and abandons are handed
to this one (Linux: child subreaper), so they are found even when they left the script's process group.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

POLL_SECONDS = 0.02
TREE_SECONDS = 0.25
"""How often the memory of the whole tree is added up; the script's own process is looked at on every poll."""
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Run the command that the first argument describes, and write how it ended as one line of JSON."""
    job = json.loads(sys.argv[1])
    prctl = _prctl()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(
        job["command"],
        stdin=job["config_fd"],
        stdout=job["output_fd"],
        stderr=job["output_fd"],
        pass_fds=[job["record_fd"]],
        cwd=job["folder"],
        start_new_session=True,
        preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    for name in ("config_fd", "output_fd", "record_fd"):
        os.close(job[name])
    verdict = _watch(child, job["timeout"], job["memory_limit"])
    verdict["left_running"] = _kill_all(child)
    verdict["status"] = child.wait()
    if verdict["ended"] == "abandoned":
        shutil.rmtree(job["scratch"], ignore_errors=True)
    else:
        os.write(1, json.dumps(verdict).encode() + b"\n")


def _prctl() -> Callable[[int, int], object]:
    """Linux' `prctl`; elsewhere nothing, and only the process group is killed."""
    if not sys.platform.startswith("linux"):
        return lambda option, value: None
    function = ctypes.CDLL(None).prctl
    return lambda option, value: function(option, value, 0, 0, 0)


def _watch(child: subprocess.Popen[bytes], timeout: float, memory_limit: int | None) -> dict[str, Any]:
    """Wait for the end of the script, of its time, of its memory or of mpfix."""
    deadline = time.monotonic() + timeout
    next_tree = time.monotonic()
    others, peak = 0, 0
    while child.poll() is None:
        if select.select([0], [], [], POLL_SECONDS)[0] and not os.read(0, 1):
            return {"ended": "abandoned"}
        now = time.monotonic()
        if now >= next_tree:
            others = sum(_resident(pid) for pid in _descendants() if pid != child.pid)
            next_tree = now + TREE_SECONDS
        peak = max(peak, others + _resident(child.pid))
        if memory_limit is not None and peak > memory_limit:
            return {"ended": "memory", "peak": peak}
        if now > deadline:
            return {"ended": "timeout", "peak": peak}
    return {"ended": "exit", "peak": peak}


def _kill_all(child: subprocess.Popen[bytes]) -> int:
    """Kill the script and all that it started; the number of processes that outlived it."""
    outlived: set[int] = set()
    for _ in range(200):
        # only a look that starts after the script's end sees all that it left: until then they change parents
        has_ended = child.poll() is not None
        if not has_ended:
            _kill(os.killpg, child.pid)
        left = [pid for pid in _descendants() if pid != child.pid]
        outlived.update(left)
        for pid in left:
            _kill(os.kill, pid)
        _reap(child)
        if has_ended and not left:
            break
        time.sleep(0.01)
    _kill(os.killpg, child.pid)
    return len(outlived)


def _kill(function: Callable[[int, int], None], pid: int) -> None:
    try:
        function(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _reap(child: subprocess.Popen[bytes]) -> None:
    """Collect dead orphans; the script itself is left to `child.wait`, which knows its status."""
    child.poll()
    for pid in _descendants(dead_too=True):
        if pid != child.pid:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def _descendants(*, dead_too: bool = False) -> list[int]:
    """Every process below this one; empty where there is no `/proc`."""
    parents: dict[int, int] = {}
    dead: set[int] = set()
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except OSError:
                continue
            # the dead stay links of the chain: a child read before it was handed on still names its dead parent
            parents[int(name)] = int(parent)
            if state == b"Z":
                dead.add(int(name))
    below = {os.getpid()}
    for pid in sorted(parents):
        chain, here = [], pid
        while here in parents and here not in below:
            chain.append(here)
            here = parents[here]
        if here in below:
            below.update(chain)
    unwanted = {os.getpid()} if dead_too else {os.getpid(), *dead}
    return [pid for pid in parents if pid in below and pid not in unwanted]


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


if __name__ == "__main__":
    main()
