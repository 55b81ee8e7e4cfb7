"""What a loss and its gradients remember of their scale, and what may have happened to values that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from mpfix.frameworks.tables import function_rows
from mpfix.semantic.values import NONE, TRUE_VALUE, Constant, Library, Record, Unknown, Value

OF_LOSS = (
    "scaled", "scaled at", "scaled again", "scaled late", "scaled method", "scaled wrapped", "scaled fixed",
    "scaled static", "hand", "hand factor", "half", "vector", "vector at", "divided", "divided at", "divided again",
    "divided again at", "summed", "loss form", "loss at",
)  # fmt: skip
"""Properties of a loss that its gradients keep: who scaled it where, `hand` for a scale made by hand, `half` for the
policy of a float16 layer it depends on, `scaled static` for a scale that may never change, `vector` for one number
per sample.
"""

OF_GRADIENTS = (
    *OF_LOSS, "unscaled", "unscaled at", "unscaled again", "divided by hand", "hand divisor", "taken", "distributed",
    "handed",
)  # fmt: skip
"""Properties of gradients that their sum keeps."""


def kept(record: Record, names: Iterable[str]) -> dict[str, Value]:
    """Those of the named properties that are set."""
    return {name: record.get(name) for name in names if record.get(name) != NONE}


def first_set(name: str, records: Iterable[Record]) -> Value:
    """The first value of a property that is set; None (the constant) when none is."""
    return next((one.get(name) for one in records if one.get(name) != NONE), NONE)


def scale_of(value: Value) -> Value:
    """Who scaled a value that is no tensor of ours: an unknown where an unknown function may have done so."""
    return Unknown(("scaled", value), "scaled") if _may_be_scaled(value) else NONE


def _may_be_scaled(value: Value) -> bool:
    if not isinstance(value, Unknown):
        return False
    if value.origin[0] == "operator":
        # nobody subtracts from a scaled loss, or squares one: this makes a loss
        return value.origin[1] in ("Add", "Mult", "Div") and any(_may_be_scaled(one) for one in value.origin[2:])
    if value.origin[0] == "call" and isinstance(value.origin[1], Library):
        return not is_plain(value.origin[1].key)
    return value.origin[0] not in ("compare", "chain", "isinstance", "hasattr", "length")


@cache
def _plain_functions() -> frozenset[str]:
    """Library functions that give numbers, conditions, files or data."""
    return frozenset(key for key, fields in function_rows() if fields.get("makes") == "plain")


def of_numbers(name: str, operands: tuple[Value, ...]) -> Record | None:
    """What arithmetic with an optimizer's loss scale and no tensor gives: the scale, or its `inverse`; else None."""
    known = [one for one in operands if isinstance(one, Record)]
    scale = next((one for one in known if one.kind == "scale"), None)
    if scale is None or any(one.kind == "tensor" for one in known):
        return None
    is_turned = name == "Div" and len(operands) == 2 and operands[1] is scale
    return scale.having({"inverse": Constant(scale.get("inverse") != TRUE_VALUE)}) if is_turned else scale


def divides(name: str, factor: Record) -> bool:
    """Whether a product or quotient with an optimizer's loss scale takes the scale away."""
    return (name != "Mult") != (factor.get("inverse") == TRUE_VALUE)


def is_plain(key: str) -> bool:
    """Whether what a library function gives is no tensor that a loss could be."""
    return key in _plain_functions()
