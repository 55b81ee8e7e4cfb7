"""Calls of what a library gives: by name, by method, of models, layers and losses."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from mpfix.frameworks import (
    activations,
    arrays,
    compiled_losses,
    distributions,
    dtype_containers,
    dtypes,
    environment,
    gradients,
    graph_updates,
    half_functions,
    half_kernels,
    half_values,
    input_casts,
    labels,
    layer_states,
    layers,
    learning_rates,
    losses,
    models,
    optimizers,
    policies,
    policy_traces,
    positions,
    replicas,
    rows,
    sessions,
    sum_uses,
    tapes,
    tensor_loops,
    tensors,
    variable_scopes,
    variables,
)
from mpfix.frameworks.events import StrategyMade
from mpfix.frameworks.handlers import Function, Method
from mpfix.semantic.calls import call_method, class_attribute
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Bound,
    Choice,
    Library,
    Object,
    Record,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

FUNCTIONS: dict[str, Function] = {
    **policies.FUNCTIONS, **layers.FUNCTIONS, **models.FUNCTIONS, **optimizers.FUNCTIONS,
    **tensors.FUNCTIONS, **losses.FUNCTIONS, **tapes.FUNCTIONS, **variables.FUNCTIONS, **environment.FUNCTIONS,
    **policy_traces.FUNCTIONS, **half_values.FUNCTIONS, **arrays.FUNCTIONS,
    **dtype_containers.FUNCTIONS, **half_functions.FUNCTIONS, **tensor_loops.FUNCTIONS,
    **activations.FUNCTIONS, **distributions.FUNCTIONS,
}  # fmt: skip
METHODS: dict[tuple[str, str], Method] = {
    **layers.METHODS, **models.METHODS, **optimizers.METHODS, **gradients.METHODS, **tensors.METHODS,
    **tapes.METHODS, **variables.METHODS, **environment.METHODS, **losses.METHODS,
    **policy_traces.METHODS, **replicas.METHODS, **dtype_containers.METHODS,
    **activations.METHODS, **layer_states.METHODS, **distributions.METHODS,
    **compiled_losses.METHODS, **graph_updates.METHODS,
}  # fmt: skip

TAPES = frozenset({"tensorflow.GradientTape"})
OLD = "tensorflow.compat.v1."
OBJECTS = frozenset({"strategy", "metric", "schedule", "callback", "initializer", "regularizer", "constraint"})
"""Roles of objects of which no more is known than that they are there."""

SINGLE_DEVICE = frozenset({"tensorflow.distribute.OneDeviceStrategy", "tensorflow.distribute.get_strategy"})
"""Strategies of one device: a step under them is an ordinary step."""


@cache
def role_of(key: str) -> str | None:
    """What instances of a library class are: `model`, `layer`, `optimizer`, `tape`, ...; None for others."""
    if key in ("keras.Model", "keras.Sequential"):
        return "model"
    if key in optimizers.WRAPPERS:
        return "optimizer"
    if key in TAPES:
        return "tape"
    if key in SINGLE_DEVICE:
        return "strategy"
    if ".nn.rnn_cell." in key and key.endswith("Cell"):
        # cells of TensorFlow 1 are Keras layers too
        return "layer"
    return rows.role_of(key)


def call_name(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """A call of a library name: a model function, a row of a table, or a class that is instantiated."""
    key = function.key
    sessions.note_call(run, key, arguments, node)
    if key.startswith(OLD) and key not in FUNCTIONS:
        # what TensorFlow 1 left under `compat.v1` does what its namesake of today does, where there is one
        key = f"tensorflow.{key[len(OLD) :]}"
    arrays.note_call(run, key, arguments, node)
    learning_rates.note_call(run, key, arguments, node)
    half_kernels.note_call(run, key, arguments, node)
    variable_scopes.note_call(run, key, arguments, node)
    handler = FUNCTIONS.get(key)
    if handler is not None:
        return handler(lib, run, function, arguments, node)
    updated = graph_updates.operation(lib, run, key, arguments, node)
    if updated is not None:
        return updated
    position = tensors.clips().get(key)
    if position is not None:
        found = gradients.clip(lib, run, key, position, arguments, node)
        if found is not None:
            return found
    found = sum_uses.operation(run, key, arguments, node)
    if found is None:
        found = half_values.called(run, key, arguments, rows.call_row(lib, run, function, arguments, node), node)
        found = positions.after_function(run, key, arguments, found)
        found = arrays.after_function(run, key, arguments, found, node)
    if found is None:
        found = half_kernels.result_of(run, key, arguments, node)
    if found is not None:
        return found
    return _construct(lib, run, function, arguments, node)


def _construct(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    key = function.key
    role = role_of(key)
    if role == "layer":
        return layers.make_layer(lib, run, function, arguments, node)
    if role == "optimizer":
        return optimizers.make_optimizer(lib, run, function, arguments, node)
    if role == "loss":
        return losses.make_loss(lib, run, function, arguments, node)
    if role in OBJECTS:
        made = run.new_object(role, node, key=key)
        if key in SINGLE_DEVICE:
            run.set(made, "single", TRUE_VALUE)
        elif role == "strategy":
            lib.distribute(run)
            _note_strategy(lib, run, key, arguments, node)
        return made
    if key.startswith("keras.applications.") and key.rpartition(".")[2][:1].isupper():
        return models.make_application(lib, run, function, arguments, node)
    if losses.is_loss_function(key):
        return losses.loss_function(lib, run, function, arguments, node)
    if key.startswith("keras.layers.") and key.rpartition(".")[2].islower() and arguments.positional:
        return run.unknown(node)
    return None


def _note_strategy(lib: KerasLibrary, run: Run, key: str, arguments: Arguments, node: ast.AST) -> None:
    given = arguments.get(0, "devices") or NONE
    devices = run.each(given, lambda one: list_content(run, one) or one)
    run.emit(StrategyMade(node, key, run.get_global("policy") or NONE, devices))
    if key.endswith("TPUStrategy"):
        run.set_global("tpu", At(run.place(node)))


def call_bound(lib: KerasLibrary, run: Run, function: Bound, arguments: Arguments, node: ast.AST) -> Value | None:
    """A call of a method of a framework object, a record, or a value nobody knows."""
    assert isinstance(function.function, Library)
    receiver = widened(function.receiver)
    name = function.function.key.rpartition(".")[2]
    role = lib.role(receiver)
    if role is None and isinstance(receiver, (Unknown, Choice)):
        role = function.function.key.partition(".")[0]
    elif isinstance(receiver, Record):
        role = receiver.kind
    handler = METHODS.get((role or "", name))
    if handler is None and role == "layer":
        handler = METHODS.get(("model", name)) if name in ("add_weight",) else None
    if name == "__call__" and isinstance(receiver, Object):
        return call_object(lib, run, receiver, arguments, node)
    if role == "model":
        labels.note_method(run, receiver, name, arguments, node)
    if role == "model":
        arrays.note_method(run, receiver, name, arguments, node)
    if handler is not None:
        return handler(lib, run, receiver, arguments, node)
    return None


def call_object(lib: KerasLibrary, run: Run, function: Object, arguments: Arguments, node: ast.AST) -> Value | None:
    """A call of a model, a layer or a loss."""
    role = lib.role(function)
    if role in ("model", "layer"):
        input_casts.note_input(lib, run, function, arguments, node)
        policy_traces.note_mapped(run, function, node)
    if role == "model":
        return models.call_model(lib, run, function, arguments, node)
    if role == "layer":
        return _call_layer(lib, run, function, arguments, node)
    if role == "loss":
        return _call_loss(lib, run, function, arguments, node)
    return None


def _call_layer(lib: KerasLibrary, run: Run, layer: Object, arguments: Arguments, node: ast.AST) -> Value:
    if layer.cls is None or class_attribute(run, layer, "call", node) is None:
        return layers.call_layer(lib, run, layer, arguments, node)
    before = dtypes.enter_scope(run, NONE)
    if run.get(layer, "build ran") == NONE:
        run.set(layer, "build ran", TRUE_VALUE)
        call_method(run, layer, "build", Arguments((Unknown(("shape",), "input_shape"),)), node)
    nesting = lib.enter_model(run)
    dtypes.enter_scope(run, layer)
    try:
        with run.contained():
            found = call_method(run, layer, "call", dtypes.call_inputs(lib, run, layer, arguments, node), node)
    finally:
        dtypes.leave_scope(run, before)
        lib.leave_model(run, nesting)
    return found if found is not None else run.unknown(node)


def _call_loss(lib: KerasLibrary, run: Run, loss: Object, arguments: Arguments, node: ast.AST) -> Value:
    if loss.cls is not None:
        found = call_method(run, loss, "call", arguments, node)
        if found is not None:
            return losses.reduced(run, loss, found, node)
    return losses.call_loss(lib, run, loss, arguments, node)
