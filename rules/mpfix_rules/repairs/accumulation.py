"""Stub."""

from __future__ import annotations

from typing import Any


def once_per_window(*a: Any) -> tuple[None, str]:
    return None, "x"


accumulate_by_hand = add_instead = reset_after = zeros_before_loop = once_per_window
