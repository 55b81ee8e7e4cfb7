"""Names that current releases no longer have, and what replaced them (`tables/api_moves.toml`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from mpfix.frameworks.keys import canonical
from mpfix.frameworks.tables import load_table
from mpfix.record import record

PACKAGES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.compat.v1.keras", "tensorflow.compat.v2.keras")
"""Packages of Keras as their users reach them; below `tensorflow.python.keras` and `src` are other modules."""


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
    graphs: str | None = None
    """The name that is left for code of TensorFlow 1, which builds graphs."""


@record
class Removed:
    """A use of a removed name: the move, and the attributes that follow the moved name."""

    move: Move
    tail: tuple[str, ...]


def removed(qualified: str) -> Removed | None:
    """What became of a dotted outside name; None when it still exists, or nothing is known."""
    if "mixed_precision" not in qualified and "LossScale" not in qualified:
        return None
    return _find(_spelt(qualified)) or _find(canonical(qualified).name)


def _spelt(qualified: str) -> str:
    """The name below Keras as it is spelt: its canonical key has no modules that were private."""
    for package in PACKAGES:
        if qualified.startswith(f"{package}.mixed_precision."):
            return "keras" + qualified[len(package) :]
    return ""


def _find(name: str) -> Removed | None:
    head = name
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
    optional = ("reason", "scale_argument", "graphs")
    return {
        row["old"]: Move(row["old"], row.get("new"), row["fails"], *(row.get(name) for name in optional))
        for row in load_table("api_moves")["move"]
    }
