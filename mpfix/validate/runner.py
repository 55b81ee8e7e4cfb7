"""Child processes: one fresh run of the user's script, within its limits, and what it told before it ended."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpfix.validate.plan import ChildJob
from mpfix.validate.scratch import Place, prepare

TAIL_BYTES = 65536
"""How much of what the script prints is kept, from its end."""
_GUARD = Path(__file__).with_name("guard.py")
_ROOT = Path(__file__).parents[2]

Line = Mapping[str, Any]


@dataclass(frozen=True)
class ChildResult:
    """What one run left: its record, line by line, and how it ended."""

    lines: tuple[Line, ...]
    ended: str
    """`exit`, `timeout` or `memory`."""
    status: int
    """Exit status; minus the number of the signal that killed it."""
    output: str = field(repr=False, default="")
    """The end of what the script printed."""
    left_running: int = 0
    """Processes that the script had started and that had to be killed."""
    peak_bytes: int = 0
    """Most memory that the script and its processes held together, as seen from outside."""

    def of_kind(self, kind: str) -> tuple[Line, ...]:
        """The lines of the record that are called `kind`."""
        return tuple(line for line in self.lines if line["kind"] == kind)

    def last(self, kind: str) -> Line | None:
        """The last line of that kind."""
        return next(iter(reversed(self.of_kind(kind))), None)


class Leash:
    """Ends all runs that are going on, from any thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.guards: list[subprocess.Popen[bytes]] = []
        self.is_let_go = False

    def add(self, guard: subprocess.Popen[bytes]) -> None:
        """Hold one more run."""
        with self.lock:
            self.guards.append(guard)
        if self.is_let_go:
            self.let_go()

    def let_go(self) -> None:
        """End every run, those too that are only about to start."""
        self.is_let_go = True
        with self.lock:
            for guard in self.guards:
                if guard.stdin is not None:
                    guard.stdin.close()


def run_child(
    job: ChildJob, *, on_line: Callable[[Line], None] | None = None, leash: Leash | None = None
) -> ChildResult:
    """Run the script once in a process group of its own; when this returns nothing of it is left.

    Args:
        on_line: called, in another thread, with each line of the record as it comes.
        leash: by which another thread can end the run.
    """
    scratch = Path(tempfile.mkdtemp(prefix="mpfix-validate-"))
    try:
        place = prepare(scratch, job)
        run = _Run(place.job(job), scratch, place, on_line or (lambda line: None))
        if leash is not None:
            leash.add(run.guard)
        return run.result()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Run:
    """The pipes of one child and the threads that empty them."""

    def __init__(self, job: ChildJob, scratch: Path, place: Place, on_line: Callable[[Line], None]) -> None:
        self.place = place
        self.on_line = on_line
        self.lines: list[Line] = []
        self.tail = bytearray()
        self.config_read, self.config_write = os.pipe()
        self.record_read, self.record_write = os.pipe()
        self.output_read, self.output_write = os.pipe()
        self.config = json.dumps(job.config(self.record_write)).encode()
        self.guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD), json.dumps(self._order(job, scratch))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(self.config_read, self.record_write, self.output_write),
            env={**os.environ, **job.environment(place.temporary)},
            start_new_session=True,
        )
        for end in (self.config_read, self.record_write, self.output_write):
            os.close(end)

    def result(self) -> ChildResult:
        """Wait for the guard; whatever interrupts the wait ends the child too."""
        threads = [threading.Thread(target=do, daemon=True) for do in (self._send, self._record, self._output)]
        for thread in threads:
            thread.start()
        try:
            assert self.guard.stdout is not None
            verdict = json.loads(self.guard.stdout.read() or b'{"ended": "lost", "status": 0}')
        finally:
            self._let_go()
        for thread in threads:
            thread.join(10)
        return ChildResult(
            lines=tuple(self.lines),
            ended=verdict["ended"],
            status=verdict["status"],
            output=self.place.original(bytes(self.tail)).decode("utf-8", "replace"),
            left_running=verdict.get("left_running", 0),
            peak_bytes=verdict.get("peak", 0),
        )

    def _order(self, job: ChildJob, scratch: Path) -> dict[str, object]:
        # the package is put last: the script's own modules come first, as in any run of it
        start = f"import sys; sys.path.append({str(_ROOT)!r}); from mpfix.validate.worker import main; main()"
        return {
            "command": [sys.executable, "-c", start],
            "config_fd": self.config_read,
            "record_fd": self.record_write,
            "output_fd": self.output_write,
            "folder": str(job.folder),
            "scratch": str(scratch),
            "timeout": job.timeout,
            "memory_limit": job.memory_limit,
        }

    def _let_go(self) -> None:
        assert self.guard.stdin is not None
        assert self.guard.stdout is not None
        self.guard.stdin.close()
        self.guard.wait()
        self.guard.stdout.close()

    def _send(self) -> None:
        try:
            with open(self.config_write, "wb") as pipe:
                pipe.write(self.config)
        except BrokenPipeError:
            return

    def _record(self) -> None:
        with open(self.record_read, "rb") as pipe:
            for text in pipe:
                # a killed child may leave half a line
                if text.endswith(b"\n"):
                    line = json.loads(self.place.original(text))
                    self.lines.append(line)
                    self.on_line(line)

    def _output(self) -> None:
        while chunk := os.read(self.output_read, 65536):
            self.tail += chunk
            del self.tail[:-TAIL_BYTES]
        os.close(self.output_read)
