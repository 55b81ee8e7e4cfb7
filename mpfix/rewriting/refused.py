"""Why a rewrite is not made."""

from __future__ import annotations

from mpfix.errors import MpfixError


class RewriteRefused(MpfixError):
    """The text cannot be changed as asked without harm; `reason` is one sentence for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
