"""Arithmetic on values: constants are computed, sequences joined, framework values asked about, the rest is unknown."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from mpfix.semantic.run import Run
from mpfix.semantic.values import Choice, Constant, Object, Record, Sequence, Unknown, Value, derived

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mult": operator.mul,
    "Div": operator.truediv,
    "FloorDiv": operator.floordiv,
    "Mod": operator.mod,
    "Pow": operator.pow,
    "BitAnd": operator.and_,
    "BitOr": operator.or_,
    "BitXor": operator.xor,
    "LShift": operator.lshift,
    "RShift": operator.rshift,
}
UNARY: dict[str, Callable[[Any], Any]] = {"USub": operator.neg, "UAdd": operator.pos, "Invert": operator.invert}
SYMBOLS = {
    "Add": "+", "Sub": "-", "Mult": "*", "Div": "/", "FloorDiv": "//", "Mod": "%", "Pow": "**", "MatMult": "@",
    "USub": "-", "UAdd": "+", "Invert": "~",
}  # fmt: skip
LARGEST = 1 << 64
"""Constants beyond this, and texts longer than 1,000 characters, are not computed."""


def binary(run: Run, name: str, left: Value, right: Value, node: ast.AST) -> Value:
    """`left op right` for each combination of alternatives."""
    if not isinstance(left, Choice) and not isinstance(right, Choice):
        return _pair(run, name, left, right, node)
    return run.each(left, lambda a: run.each(run.restrict(right), lambda b: _pair(run, name, a, b, node)))


def _pair(run: Run, name: str, left: Value, right: Value, node: ast.AST) -> Value:
    if isinstance(left, Constant) and isinstance(right, Constant):
        return _fold(run, name, left.value, right.value, node)
    if name == "Add":
        joined = _joined(run, left, right, node)
        if joined is not None:
            return joined
    found = run.library.operator(run, name, (left, right), node)
    if found is not None:
        return found
    return derived("operator", (name, left, right), f"{_operand(left)} {SYMBOLS.get(name, name)} {_operand(right)}")


def _operand(value: Value) -> str:
    return f"({value})" if isinstance(value, Unknown) and value.origin[0] == "operator" else str(value)


def _fold(run: Run, name: str, left: Any, right: Any, node: ast.AST) -> Value:
    if name == "Pow" and not (isinstance(right, (int, float)) and abs(right) <= 64):
        return run.unknown(node)
    if name == "LShift" and not (isinstance(right, int) and 0 <= right <= 64):
        return run.unknown(node)
    if name == "Mult" and (isinstance(left, (str, bytes)) or isinstance(right, (str, bytes))):
        return run.unknown(node)
    try:
        result = BINARY[name](left, right)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, KeyError):
        return run.unknown(node)
    if (isinstance(result, int) and abs(result) > LARGEST) or (isinstance(result, (str, bytes)) and len(result) > 1000):
        return run.unknown(node)
    return Constant(result)


def _joined(run: Run, left: Value, right: Value, node: ast.AST) -> Value | None:
    """Lists and tuples put together."""
    from mpfix.semantic.containers import list_content, new_list

    first, second = list_content(run, left), list_content(run, right)
    if first is None or second is None or isinstance(left, Record) or isinstance(right, Record):
        return None
    items = first.items + (() if first.open else second.items)
    content = Sequence(items[: run.limits.entries], first.open or second.open or len(items) > run.limits.entries)
    return new_list(run, content, node) if isinstance(left, Object) else content


def unary(run: Run, name: str, value: Value, node: ast.AST) -> Value:
    """A unary operator on one alternative."""
    if isinstance(value, Constant):
        try:
            return Constant(UNARY[name](value.value))
        except (TypeError, KeyError):
            return run.unknown(node)
    found = run.library.operator(run, name, (value,), node)
    if found is not None:
        return found
    return derived("operator", (name, value), f"{SYMBOLS.get(name, name)}{value}")
