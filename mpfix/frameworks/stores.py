"""Attributes that training code stores: hyperparameters on optimizers, optimizers on models."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mpfix.frameworks import half_weights, learning_rates, sessions
from mpfix.frameworks.layers import own_policy
from mpfix.frameworks.optimizers import state_of
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.library import Event
from mpfix.semantic.run import Run
from mpfix.semantic.values import NONE, TRUE_VALUE, Choice, Mapping, Object, Unknown, Value

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


@record
class AttributeSet(Event):
    """`optimizer.name = value`; `state` is what the optimizer was then."""

    optimizer: Object
    name: str
    value: Value
    state: Value = NONE


@record
class OptimizerKept(Event):
    """A model's own `compile` keeps an optimizer as its attribute `name`, or in a container that is."""

    model: Object
    name: str
    optimizer: Value


def note_read(run: Run, receiver: Value, name: str, node: ast.AST) -> None:
    """An attribute of an outside value was read: remember what rules ask about."""
    if name == "lr":
        learning_rates.note_attribute(run, receiver, node)
    elif isinstance(receiver, Unknown):
        sessions.note_attribute(run, receiver, name, node)


def note_stored(lib: KerasLibrary, run: Run, receiver: Value, name: str, value: Value, node: ast.AST) -> None:
    """An attribute was stored: remember what rules ask about."""
    if name == "lr":
        learning_rates.note_attribute(run, receiver, node, is_stored=True)
    if not isinstance(receiver, Object):
        sessions.note_stored(run, receiver, name, value, node)
        return
    half_weights.note_kept(lib, run, receiver, value, node)
    role = lib.role(receiver)
    if role == "layer" or (role == "model" and getattr(run.stack[-1] if run.stack else None, "name", "") == "build"):
        _note_part(run, value)
    if role in ("layer", "model") and name == ("dtype_policy" if lib.generation == 3 else "_dtype_policy"):
        run.set(receiver, "policy", own_policy(run, value, node))
    if role == "optimizer":
        run.emit(AttributeSet(node, receiver, name, value, state_of(lib, run, receiver, node)))
    elif role == "model" and _is_in_own_compile(run, receiver):
        for one in _optimizers_in(lib, run, value):
            run.emit(OptimizerKept(node, receiver, name, one))


def _note_part(run: Run, value: Value) -> None:
    """A model that a layer keeps is a part of it, whether or not its `call` is seen to apply it."""
    if isinstance(value, Object) and value.kind == "model" and run.get(value, "part") == NONE:
        run.set(value, "part", TRUE_VALUE)


def _is_in_own_compile(run: Run, model: Object) -> bool:
    classes = model.cls.mro() if model.cls is not None else ()
    return any(
        isinstance(function, ast.FunctionDef) and function.name == "compile" and function in cls.node.body
        for function in run.stack
        for cls in classes
    )


def _optimizers_in(lib: KerasLibrary, run: Run, value: Value) -> Iterator[Value]:
    """A value with an optimizer among its alternatives, or those that a list or dictionary holds."""
    sides = [one for _, one in value] if isinstance(value, Choice) else [value]
    if any(lib.role(one) == "optimizer" for one in sides):
        yield value
        return
    for one in sides:
        entries = run.get(one, "content") if isinstance(one, Object) and one.kind == "dict" else NONE
        if isinstance(entries, Mapping):
            parts: tuple[Value, ...] = tuple(part for _, part in entries.entries)
        else:
            content = list_content(run, one)
            parts = content.items if content is not None else ()
        yield from (part for part in parts if lib.role(part) == "optimizer")
