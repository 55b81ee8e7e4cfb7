"""Variables of the framework, as far as gradients are added to them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import dtypes, half_statistics, lazy_sums, sums
from mpfix.frameworks.events import Accumulated, Overwritten, Reset
from mpfix.frameworks.gradients import gradients_of
from mpfix.frameworks.handlers import Functions, Methods
from mpfix.record import record
from mpfix.semantic.library import Event
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


@record
class VariableMade(Event):
    """A variable was made, not the weight of a layer; how replicas keep it in step, as far as its arguments tell."""

    variable: Object
    synchronization: Value
    aggregation: Value
    initial: Value


@record
class VariableAdded(Event):
    """Something was added to a variable, whatever it is; `initial` is what the variable was made of."""

    variable: Object
    by: Value
    dtype: Value
    initial: Value


@record
class VariableSet(Event):
    """A variable got another number than zero and no gradients, something was taken from it, or it was multiplied."""

    variable: Object


def make_variable(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`tf.Variable(initial, ...)`."""
    variable = _fresh(lib, run, function, node)
    initial = arguments.get(0, "initial_value") or arguments.get(0, "initializer") or NONE
    run.set(variable, "initial", initial)
    run.set(variable, "zero", TRUE_VALUE if sums.is_zero(initial) else NONE)
    run.set(variable, "made in", Constant(run.loops))
    dtype = arguments.keyword("dtype")
    run.set(variable, "dtype", dtypes.of_initial(run, initial) if dtype is None else run.each(dtype, dtypes.as_dtype))
    if function.key == "tensorflow.Variable":
        run.set(variable, "trainable", arguments.get(1, "trainable") or TRUE_VALUE)
    kept = {name: arguments.get(None, name) or NONE for name in ("synchronization", "aggregation")}
    run.emit(VariableMade(node, variable, **kept, initial=initial))
    lazy_sums.note_made(run, variable, node)
    return variable


def _fresh(lib: KerasLibrary, run: Run, function: Library, node: ast.AST) -> Object:
    """A new variable; the one that a loop made while it was learnt is the one that it makes for good.

    Otherwise a list that a loop fills would hold two variables of one place, and nobody could tell which.
    """
    learnt = lib.learnt_variables.setdefault(run.place(node), [])
    if not run.muted and learnt:
        return learnt.pop(0)
    made = run.new_object("variable", node, key=function.key)
    if run.muted:
        learnt.append(made)
    return made


def _assign_add(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    given = arguments.get(0, "delta")
    half_statistics.note_assigned(run, receiver, "assign_add", given, node)
    added = gradients_of(lib, run, given, node) if given is not None else NONE
    if isinstance(receiver, Object):
        run.emit(VariableAdded(node, receiver, given or NONE, run.get(receiver, "dtype"), run.get(receiver, "initial")))
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
    half_statistics.note_assigned(run, receiver, "assign", given, node)
    gradients = given if sums.is_zero(given) else gradients_of(lib, run, given, node)
    run.each(gradients, lambda one: _note_assigned(run, receiver, one, node))
    return receiver


def _assign_sub(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    half_statistics.note_assigned(run, receiver, "assign_sub", arguments.get(0, "delta"), node)
    if isinstance(receiver, Object):
        run.emit(VariableSet(node, receiver))
    return None


def _note_assigned(run: Run, variable: Object, value: Value, node: ast.AST) -> Value:
    inner = widened(value)
    if not isinstance(inner, Record) or inner.kind != "gradients":
        if sums.is_zero(inner) or run.get(variable, "added") != NONE:
            run.emit(Reset(node, variable))
        else:
            run.emit(VariableSet(node, variable))
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
    elif inner.get("factor") != TRUE_VALUE:
        run.emit(VariableSet(node, variable))
    sums.remember(run, variable, inner)
    return value


def _content(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`variable.value()`: what was added to it, or just a number that it holds."""
    return sums.total(run, receiver, node) or receiver


FUNCTIONS: Functions = {
    "tensorflow.Variable": make_variable,
    "keras.Variable": make_variable,
    "keras.backend.variable": make_variable,
}
METHODS: Methods = {
    ("variable", "assign_add"): _assign_add,
    ("variable", "assign"): _assign,
    ("variable", "assign_sub"): _assign_sub,
    ("variable", "value"): _content,
    ("variable", "read_value"): _content,
}
