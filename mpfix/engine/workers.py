"""Pieces of work spread over processes: every result comes back, whatever process made it.

A process that dies takes the piece it was at with it and no other; an interrupt ends them all, and so does the end of
the process that started them, however it comes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

T = TypeVar("T")
Work = Callable[[int], T]
"""Does the piece with this number; a function of a module, or a `partial` of one, with arguments that can be sent."""

SIZE_OF_A_SHARE = 150_000
"""Code points that keep a process busy long enough to be worth its start: some 4,000 lines, a third of a second."""


def automatic_jobs(sizes: Sequence[int]) -> int:
    """The number of processes for pieces of these sizes, in code points to interpret: 1 where it is not worth more."""
    return max(1, min(_processors(), len(sizes), sum(sizes) // SIZE_OF_A_SHARE))


def spread(
    work: Work[T],
    sizes: Sequence[int],
    jobs: int,
    *,
    done: Callable[[int, T], None],
    lost: Callable[[int, str], T],
) -> None:
    """Do the pieces 0 to `len(sizes) - 1` in at most `jobs` processes, large ones first; in this one if `jobs` is 1.

    Args:
        done: called here with each number and result, in any order.
        lost: the result of a piece whose process died, and how it died, for people.
    """
    jobs = min(jobs, len(sizes))
    if jobs > 1:
        order = sorted(range(len(sizes)), key=lambda number: -sizes[number])
        _Crew(work, deque(order), done, lost).run(jobs)
        return
    for number in range(len(sizes)):
        done(number, work(number))


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    piece: int


class _Crew(Generic[T]):
    """The processes of one call of `spread`, and what is left to do."""

    def __init__(
        self, work: Work[T], waiting: deque[int], done: Callable[[int, T], None], lost: Callable[[int, str], T]
    ) -> None:
        self.work, self.waiting, self.done, self.lost = work, waiting, done, lost
        self.context = _context()
        self.busy: dict[Connection, _Worker] = {}

    def run(self, jobs: int) -> None:
        from multiprocessing.connection import wait

        try:
            while self.waiting and len(self.busy) < jobs:
                self._start()
            while self.busy:
                for ready in wait(list(self.busy)):
                    self._take(self.busy[ready])  # type: ignore[index]
        finally:
            # left here by an interrupt, or by an error of `done`: nobody waits for their results any more
            for worker in self.busy.values():
                worker.process.terminate()
                worker.process.join()
                worker.connection.close()

    def _start(self) -> None:
        """Start a process and give it the next piece."""
        ours, theirs = self.context.Pipe()
        # a copy of our end in a child would keep its sisters waiting for ever if this process is killed
        ends = (ours, *self.busy) if self.context.get_start_method() == "fork" else ()
        process = self.context.Process(target=_serve, args=(self.work, theirs, ends), daemon=True)  # type: ignore[attr-defined]
        process.start()
        theirs.close()
        worker = _Worker(process, ours, -1)
        self.busy[ours] = worker
        self._give(worker)

    def _give(self, worker: _Worker) -> None:
        """The next piece for a process, or its end where there is none."""
        if self.waiting:
            worker.piece = self.waiting.popleft()
            try:
                worker.connection.send(worker.piece)
            except OSError:
                # it has died since: its connection says so in a moment
                return
        else:
            self._dismiss(worker)

    def _take(self, worker: _Worker) -> None:
        """What a process has to say: a result, or that it is gone."""
        try:
            result: Any = worker.connection.recv()
        except (EOFError, OSError):
            self._dismiss(worker)
            self.done(worker.piece, self.lost(worker.piece, _death(worker.process.exitcode)))
            if self.waiting:
                self._start()
        else:
            self.done(worker.piece, result)
            self._give(worker)

    def _dismiss(self, worker: _Worker) -> None:
        del self.busy[worker.connection]
        worker.connection.close()
        worker.process.join()


def _serve(work: Work[Any], connection: Connection, others: Sequence[Connection]) -> None:
    """The life of a process: pieces in, results out, until nobody sends any more."""
    import signal
    import threading

    # Ctrl-C reaches all processes of a terminal; the first one ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in others:
        other.close()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            number = connection.recv()
        except (EOFError, OSError):
            return
        result = work(number)
        try:
            connection.send(result)
        except OSError:
            # nobody is there any more
            return


def _end_with_parent() -> None:
    """End this process, whatever it is at, as soon as the one that started it is gone: nobody wants its results."""
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _death(status: int | None) -> str:
    if status is not None and status < 0:
        import signal

        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = str(-status)
        hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"it was ended by signal {name}{hint}"
    return f"it ended with status {status}"


def _context() -> BaseContext:
    import multiprocessing
    import sys
    import threading

    # a fork starts at once and has everything in memory; beside other threads, or on systems whose libraries start
    # some, it may hang
    can_fork = sys.platform.startswith("linux") and threading.active_count() == 1
    return multiprocessing.get_context("fork" if can_fork else "spawn")


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
