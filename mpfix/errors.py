"""Exceptions of mpfix.

MpfixError
├── UsageError    a bad option, selector or setting: the run stops, exit 2
└── SourceError   an input that cannot be read, decoded or written: an entry in `errors`, the run goes on, exit 2
"""

from __future__ import annotations


class MpfixError(Exception):
    """Root of all errors that mpfix raises on purpose; its text is one clear sentence for a person."""


class UsageError(MpfixError):
    """A bad option, selector or setting."""


class SourceError(MpfixError):
    """An input that cannot be read, decoded or written."""

    def __init__(self, filename: str, message: str) -> None:
        super().__init__(f"{filename}: {message}")
        self.filename = filename
        self.message = message
