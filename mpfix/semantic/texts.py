"""What is known of the type of values that nobody knows: the texts, and what is not None."""

from __future__ import annotations

from mpfix.semantic.values import Constant, Origin, Unknown, Value

_COMPUTED = frozenset({"operator", "convert", "text", "length", "isinstance"})
"""Kinds of unknowns that Python computes from others, and never to None."""

_TEXT_METHODS = frozenset({"format", "lower", "replace", "strip", "upper"})


def is_text(value: Value) -> bool:
    """Whether a value is surely a `str`, whichever one."""
    if isinstance(value, Constant):
        return isinstance(value.value, str)
    if not isinstance(value, Unknown):
        return False
    match value.origin:
        case ("text", *_) | ("convert", "str", _):
            return True
        case ("operator", "Add", left, right):
            return is_text(left) and is_text(right)
        case ("operator", "Mod", Constant(value=str()), _):
            return True
        case ("call", Constant(value=str()), str() as method, *_):
            return method in _TEXT_METHODS
    return False


def widened_text(origin: Origin, name: str) -> Unknown:
    """A text of which a bound says no more."""
    return Unknown(("text", *origin, "widened"), name, cut=True)


def is_not_none(value: Unknown) -> bool:
    """Whether an unknown value is surely not None."""
    return value.origin[0] in _COMPUTED or is_text(value)
