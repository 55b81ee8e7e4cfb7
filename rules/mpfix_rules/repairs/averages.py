"""Stub."""

from __future__ import annotations

from typing import Any


def divide_when_applied(*a: Any) -> tuple[None, str]:
    return None, "x"


undivided_loss = use_division = divide_when_applied
