"""Variables of one number in half that something is added to again and again: counters and running totals."""

from __future__ import annotations

import ast

from mpfix.frameworks.dtypes import HALVES, NumberTensor
from mpfix.frameworks.surroundings import function_around
from mpfix.frameworks.variables import VariableAdded, VariableMade
from mpfix.record import record
from mpfix.semantic.guards import Guard
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Constant, Object, Record, Unknown, Value, widened

INTEGERS = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"})

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@record
class HalfCounter:
    """A counter in `dtype`, made at `maker`; `added` is where it counts."""

    maker: Place
    added: Place
    guard: Guard
    dtype: str


@fact
def half_counters(program: Program) -> tuple[HalfCounter, ...]:
    """Counters in half that outlive the function that adds to them, once for each."""
    made = {one.event.variable: one for one in program.happened(VariableMade) if isinstance(one.event, VariableMade)}
    found: dict[Place, HalfCounter] = {}
    for case in program.cases(VariableAdded, "dtype"):
        variable, dtype = case.event.variable, case.constant("dtype")
        is_counter = dtype in HALVES and _is_number(case.event.initial) and _counts(case.event.by)
        if is_counter and _lives(program, variable, made.get(variable), case.occurrence):
            found.setdefault(variable.place, HalfCounter(variable.place, case.place, case.guard, dtype))
    return tuple(found.values())


def _is_number(initial: Value) -> bool:
    """Whether a variable begins as one number, and so has no axes."""
    return isinstance(initial, Constant) and type(initial.value) in (int, float)


def _counts(by: Value) -> bool:
    """Whether what is added is a number of things: a plain one, what was whole before, or another such variable."""
    by = widened(by)
    if isinstance(by, Constant):
        return type(by.value) in (int, float) and by.value > 0
    if isinstance(by, Record):
        before = by.get("cast from")
        return isinstance(before, Constant) and before.value in INTEGERS
    if isinstance(by, Object):
        return by.kind == "variable" and _begins_as_number(by)
    return isinstance(by, Unknown) and by.origin[0] in ("parameter", "attribute") and not by.cut


def _begins_as_number(variable: Object) -> bool:
    cells = variable.box.cells.get("initial", ())
    return bool(cells) and all(_is_number(value) or isinstance(value, NumberTensor) for _, value in cells)


def _lives(program: Program, variable: Object, made: Occurrence | None, added: Occurrence) -> bool:
    """Whether a variable was made before the function that adds to it was called, or before the loop that does."""
    if made is None:
        return function_around(program, variable.place) is not function_around(program, added.place)
    ways = (*made.chain, made.place), (*added.chain, added.place)
    first, second = next(((one, other) for one, other in zip(*ways, strict=False) if one != other), ways[0][:1] * 2)
    # what nobody calls is called from its own definition
    is_apart = isinstance(second.node, DEFINITIONS) or (
        function_around(program, first) is not function_around(program, second)
    )
    return is_apart or any(key not in made.loops for key in added.loops)
