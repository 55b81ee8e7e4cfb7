"""Positions: whole numbers that count along an axis, as values.

A tensor that holds some has `positions`, the largest of them as far as is known (`inf` where nobody knows), and
`positions at`, where a cast or a maker that says so put them into half. Shifted or scaled they are still positions.
`rated` ones were multiplied by powers, as the angles of a position encoding are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Constant,
    Library,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.semantic.syntax import Place

INDICES = frozenset(
    f"{root}.{name}"
    for root in ("tensorflow", "keras.ops", "keras.backend")
    for name in ("argmax", "argmin", "argsort", "arange")
)
"""Functions that give indices of elements."""

TOP_K = frozenset({"tensorflow.nn.top_k", "keras.ops.top_k"})
"""Functions that give values and indices."""

MARKS = ("positions", "positions at", "rated")
ROUNDING = frozenset({"floor", "ceil", "round", "rint"})
"""Functions of positions that give positions."""

PRODUCTS = frozenset({"einsum", "tensordot", "matmul", "outer"})
"""Functions that multiply positions with frequencies."""

POWERS = frozenset({"Pow", "exp"})
"""What frequencies are computed by."""


MAX_DEPTH = 4


@record
class Positions(Sequence):
    """A range as a tensor of whole numbers; `limit` is the largest, `inf` where nobody knows."""

    limit: float = math.inf


def of_range(run: Run, arguments: Arguments, made: Value) -> Value:
    """What `range` gives, as positions."""
    return Positions(made.items, made.open, largest(arguments)) if isinstance(made, Sequence) else made


def largest(arguments: Arguments) -> float:
    """The largest number that a range with these arguments may hold."""
    if arguments.open_positional or not arguments.positional:
        return math.inf
    found = 0.0
    for one in arguments.positional[:2]:
        if not isinstance(one, Constant) or not isinstance(one.value, (int, float)):
            return math.inf
        found = max(found, abs(one.value))
    return found


def limit_of(value: Value) -> float | None:
    """The largest of the positions in a value, `inf` where nobody knows; None where it holds none."""
    value = widened(value)
    if isinstance(value, Positions):
        return value.limit
    if isinstance(value, Record):
        found = value.get("positions")
        return found.value if isinstance(found, Constant) and isinstance(found.value, float) else None
    return _of_origin(value, 0) if isinstance(value, Unknown) else None


def _of_origin(value: Value, depth: int) -> float | None:
    """Positions that come from a call whose result nobody follows."""
    match value:
        case Unknown(origin=("call", Library(key=key), *_)):
            return math.inf if key in INDICES else None
        case Unknown(origin=("item", Unknown(origin=("call", Library(key=key), *_)), index)) if key in TOP_K:
            return math.inf if index == Constant(1) else None
        case Unknown(origin=("attribute", Unknown(origin=("call", Library(key=key), *_)), "indices")):
            return math.inf if key in TOP_K else None
        case Unknown(origin=("item", Unknown() as inner, *_)) if depth < MAX_DEPTH:
            return _of_origin(inner, depth + 1)
        case Unknown(origin=("operator", "Add" | "Sub", Value() as inner, Constant())) if depth < MAX_DEPTH:
            return limit_of(inner) if not isinstance(inner, Unknown) else _of_origin(inner, depth + 1)
    return None


def held(value: Value, place: Place | None = None) -> dict[str, Value]:
    """The properties of a tensor that takes positions over from a value; `place` is what put them into half."""
    limit = limit_of(value)
    if limit is None:
        return {}
    return {"positions": Constant(limit)} | ({"positions at": At(place)} if place is not None else {})


def first_item(run: Run, value: Value) -> Value:
    """The first item of a list that was given, as to `tf.stack`; other values as they are."""
    content = list_content(run, value) if isinstance(value, Object) else None
    return content.items[0] if content is not None and content.items else value


def after_operator(run: Run, name: str, operands: tuple[Value, ...], result: Value | None) -> Value | None:
    """The result of an operator: positions, or angles, or nothing of that kind any more."""
    if result is None:
        return None
    plain = tuple(widened(one) for one in operands)
    limits = [limit_of(one) for one in plain]
    main = next((one for one, limit in zip(plain, limits, strict=True) if limit is not None), None)
    marks: dict[str, Value] = dict.fromkeys(MARKS, NONE)
    if main is not None and (len(plain) == 1 or _keeps(name, plain, limits)):
        marks["positions"] = Constant(max(limit for limit in limits if limit is not None))
        if isinstance(main, Record):
            marks |= {"positions at": main.get("positions at"), "rated": main.get("rated")}
        if len(plain) > 1 and name in ("Mult", "Div") and any(_is_power(one) for one in plain):
            marks["rated"] = TRUE_VALUE
    return run.each(result, lambda one: _marked(one, marks))


def after_function(run: Run, key: str, arguments: Arguments, result: Value | None) -> Value | None:
    """The result of a function that rounds positions, or multiplies them as an operator would."""
    word = key.rpartition(".")[2]
    if result is None or (word not in ROUNDING and word not in PRODUCTS):
        return result
    tensors = tuple(
        one for one in arguments.positional if limit_of(one) is not None or isinstance(widened(one), Record)
    )
    if word in ROUNDING:
        return after_operator(run, "UAdd", tensors[:1], result)
    return after_operator(run, "Mult", tensors[:2], result)


def _marked(one: Value, marks: dict[str, Value]) -> Value:
    if not isinstance(one, Record) or one.kind != "tensor" or all(one.get(name) == to for name, to in marks.items()):
        return one
    kept = {name: value for name, value in one.properties.items() if name not in MARKS}
    return Record(one.kind, one.place, {**kept, **{name: to for name, to in marks.items() if to != NONE}})


def _keeps(name: str, operands: tuple[Value, ...], limits: list[float | None]) -> bool:
    """Whether positions stay what they are: scaled by anything, shifted by numbers or other positions."""
    if name in ("Mult", "Div", "FloorDiv"):
        return name == "Mult" or limits[0] is not None
    return name in ("Add", "Sub") and all(
        limit is not None or isinstance(one, Constant) for one, limit in zip(operands, limits, strict=True)
    )


def _is_power(value: Value) -> bool:
    """Whether a tensor holds powers or exponentials, or their reciprocals."""
    if not isinstance(value, Record):
        return False
    word, before = value.get("computed"), value.get("computed of")
    if isinstance(word, Constant) and word.value in ("Div", "reciprocal", "Mult"):
        word = before
    return isinstance(word, Constant) and word.value in POWERS
