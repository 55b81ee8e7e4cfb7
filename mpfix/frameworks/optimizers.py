"""Optimizers and loss scale optimizers: wrapping, scaling, applying."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import optimizer_builds
from mpfix.frameworks.events import Applied, OptimizerBuilt, Scaled, ScalingMethodUsed, Unscaled
from mpfix.frameworks.gradients import gradients_of, taken, trained_half, variables_of
from mpfix.frameworks.handlers import Functions, Method, Methods
from mpfix.frameworks.learning_rates import is_of_keras
from mpfix.frameworks.scales import scale_of
from mpfix.frameworks.tapes import OPEN
from mpfix.frameworks.wrapper_arguments import note_arguments
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Bound,
    Choice,
    Constant,
    Function,
    Library,
    Object,
    Record,
    Sequence,
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
    note_arguments(run, wrapper, function.key, inner, arguments, node)
    run.set(wrapper, "package", Constant(function.package))
    for name, value in arguments.keywords:
        run.set(wrapper, f"argument {name}", value)
    mode = arguments.get(1, "dynamic") or arguments.keyword("loss_scale") or TRUE_VALUE
    is_static = lib.generation == 2 and mode not in (TRUE_VALUE, Constant("dynamic"))
    run.set(wrapper, "static", Constant(is_static))
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


def without_scaling(run: Run, optimizer: Value) -> Value:
    """An optimizer that compile was told to leave alone."""
    if isinstance(optimizer, Object):
        run.set(optimizer, "off", TRUE_VALUE)
    return optimizer


def note_policy(run: Run, optimizer: Value, policy: Value) -> None:
    """Remember of optimizers that compile wrapped which policy made it do so."""

    def note(one: Value) -> Value:
        if isinstance(one, Object) and run.get(one, "automatic") == TRUE_VALUE:
            run.set(one, "policy", run.each(policy, lambda p: At(p.place) if isinstance(p, Record) else NONE))
        return one

    run.each(optimizer, note)


def is_wrapped(run: Run, receiver: Value) -> Value:
    """Whether an optimizer scales losses."""
    if isinstance(receiver, Object) and receiver.kind == "optimizer":
        return run.get(receiver, "wrapped")
    return Unknown(("wrapped", receiver), "wrapped")


CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")


def state_of(lib: KerasLibrary, run: Run, receiver: Value, node: ast.AST) -> Record:
    """What an optimizer is at this moment, as events remember it."""
    backend = run.get_global("environment KERAS_BACKEND")
    foreign = TRUE_VALUE if isinstance(backend, Constant) and backend.value != "tensorflow" else NONE
    distributed = run.get_global("distributed") or foreign
    if not (isinstance(receiver, Object) and receiver.kind == "optimizer"):
        return Record("optimizer", run.place(node), {"wrapped": is_wrapped(run, receiver), "distributed": distributed})
    names = ("wrapped", "wrapped at", "automatic", "policy", "inner", "off")
    properties = {name: run.get(receiver, name) for name in names if run.get(receiver, name) != NONE}
    inner = run.get(receiver, "inner")
    bare = inner if inner != NONE else receiver
    properties["made at"] = run.each(bare, lambda one: At(one.place) if isinstance(one, Object) else one)
    properties["factor"] = run.property(bare, "argument loss_scale_factor")
    properties["accumulates"] = _argument(run, bare, "gradient_accumulation_steps")
    properties["rate"] = _argument(run, bare, "learning_rate")
    properties["momentum"] = _argument(run, bare, "momentum")
    properties["clips"] = Constant(any(_argument(run, bare, name) != NONE for name in CLIPS))
    own = run.get(receiver, "distributed")
    properties["distributed"] = own if own != NONE else distributed
    return Record("optimizer", run.place(node), properties)


def _argument(run: Run, optimizer: Value, name: str) -> Value:
    return run.property(optimizer, f"argument {name}") if not isinstance(optimizer, Unknown) else NONE


def _scale(method: str) -> Method:
    def handler(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        if not arguments.positional and not arguments.keywords:
            return None
        loss = arguments.get(0, "loss") or run.unknown(node)
        if method == "get_scaled_loss":
            _use(lib, run, receiver, method, node)
        recording = _may_record(run)
        run.emit(Scaled(node, receiver, loss, method, recording))
        return run.each(loss, lambda one: scaled_by(run, one, receiver, node, method, late=not recording))

    return handler


def _use(lib: KerasLibrary, run: Run, receiver: Value, name: str, node: ast.AST, *, called: bool = True) -> None:
    state = state_of(lib, run, receiver, node)
    run.emit(ScalingMethodUsed(node, receiver, name, called, is_wrapped(run, receiver), state))


def _may_record(run: Run) -> bool:
    """Whether some tape may be recording."""
    tapes = run.get_global(OPEN)
    sides = [one for _, one in tapes] if isinstance(tapes, Choice) else [tapes]
    return any(not isinstance(one, Sequence) or bool(one.items) for one in sides if one is not None)


def scaled_by(
    run: Run, loss: Value, optimizer: Value, node: ast.AST, method: str = "scale_loss", *, late: bool = False
) -> Value:
    """The loss times the optimizer's scale; `late` when no tape recorded it."""
    place = At(run.place(node))
    inner = run.property(optimizer, "inner") if isinstance(optimizer, Object) else NONE
    factor = _argument(run, inner if inner != NONE else optimizer, "loss_scale_factor")
    changed: dict[str, Value] = {
        "scaled": optimizer,
        "scaled at": place,
        "scaled method": Constant(method),
        "scaled wrapped": is_wrapped(run, optimizer),
        "scaled late": Constant(late),
        "scaled fixed": Constant(factor != NONE),
        "scaled static": run.get(optimizer, "static") if isinstance(optimizer, Object) else NONE,
    }
    if isinstance(loss, Record):
        if loss.get("scaled") != NONE:
            changed["scaled again"] = loss.get("scaled at")
        return loss.having(changed, run.place(node))
    # a loss that nobody knows is a loss all the same once it is scaled
    unknown = {"of": loss, "vector": Unknown(("vector", loss), "vector"), "hand": scale_of(loss)}
    return Record("tensor", run.place(node), {**unknown, **changed})


def _unscale(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    given = arguments.get(0, "gradients") or arguments.get(0, "grads") or run.unknown(node)
    gradients = gradients_of(lib, run, given, node)
    _use(lib, run, receiver, "get_unscaled_gradients", node)
    run.emit(Unscaled(node, receiver, gradients, "get_unscaled_gradients"))
    place = run.place(node)
    changed: dict[str, Value] = {"unscaled": receiver, "unscaled at": At(place)}

    def unscale(one: Value) -> Value:
        if isinstance(one, Record):
            again = {"unscaled again": one.get("unscaled at")} if one.get("unscaled") != NONE else {}
            return one.having({**changed, **again}, place)
        return Record("gradients", place, {"of": one, "scaled": Unknown(("scaled", one), "scaled"), **changed})

    return run.each(gradients, unscale)


def _told_apart(state: Record, arguments: Arguments) -> Record:
    """The state with `apart` where the update may be told that each replica applies its own gradients."""
    skips = arguments.get(None, "skip_gradients_aggregation") or FALSE_VALUE
    sums_up = arguments.get(None, "experimental_aggregate_gradients") or TRUE_VALUE
    return state if skips == FALSE_VALUE and sums_up == TRUE_VALUE else state.having({"apart": TRUE_VALUE})


def _apply(method: str) -> Method:
    def handler(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        given = arguments.get(0, "grads_and_vars") or arguments.get(0, "grads") or run.unknown(node)
        gradients = gradients_of(lib, run, given, node)
        variables = arguments.get(1, "trainable_variables") if method == "apply" else variables_of(run, given)
        state = _told_apart(state_of(lib, run, receiver, node), arguments)
        wrapped = is_wrapped(run, receiver)
        run.emit(Applied(node, receiver, gradients, variables or NONE, method, wrapped, NONE, state))
        return NONE

    return handler


def _minimize(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`minimize(loss, variables, tape=tape)`; on Keras 2 it scales and unscales by itself."""
    if isinstance(receiver, Unknown):
        return None
    loss = arguments.get(0, "loss") or run.unknown(node)
    variables = arguments.get(1, "var_list") or NONE
    with run.contained():
        value = run.call(loss, Arguments(), node) if isinstance(loss, (Function, Bound)) else loss
    _use(lib, run, receiver, "minimize", node)
    gradients = taken(run, value, NONE, node, trained_half(run, variables))
    gradients = gradients.having({"minimize": TRUE_VALUE})
    state, wrapped = state_of(lib, run, receiver, node), is_wrapped(run, receiver)
    run.emit(Applied(node, receiver, gradients, variables, "minimize", wrapped, NONE, state))
    return NONE


def optimizer_attribute(lib: KerasLibrary, run: Run, receiver: Value, name: str, node: ast.AST) -> Value | None:
    """Attributes of an optimizer; a method is bound elsewhere."""
    if name in ("inner_optimizer", "_optimizer") and isinstance(receiver, Object):
        inner = run.get(receiver, "inner")
        if name == "_optimizer":
            _use(lib, run, receiver, name, node, called=False)
        return inner if inner != NONE else None
    if name in ("loss_scale", "dynamic_scale"):
        if name == "loss_scale":
            _use(lib, run, receiver, name, node, called=False)
        return Record("scale", run.place(node), {"optimizer": receiver})
    if name in ("dynamic", "dynamic_counter", "compute_gradients"):
        _use(lib, run, receiver, name, node, called=False)
    return None


def has_method(lib: KerasLibrary, run: Run, receiver: Value, name: str) -> bool | None:
    """`hasattr(optimizer, name)` for the names that loss scaling adds."""
    if name in ("get_scaled_loss", "get_unscaled_gradients"):
        if lib.generation == 3:
            return False
        wrapped = is_wrapped(run, receiver)
        return bool(wrapped.value) if isinstance(wrapped, Constant) else None
    if name == "scale_loss":
        return lib.generation == 3
    if name == "lr" and is_of_keras(receiver):
        return lib.generation == 2
    if name in ("inner_optimizer", "initial_scale", "dynamic_growth_steps"):
        wrapped = is_wrapped(run, receiver)
        return bool(wrapped.value) if isinstance(wrapped, Constant) else None
    return None


def class_has(lib: KerasLibrary, owner: Library, name: str) -> bool | None:
    """`hasattr` of a library's class or package, where the Keras generation decides."""
    is_wrapper = owner.key in WRAPPERS or owner.key == "keras.optimizers.LossScaleOptimizer"
    if is_wrapper or owner.key.startswith(("keras.optimizers.", "keras.Optimizer")):
        if name == "scale_loss":
            return lib.generation == 3
        if name in ("get_scaled_loss", "get_unscaled_gradients"):
            return lib.generation == 2 and is_wrapper
    if owner.key == "keras" and name == "__version__" and owner.package != "keras":
        return lib.generation == 3
    return None


FUNCTIONS: Functions = {**dict.fromkeys(WRAPPERS, make_wrapper), **dict.fromkeys(REWRITES, make_wrapper)}
METHODS: Methods = {
    ("optimizer", "get_scaled_loss"): _scale("get_scaled_loss"),
    ("optimizer", "scale_loss"): _scale("scale_loss"),
    ("optimizer", "get_unscaled_gradients"): _unscale,
    ("optimizer", "apply_gradients"): _apply("apply_gradients"),
    ("optimizer", "apply"): _apply("apply"),
    ("optimizer", "minimize"): _minimize,
    **optimizer_builds.METHODS,
}

DUCK = frozenset({"get_scaled_loss", "get_unscaled_gradients", "scale_loss", "apply_gradients", "get_updates"})
"""Methods that belong to one API: they count on a receiver nobody knows."""
