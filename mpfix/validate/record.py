"""Inside the child: the record, one line of JSON for each thing that happened, each written at once."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

MAX_EVENTS = 500
"""Events of one kind beyond this are counted by nobody; steps and the end are always written."""


class Recorder:
    """Writes lines that are whole or absent: a crash, a kill or `os._exit` leaves all that was told before."""

    def __init__(self, file_descriptor: int) -> None:
        self.file_descriptor = file_descriptor
        self.owner = os.getpid()
        self.started = time.monotonic()
        self.lock = threading.Lock()
        self.counts: dict[str, int] = {}

    def write(self, kind: str, /, **content: Any) -> None:
        """Tell one thing. In a process that the script forked nothing is told: it is not the run."""
        if os.getpid() != self.owner:
            return
        line = {"kind": kind, "at": round(time.monotonic() - self.started, 4), **content}
        data = json.dumps(line, default=str).encode() + b"\n"
        with self.lock:
            self._put(data)

    def event(self, kind: str, /, **content: Any) -> None:
        """Tell something that may happen very often, up to a bound."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= MAX_EVENTS:
            self.write(kind, **content)

    def once(self, kind: str, /, key: str, **content: Any) -> None:
        """Tell something about `key` the first time only."""
        mark = f"{kind}:{key}"
        if mark not in self.counts:
            self.counts[mark] = 1
            self.event(kind, name=key, **content)

    def _put(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self.file_descriptor, data) :]
        except OSError:
            # the script closed what it did not open, or mpfix is gone: there is nobody to tell
            self.file_descriptor = -1


class StopTraining(BaseException):
    """Leaves the script's training loop after the last step; no Exception, so that `except Exception` lets it pass."""


Config = Mapping[str, Any]
