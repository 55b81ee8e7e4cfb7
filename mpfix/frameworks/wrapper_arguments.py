"""What loss scale optimizers are constructed with, and which of it belongs to the inner optimizer."""

from __future__ import annotations

import ast

from mpfix.record import record
from mpfix.semantic.library import Event
from mpfix.semantic.run import Run
from mpfix.semantic.values import Arguments, Constant, Object, Unknown, Value

STABLE = "keras.mixed_precision.LossScaleOptimizer"
"""The wrapper's name of today, on either generation."""

UNSEEN = "unseen"
"""The key of the optimizer of a model that was not seen to be compiled."""

CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")
"""An optimizer takes one of them."""

OF_INNER = {
    **dict.fromkeys((*CLIPS, "weight_decay", "ema_overwrite_frequency", "gradient_accumulation_steps"), None),
    "use_ema": False,
    "ema_momentum": 0.99,
}
"""Arguments of every optimizer that the wrapper does not have, with the defaults that say nothing."""

NEW_ON_INNER = frozenset({"gradient_accumulation_steps"})
"""Those that optimizers of Keras 2 do not have either."""


@record
class WrapperArgument(Event):
    """A loss scale optimizer of the kind `key` is given an argument besides the optimizer.

    By `name`, or at `position` (0 is the optimizer). `inner` is the optimizer that it wraps.
    """

    wrapper: Object
    key: str
    inner: Value
    value: Value
    name: str = ""
    position: int = -1


@record
class WrapperMade(Event):
    """A loss scale optimizer of the kind `key` is put around `inner`.

    `nested` is where that one was wrapped before: None (the constant) where it is bare.
    """

    wrapper: Object
    key: str
    inner: Value
    nested: Value


def note_arguments(run: Run, wrapper: Object, key: str, inner: Value, arguments: Arguments, node: ast.AST) -> None:
    """A loss scale optimizer is made: tell what it is put around, and what it is given besides."""
    run.emit(WrapperMade(node, wrapper, key, inner, run.each(inner, lambda one: _wrapped_at(run, one))))
    for position, value in enumerate(arguments.positional[1:], 1):
        run.emit(WrapperArgument(node, wrapper, key, inner, value, position=position))
    for name, value in arguments.keywords:
        if name not in ("inner_optimizer", "optimizer"):
            run.emit(WrapperArgument(node, wrapper, key, inner, value, name))


def _wrapped_at(run: Run, optimizer: Value) -> Value:
    if not (isinstance(optimizer, Object) and optimizer.kind == "optimizer"):
        return Unknown(("wrapped", optimizer), "wrapped")
    if is_unseen(run.get(optimizer, "inner")):
        return Unknown(("wrapped", optimizer.serial), "wrapped")
    return run.get(optimizer, "wrapped at")


def is_unseen(optimizer: Value) -> bool:
    """Whether an optimizer only stands for what a `compile` that was not seen may have been given."""
    return isinstance(optimizer, Object) and optimizer.key == UNSEEN


def says_nothing(name: str, value: Value) -> bool:
    """Whether an argument has the default of optimizers, which the wrapper of Keras 3 lets pass."""
    return isinstance(value, Constant) and value.value == OF_INNER.get(name)


LIVE = frozenset({*CLIPS, "weight_decay", "beta_1", "beta_2", "epsilon", "rho", "nesterov"})
"""Attributes that an optimizer reads in each update: they may be set after it is built."""

FIXED_WHEN_BUILT = frozenset({"momentum", "amsgrad", "centered", "use_ema", "gradient_accumulation_steps"})
"""Attributes that decide which slots an optimizer builds."""
