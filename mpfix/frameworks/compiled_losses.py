"""Loss functions of the project that `compile` gets: what Keras 2 hands to them is in the dtype of the model's output.

Keras 3 casts the predictions to float32 before it calls them, so there is nothing to know.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mpfix.frameworks.dtypes import FLOATS, may_be_half
from mpfix.frameworks.events import Compiled, ModelOutput
from mpfix.frameworks.handlers import Method, Methods
from mpfix.frameworks.loss_kinds import loss_for
from mpfix.semantic.calls import class_attribute
from mpfix.semantic.guards import TRUE, conjoin
from mpfix.semantic.program import alternatives
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Bound,
    Class,
    Constant,
    Function,
    Object,
    Partial,
    Record,
    Sequence,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

OWN_STEP = ("train_step", "compute_loss")
"""Methods by which a model calls its loss in a way of its own."""


def run_losses(lib: KerasLibrary, run: Run) -> None:
    """At the end of a run: each loss of a model that was compiled once, with the outputs that it gets."""
    if lib.generation != 2:
        return
    compiled: dict[Object, list[Occurrence]] = {}
    outputs: dict[Object, list[Occurrence]] = {}
    for occurrence in run.occurrences:
        event = occurrence.event
        if isinstance(event, Compiled):
            compiled.setdefault(event.model, []).append(occurrence)
        elif isinstance(event, ModelOutput):
            outputs.setdefault(event.model, []).append(occurrence)
    for model, places in compiled.items():
        if len(places) == 1 and not model.summary and not _trains_by_itself(run, model, places[0]):
            for output in outputs.get(model, ()):
                _run_loss(run, places[0], output)


def _trains_by_itself(run: Run, model: Object, compiled: Occurrence) -> bool:
    """Whether a method of the model's own class may call the loss with something else than the model's output."""
    if model.cls is None:
        return False
    found = (class_attribute(run, model, name, compiled.place.node) for name in OWN_STEP)
    return model.cls.has_unknown_base() or any(isinstance(one, (Bound, Function)) for one in found)


def _run_loss(run: Run, compiled: Occurrence, output: Occurrence) -> None:
    """The loss of one output, called where the model is compiled."""
    event, told = compiled.event, output.event
    assert isinstance(event, Compiled)
    assert isinstance(told, ModelOutput)
    path = conjoin(compiled.guard, output.guard, run.limits.path_literals)
    if path is None or not isinstance(told.tensor, Record) or not may_be_half(told.tensor.get("dtype")):
        return
    names = tuple(one.value for one in _items(told.names) if isinstance(one, Constant))
    predictions = told.tensor.having({"model": told.model, "symbolic": NONE})
    labels = _labels(run, told, predictions, compiled.place)
    saved = run.module, run.chain, run.loops
    run.module, run.chain, run.loops = compiled.place.module, compiled.chain, ()
    with run.on_path(path):
        for guard, losses in alternatives(event.loss, path):
            inner = run.under(guard)
            loss = loss_for(run, losses, told.index, told.count, names)
            if inner is not None and is_of_project(loss):
                with run.on_path(inner), run.contained():
                    run.call(loss, Arguments((labels, predictions)), compiled.place.node)
    run.module, run.chain, run.loops = saved


def _labels(run: Run, told: ModelOutput, predictions: Record, place: Place) -> Value:
    """The labels of an output: Keras casts floating ones to the dtype of the predictions, whole numbers stay."""
    serial = (told.model.serial, told.index)
    is_floating = Unknown(("floating labels", *serial), "y_true is floating")
    known = (frozenset({(is_floating, True)}), predictions.get("dtype"))
    dtype = run.merge([known, (TRUE, Unknown(("labels", *serial), "y_true"))])
    return Record(
        "tensor", place, {"dtype": dtype or NONE, "policy": predictions.get("policy"), "rank": predictions.get("rank")}
    )


# -- steps of a model's own


def _loss(labels: tuple[int, str], predictions: tuple[int, str]) -> Method:
    """A method that computes the loss in a step of the model's own, with the places of its arguments."""

    def run_loss(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value:
        given, predicted = arguments.get(*labels), arguments.get(*predictions)
        if lib.generation == 2 and isinstance(receiver, Object) and given is not None and predicted is not None:
            _run_own(run, receiver, given, predicted, node)
        return lib.loss(run, "class", "keras.Model.compute_loss", predicted, node)

    return run_loss


def _run_own(run: Run, model: Object, labels: Value, predictions: Value, node: ast.AST) -> None:
    """The loss of the project that a model was compiled with, with the predictions that its own step hands over."""
    tensor = widened(predictions)
    if not isinstance(tensor, Record) or not may_be_half(tensor.get("dtype")):
        return
    known = widened(labels)
    if isinstance(known, Record) and known.get("dtype") != NONE and _is_floating(known.get("dtype")):
        known = known.having({"dtype": tensor.get("dtype"), "dtype by": NONE})
    for guard, losses in alternatives(run.get(model, "compile loss")):
        inner, loss = run.under(guard), loss_for(run, losses, 0, 1, ())
        if inner is not None and is_of_project(loss):
            with run.on_path(inner), run.contained():
                run.call(loss, Arguments((known, tensor)), node)


def _is_floating(dtype: Value) -> bool:
    return all(isinstance(one, Constant) and one.value in FLOATS for _, one in alternatives(dtype))


def _items(names: Value) -> Iterator[Value]:
    yield from names.items if isinstance(names, Sequence) else ()


def is_of_project(loss: Value) -> bool:
    """Whether a loss is a function of the project, or an object of a class of its own."""
    if isinstance(loss, Partial):
        return is_of_project(loss.function)
    if isinstance(loss, Bound):
        return isinstance(loss.function, Function)
    if isinstance(loss, Object):
        return isinstance(loss.cls, Class)
    return isinstance(loss, Function)


METHODS: Methods = {
    ("model", "compute_loss"): _loss((1, "y"), (2, "y_pred")),
    ("model", "compiled_loss"): _loss((0, "y_true"), (1, "y_pred")),
}
