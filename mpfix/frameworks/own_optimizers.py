"""Optimizers of the project: what `fit` makes of an `apply_gradients` that a subclass writes itself."""

from __future__ import annotations

import ast

from mpfix.record import record
from mpfix.semantic.calls import class_attribute
from mpfix.semantic.library import Event
from mpfix.semantic.loops import run_loop
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    Arguments,
    At,
    Bound,
    Constant,
    Function,
    LoopKey,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
)


@record
class GradientsHanded(Event):
    """An optimizer's own method got the gradients of a batch; whoever took them is not seen."""

    gradients: Record


UPDATES = ("apply_gradients", "apply", "get_updates")
"""The methods that an update goes through; a subclass overrides one of them."""

HANDED = "gradients handed"
"""The global that holds the gradients of the batch at hand while `get_updates` runs."""


def is_own_update(loop: LoopKey) -> bool:
    """Whether a loop runs an optimizer's own method for itself: nobody in the program makes or trains with one."""
    node = loop.place.node
    return isinstance(node, ast.FunctionDef) and node.name in UPDATES


def note_fit(run: Run, model: Object, node: ast.AST) -> None:
    """`fit` without a `train_step` of the model's own hands its optimizer the gradients of each batch."""
    if model.cls is None or class_attribute(run, model, "train_step", node) is None:
        run.each(run.get(model, "optimizer"), lambda one: _updated(run, one, model, node))


def _updated(run: Run, optimizer: Value, owner: Value, node: ast.AST) -> Value:
    if isinstance(optimizer, Object):
        run_updates(run, optimizer, owner, node)
    return optimizer


def run_updates(run: Run, optimizer: Object, owner: Value, node: ast.AST) -> bool:
    """The updates of one batch after the other by an optimizer's own method; False where it has none."""
    method = _own_method(run, optimizer, node) if optimizer.cls is not None else None
    if method is None:
        return False
    run_loop(run, LoopKey(run.place(node), 0), lambda: _update(run, method, owner, node), counted=True)
    return True


def _own_method(run: Run, optimizer: Object, node: ast.AST) -> Bound | None:
    found = (class_attribute(run, optimizer, name, node) for name in UPDATES)
    own = (one for one in found if isinstance(one, Bound) and isinstance(one.function, Function))
    return next(own, None)


def _update(run: Run, method: Bound, owner: Value, node: ast.AST) -> None:
    """Gradients of a loss that nobody sees: who scaled it, and what for, is not known."""
    place = run.place(node)
    scaled = Unknown(("scaled", place), "scaled")
    known: dict[str, Value] = {"vector": FALSE_VALUE, "scaled": scaled, "handed": At(place)}
    if isinstance(owner, Object) and _is_named(run.get(owner, "compile loss")):
        known["loss at"] = At(place)
    gradients = Record("gradients", place, known)
    run.emit(GradientsHanded(node, gradients))
    variables = Record("variables", place, {"owner": owner} if owner != NONE else {})
    given: tuple[Value, ...] = (gradients, variables)
    if isinstance(method.function, Function) and method.function.name == "apply_gradients":
        given = (Sequence((Sequence(given),), True),)
    if isinstance(method.function, Function) and method.function.name == "get_updates":
        _get_updates(run, method, gradients, variables, node)
        return
    with run.contained():
        run.call(method, Arguments(given), node)


def _get_updates(run: Run, method: Bound, gradients: Record, variables: Record, node: ast.AST) -> None:
    """`get_updates(loss, params)` of Keras before TensorFlow 2 asks for the gradients itself."""
    named = (("loss", Unknown(("loss", run.place(node)), "loss")), ("params", variables))
    before = run.enter_global(HANDED, gradients)
    try:
        with run.contained():
            run.call(method, Arguments((), named), node)
    finally:
        run.leave_global(HANDED, before)


def _is_named(loss: Value) -> bool:
    """Whether a loss is one of Keras by its name, which is the mean over the samples."""
    return isinstance(loss, Constant) and isinstance(loss.value, str)
