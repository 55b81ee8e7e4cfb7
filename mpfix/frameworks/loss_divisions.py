"""Scaled losses that are divided by something: by their scale, perhaps, or by a number of steps."""

from __future__ import annotations

import ast

from mpfix.record import record
from mpfix.semantic.library import Event
from mpfix.semantic.run import Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import At, Constant, Loop, Record, Unknown, Value

SMALLEST_SCALE = 64
"""A constant below it counts steps, replicas or the weight of a loss; one above may be a loss scale."""


@record
class LossDivided(Event):
    """A loss that was scaled at `scaling` was divided by its scale, or by what may be it."""

    scaling: Place


def note_divided(run: Run, loss: Record, factor: Value, node: ast.AST) -> None:
    """A loss is divided by something, or multiplied by what may be one over it."""
    scaling = loss.get("scaled at")
    if isinstance(scaling, At) and not is_count(factor):
        run.emit(LossDivided(node, scaling.place))


def is_count(value: Value) -> bool:
    """Whether a value is a number of steps or a weight, and surely no loss scale."""
    match value:
        case Constant(value=int() | float() as number):
            return 1 / SMALLEST_SCALE < abs(number) < SMALLEST_SCALE
        case Loop(initial=initial):
            return is_count(initial) or initial == Constant(0)
        case Unknown(origin=("length" | "index", *_)):
            return True
        case Unknown(origin=("operator", "Add" | "Sub", Value() as left, Constant())):
            return is_count(left)
        case Unknown(origin=("convert" | "iteration" | "loop", *parts)):
            return any(isinstance(one, Value) and is_count(one) for one in parts)
    return False
