"""Variables of the framework, as far as gradients are added to them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import dtypes, half_statistics, sums
from mpfix.frameworks.events import Accumulated, Overwritten, Reset
from mpfix.frameworks.gradients import gradients_of
from mpfix.frameworks.handlers import Functions, Methods
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    Arguments,
    Constant,
    Library,
    LoopKey,
    Object,
    Record,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


def make_variable(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`tf.Variable(initial, ...)`."""
    variable = run.new_object("variable", node, key=function.key)
    initial = arguments.get(0, "initial_value") or arguments.get(0, "initializer") or NONE
    run.set(variable, "initial", initial)
    run.set(variable, "zero", TRUE_VALUE if sums.is_zero(initial) else NONE)
    run.set(variable, "made in", Constant(run.loops))
    dtype = arguments.keyword("dtype")
    run.set(variable, "dtype", dtypes.of_initial(run, initial) if dtype is None else run.each(dtype, dtypes.as_dtype))
    return variable


def _assign_add(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    half_statistics.note_assigned(run, receiver, "assign_add", node)
    given = arguments.get(0, "delta")
    added = gradients_of(lib, run, given, node) if given is not None else NONE
    if isinstance(receiver, Object):
        run.each(added, lambda one: _note_added(run, receiver, one, node))
    return receiver


def _note_added(run: Run, accumulator: Object, added: Value, node: ast.AST) -> Value:
    if isinstance(added, Record) and added.kind == "gradients":
        run.emit(Accumulated(node, accumulator, added, _loops(run, accumulator)))
        sums.remember(run, accumulator, added)
    return added


def _loops(run: Run, variable: Object) -> tuple[LoopKey, ...]:
    """The loops that hand a variable's value on: those that go on after it was made."""
    made_in = run.get(variable, "made in")
    inside = made_in.value if isinstance(made_in, Constant) and made_in.value else ()
    return tuple(key for key in reversed(run.loops) if key not in inside)


def _assign(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    given = arguments.get(0, "value")
    if not isinstance(receiver, Object) or given is None:
        return None
    half_statistics.note_assigned(run, receiver, "assign", node)
    gradients = given if sums.is_zero(given) else gradients_of(lib, run, given, node)
    run.each(gradients, lambda one: _note_assigned(run, receiver, one, node))
    return receiver


def _assign_sub(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    half_statistics.note_assigned(run, receiver, "assign_sub", node)
    return None


def _note_assigned(run: Run, variable: Object, value: Value, node: ast.AST) -> Value:
    inner = widened(value)
    if not isinstance(inner, Record) or inner.kind != "gradients":
        if sums.is_zero(inner) or run.get(variable, "added") != NONE:
            run.emit(Reset(node, variable))
        if isinstance(inner, Unknown) and run.get(variable, "added") != NONE:
            run.set(variable, "added", inner)
        return value
    accumulator = inner.get("accumulator")
    if accumulator == variable and inner.get("factor") == NONE:
        return _note_added(run, variable, inner, node)
    if accumulator == NONE:
        run.emit(Overwritten(node, variable, inner))
    elif accumulator != variable:
        run.emit(Reset(node, variable))
    sums.remember(run, variable, inner)
    return value


FUNCTIONS: Functions = {
    "tensorflow.Variable": make_variable,
    "keras.Variable": make_variable,
    "keras.backend.variable": make_variable,
}
METHODS: Methods = {
    ("variable", "assign_add"): _assign_add,
    ("variable", "assign"): _assign,
    ("variable", "assign_sub"): _assign_sub,
}
