"""Activations by name: `keras.activations.get`, and the `activation` that a layer keeps."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import layers, rows
from mpfix.frameworks.handlers import Functions, Methods
from mpfix.frameworks.keys import canonical
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Bound,
    Class,
    Constant,
    Function,
    Library,
    Object,
    Partial,
    Record,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

LINEAR = "keras.activations.linear"
ANY = "keras.activations.get()"
"""The key of an activation that nobody knows: all of them keep the dtype of what they are given."""

KEPT = "own activation"
"""The property of a project's layer that holds the `activation` its base class was given."""


def named(value: Value) -> Value:
    """What `keras.activations.get` makes of a name, of a callable, or of something that nobody knows."""
    if value == NONE:
        return Library(LINEAR)
    if isinstance(value, Constant) and isinstance(value.value, str) and value.value.isidentifier():
        return Library(canonical(f"keras.activations.{value.value}").name, "keras")
    is_callable = isinstance(value, (Function, Bound, Library, Partial, Class, Object))
    return value if is_callable else Library(ANY)


def _get(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    given = arguments.get(0, "identifier")
    return run.each(given, named) if given is not None else None


def _apply_any(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """An activation that may be any: a tensor of the same dtype, of which little else is known."""
    made = rows.call_row(lib, run, Library("keras.activations.relu"), arguments, node)
    if made is None:
        return None
    unknown = Unknown(("activation", run.place(node)), "activation")
    return run.each(made, lambda one: one.having({"activation": unknown}) if isinstance(one, Record) else one)


def keep(run: Run, layer: Object, arguments: Arguments) -> None:
    """Remember the `activation` that `super().__init__(...)` of a project's layer hands to its base class."""
    bases = layer.cls.library_bases() if layer.cls is not None else ()
    row = layers.signature(bases[0].key.rpartition(".")[2]) if bases else layers.Signature()
    position = row.positional.index("activation") if "activation" in row.positional else None
    given = arguments.get(position, "activation")
    if given is not None:
        run.set(layer, KEPT, run.each(given, named))
    elif arguments.open_keywords or (arguments.open_positional and position is not None):
        run.set(layer, KEPT, Library(ANY))
    else:
        run.set(layer, KEPT, named(Constant(row.activation)))


def _apply_own(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`layer.activation(x)`."""
    if not isinstance(receiver, Object):
        return None
    kept = run.get(receiver, KEPT)
    return run.call(Library(ANY) if kept == NONE else kept, arguments, node)


def _apply_recurrent(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`cell.recurrent_activation(x)`."""
    return run.call(Library(ANY), arguments, node)


FUNCTIONS: Functions = {"keras.activations.get": _get, "keras.activations.deserialize": _get, ANY: _apply_any}
METHODS: Methods = {("layer", "activation"): _apply_own, ("layer", "recurrent_activation"): _apply_recurrent}
