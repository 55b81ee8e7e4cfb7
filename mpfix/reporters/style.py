"""Colours of the text report, as escape sequences; a paint without colour returns what it was given."""

from __future__ import annotations

from dataclasses import dataclass

from mpfix.diagnostic import Severity

RESET = "\x1b[0m"
BOLD = "\x1b[1m"
RED = "\x1b[1;31m"
ADDED = "\x1b[32m"
YELLOW = "\x1b[1;33m"
BLUE = "\x1b[1;34m"
CYAN = "\x1b[1;36m"
REMOVED = "\x1b[31m"

SEVERITY_COLOURS = {Severity.ERROR: RED, Severity.WARNING: YELLOW, Severity.NOTE: CYAN}


@dataclass(frozen=True, slots=True)
class Paint:
    """Puts a colour around text, or does not."""

    enabled: bool

    def __call__(self, text: str, colour: str) -> str:
        """`text` in `colour`; blanks alone stay bare."""
        return f"{colour}{text}{RESET}" if self.enabled and text.strip() else text
