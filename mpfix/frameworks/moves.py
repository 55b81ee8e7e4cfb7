"""Names that current releases no longer have, and what replaced them (`tables/api_moves.toml`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from mpfix.frameworks.keys import canonical
from mpfix.frameworks.tables import load_table
from mpfix.record import record


@record
class Move:
    """A removed name. `new` is None where nothing takes its place; `reason` then tells people what to do."""

    old: str
    new: str | None
    fails: str
    """The exception that using it raises."""
    reason: str | None = None
    scale_argument: int | None = None
    """Position of the argument `loss_scale`, which the replacement does not have."""


@record
class Removed:
    """A use of a removed name: the move, and the attributes that follow the moved name."""

    move: Move
    tail: tuple[str, ...]


def removed(qualified: str) -> Removed | None:
    """What became of a dotted outside name; None when it still exists, or nothing is known."""
    if "mixed_precision" not in qualified and "LossScale" not in qualified:
        return None
    head = canonical(qualified).name
    tail: tuple[str, ...] = ()
    moves = _moves()
    while "." in head:
        found = moves.get(head)
        if found is not None:
            return Removed(found, tail)
        head, _, last = head.rpartition(".")
        tail = (last, *tail)
    return None


@cache
def _moves() -> Mapping[str, Move]:
    return {
        row["old"]: Move(row["old"], row.get("new"), row["fails"], row.get("reason"), row.get("scale_argument"))
        for row in load_table("api_moves")["move"]
    }
