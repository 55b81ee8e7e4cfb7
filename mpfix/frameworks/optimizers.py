"""Optimizers and loss scale optimizers: wrapping, scaling, applying."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks.events import Applied, OptimizerBuilt, Scaled, ScalingMethodUsed, Unscaled
from mpfix.frameworks.gradients import gradients_of, variables_of
from mpfix.frameworks.handlers import Functions, Method, Methods
from mpfix.semantic.calls import call_back
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Constant,
    Library,
    Object,
    Record,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

WRAPPERS = (
    "keras.mixed_precision.LossScaleOptimizer",
    "keras.mixed_precision.experimental.LossScaleOptimizer",
)
REWRITES = (
    "tensorflow.train.experimental.enable_mixed_precision_graph_rewrite",
    "tensorflow.compat.v1.train.experimental.enable_mixed_precision_graph_rewrite",
    "tensorflow.compat.v1.mixed_precision.enable_mixed_precision_graph_rewrite",
    "tensorflow.mixed_precision.experimental.enable_mixed_precision_graph_rewrite",
)

LOST_IN_KERAS_3 = frozenset(
    [
        "get_scaled_loss",
        "get_unscaled_gradients",
        "minimize",
        "compute_gradients",
        "loss_scale",
        "dynamic",
        "dynamic_counter",
        "_optimizer",
    ]
)
"""What the Keras 2 loss scale optimizer has and the one of Keras 3 has not."""

NEW_IN_KERAS_3 = frozenset({"scale_loss", "apply", "dynamic_scale", "step_counter"})


def make_optimizer(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """A bare optimizer."""
    optimizer = run.new_object("optimizer", node, key=function.key)
    run.set(optimizer, "wrapped", FALSE_VALUE)
    run.set(optimizer, "package", Constant(function.package))
    for name, value in arguments.keywords:
        run.set(optimizer, f"argument {name}", value)
    rate = arguments.get(0, "learning_rate")
    if rate is not None:
        run.set(optimizer, "argument learning_rate", rate)
    run.emit(OptimizerBuilt(node, optimizer, function.key, NONE))
    return optimizer


def as_optimizer(lib: KerasLibrary, run: Run, value: Value, node: ast.AST) -> Value:
    """What `compile(optimizer=...)` makes of its argument: a name becomes an optimizer."""
    if isinstance(value, Constant) and isinstance(value.value, str):
        optimizer = run.new_object("optimizer", node, key=f"keras.optimizers.{value.value}")
        run.set(optimizer, "wrapped", FALSE_VALUE)
        return optimizer
    return value


def make_wrapper(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`LossScaleOptimizer(inner, ...)`, in any spelling."""
    inner = arguments.get(0, "inner_optimizer") or arguments.get(0, "optimizer") or run.unknown(node)
    wrapper = wrap(lib, run, inner, node, key=function.key)
    run.set(wrapper, "package", Constant(function.package))
    for name, value in arguments.keywords:
        run.set(wrapper, f"argument {name}", value)
    return wrapper


def wrap(
    lib: KerasLibrary, run: Run, inner: Value, node: ast.AST, *, key: str = WRAPPERS[0], automatic: bool = False
) -> Object:
    """A loss scale optimizer around another optimizer; `automatic` when compile put it there."""
    wrapper = run.new_object("optimizer", node, key=f"{key} around {inner}" if automatic else key)
    run.set(wrapper, "wrapped", TRUE_VALUE)
    run.set(wrapper, "inner", inner)
    run.set(wrapper, "wrapped at", At(run.place(node)))
    run.set(wrapper, "automatic", Constant(automatic))
    if not automatic:
        run.emit(OptimizerBuilt(node, wrapper, key, inner))
    return wrapper


def _wrapped(run: Run, receiver: Value) -> Value:
    if isinstance(receiver, Object) and receiver.kind == "optimizer":
        return run.get(receiver, "wrapped")
    return Unknown(("wrapped", receiver), "wrapped")


def _scale(method: str) -> Method:
    def handler(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        if not arguments.positional and not arguments.keywords:
            return None
        loss = arguments.get(0, "loss") or run.unknown(node)
        if method == "get_scaled_loss":
            run.emit(ScalingMethodUsed(node, receiver, method, True, _wrapped(run, receiver)))
        run.emit(Scaled(node, receiver, loss, method, lib.recording(run)))
        return run.each(loss, lambda one: scaled_by(run, one, receiver, node))

    return handler


def scaled_by(run: Run, loss: Value, optimizer: Value, node: ast.AST) -> Value:
    """The loss times the optimizer's scale."""
    if isinstance(loss, (Record,)):
        changed: dict[str, Value] = {"scaled": optimizer, "scaled at": At(run.place(node))}
        if loss.get("scaled") != NONE:
            changed["scaled before"] = loss.get("scaled at")
        return loss.having(changed, run.place(node))
    # a loss that nobody knows is a loss all the same once it is scaled
    return Record(
        "tensor",
        run.place(node),
        {
            "scaled": optimizer,
            "scaled at": At(run.place(node)),
            "of": loss,
            "vector": Unknown(("vector", loss), "vector"),
        },
    )


def _unscale(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    given = arguments.get(0, "gradients") or arguments.get(0, "grads") or run.unknown(node)
    gradients = gradients_of(lib, run, given, node)
    run.emit(ScalingMethodUsed(node, receiver, "get_unscaled_gradients", True, _wrapped(run, receiver)))
    run.emit(Unscaled(node, receiver, gradients, "get_unscaled_gradients"))

    def unscale(one: Value) -> Value:
        if isinstance(one, Record):
            return one.having({"unscaled": receiver, "unscaled at": At(run.place(node))}, run.place(node))
        return Record(
            "gradients",
            run.place(node),
            {
                "of": one,
                "unscaled": receiver,
                "unscaled at": At(run.place(node)),
                "scaled": Unknown(("scaled", one), "scaled"),
            },
        )

    return run.each(gradients, unscale)


def _apply(method: str) -> Method:
    def handler(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        given = arguments.get(0, "grads_and_vars") or arguments.get(0, "grads") or run.unknown(node)
        gradients = gradients_of(lib, run, given, node)
        variables = arguments.get(1, "trainable_variables") if method == "apply" else variables_of(run, given)
        run.emit(Applied(node, receiver, gradients, variables or NONE, method, _wrapped(run, receiver), NONE))
        return NONE

    return handler


def _minimize(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`minimize(loss, variables, tape=tape)`; on Keras 2 it scales and unscales by itself."""
    loss = arguments.get(0, "loss") or run.unknown(node)
    call_back(run, Arguments((loss,)), node)
    run.emit(ScalingMethodUsed(node, receiver, "minimize", True, _wrapped(run, receiver)))
    gradients = Record("gradients", run.place(node), {"scaled": receiver, "unscaled": receiver, "minimize": TRUE_VALUE})
    run.emit(
        Applied(
            node, receiver, gradients, arguments.get(1, "var_list") or NONE, "minimize", _wrapped(run, receiver), NONE
        )
    )
    return NONE


def _none(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    return NONE


def optimizer_attribute(lib: KerasLibrary, run: Run, receiver: Value, name: str, node: ast.AST) -> Value | None:
    """Attributes of an optimizer; a method is bound elsewhere."""
    if name in ("inner_optimizer", "_optimizer") and isinstance(receiver, Object):
        inner = run.get(receiver, "inner")
        if name == "_optimizer":
            run.emit(ScalingMethodUsed(node, receiver, name, False, _wrapped(run, receiver)))
        return inner if inner != NONE else None
    if name in ("loss_scale", "dynamic_scale"):
        if name == "loss_scale":
            run.emit(ScalingMethodUsed(node, receiver, name, False, _wrapped(run, receiver)))
        return Record("scale", run.place(node), {"optimizer": receiver})
    if name in ("dynamic", "dynamic_counter"):
        run.emit(ScalingMethodUsed(node, receiver, name, False, _wrapped(run, receiver)))
    return None


def has_method(lib: KerasLibrary, run: Run, receiver: Value, name: str) -> bool | None:
    """`hasattr(optimizer, name)` for the names that loss scaling adds."""
    if name in ("get_scaled_loss", "get_unscaled_gradients"):
        if lib.generation == 3:
            return False
        wrapped = _wrapped(run, receiver)
        return bool(wrapped.value) if isinstance(wrapped, Constant) else None
    if name == "scale_loss":
        return lib.generation == 3
    if name in ("inner_optimizer", "initial_scale", "dynamic_growth_steps"):
        wrapped = _wrapped(run, receiver)
        return bool(wrapped.value) if isinstance(wrapped, Constant) else None
    return None


FUNCTIONS: Functions = {**dict.fromkeys(WRAPPERS, make_wrapper), **dict.fromkeys(REWRITES, make_wrapper)}
METHODS: Methods = {
    ("optimizer", "get_scaled_loss"): _scale("get_scaled_loss"),
    ("optimizer", "scale_loss"): _scale("scale_loss"),
    ("optimizer", "get_unscaled_gradients"): _unscale,
    ("optimizer", "apply_gradients"): _apply("apply_gradients"),
    ("optimizer", "apply"): _apply("apply"),
    ("optimizer", "minimize"): _minimize,
    ("optimizer", "build"): _none,
}

DUCK = frozenset({"get_scaled_loss", "get_unscaled_gradients", "scale_loss", "apply_gradients"})
"""Methods that belong to one API: they count on a receiver nobody knows."""
