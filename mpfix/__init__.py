"""mpfix finds and repairs wrong mixed precision, loss scaling, gradient accumulation and memory use in Keras code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpfix.diagnostic import Diagnostic
    from mpfix.engine.pipeline import apply, check
    from mpfix.report import Report
    from mpfix.rule import Rule

__version__ = "0.1.0"

__all__ = ["Diagnostic", "Report", "Rule", "__version__", "apply", "check"]

_HOMES = {
    "Diagnostic": "mpfix.diagnostic",
    "Report": "mpfix.report",
    "Rule": "mpfix.rule",
    "apply": "mpfix.engine.pipeline",
    "check": "mpfix.engine.pipeline",
}


def __getattr__(name: str) -> object:
    # imported on first use: `mpfix --version` needs none of it
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
