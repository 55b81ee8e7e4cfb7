"""Labels: what is given to a loss as the truth, or to an embedding as ids, and whether it went through half."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.frameworks.events import Compiled, LossComputed, ModelOutput
from mpfix.frameworks.training import HALF
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.guards import Guard
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, alternatives, cases_of, fact
from mpfix.semantic.run import Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, Arguments, Bound, Constant, Library, Object, Record, Value, widened

EXACT = {"float16": 2048, "bfloat16": 256}
"""Up to here every integer is exact."""

OF_MODEL = ("keras.Model.compute_loss",)
"""What computes the loss that `compile` was given."""
FITTING = ("fit", "train_on_batch", "fit_generator")


@record
class LabelsGiven(Event):
    """Integer labels, or ids, were given to `to`: a sparse loss, an embedding, or a dataset's elements (`dataset`).

    `judged` is what they are compared with, the model or its predictions; None (the constant) where nobody knows.
    """

    labels: Value
    to: str
    judged: Value = NONE


def is_sparse(loss: Value) -> bool:
    """Whether a loss wants class ids."""
    loss = widened(loss)
    if isinstance(loss, Bound):
        loss = loss.receiver
    name = loss.value if isinstance(loss, Constant) else loss.key if isinstance(loss, (Library, Object)) else None
    return isinstance(name, str) and "sparse" in name.lower()


def note_loss(run: Run, key: str, arguments: Arguments, node: ast.AST) -> None:
    """`loss(y_true, y_pred)` of a class or function."""
    labels = arguments.get(0, "y_true") or arguments.keyword("target")
    if labels is not None and "sparse" in key.lower():
        run.emit(LabelsGiven(node, labels, "loss", arguments.get(1, "y_pred") or NONE))


def note_method(run: Run, model: Value, name: str, arguments: Arguments, node: ast.AST) -> None:
    """`fit(x, y)`, `compute_loss(x, y, y_pred)` and `compiled_loss(y, y_pred)` of a model with a sparse loss."""
    position = {"compute_loss": 1, "compiled_loss": 0}.get(name, 1 if name in FITTING else -1)
    if position < 0 or not isinstance(model, Object) or not is_sparse(run.get(model, "compile loss")):
        return
    labels = arguments.get(position, "y") or arguments.keyword("y_true")
    if labels is not None:
        run.emit(LabelsGiven(node, labels, "loss", model))


def note_elements(run: Run, element: Value, node: ast.AST) -> None:
    """What a function makes of each element of a dataset: the second part of it are the labels."""
    content = list_content(run, widened(element))
    if content is not None and len(content.items) in (2, 3):
        run.emit(LabelsGiven(node, content.items[1], "dataset"))


def note_ids(run: Run, ids: Value, node: ast.AST) -> None:
    """An embedding looks ids up."""
    run.emit(LabelsGiven(node, ids, "embedding"))


@record
class HalfLabels:
    """Labels that were cast to `dtype` at `cast` and given to something at `place`."""

    cast: Place
    place: Place
    guard: Guard
    dtype: str
    to: str


@fact
def half_labels(program: Program) -> tuple[HalfLabels, ...]:
    """Class ids, and ids of embeddings, that were cast to half: but not where all classes are known to be exact."""
    return tuple(dict.fromkeys(_half_labels(program)))


def _half_labels(program: Program) -> Iterator[HalfLabels]:
    for occurrence in program.happened(LabelsGiven):
        event = occurrence.event
        assert isinstance(event, LabelsGiven)
        if event.to == "dataset" and not _all_sparse(program):
            continue
        for case in cases_of(occurrence, "labels.dtype", "labels.cast at"):
            cast, dtype = case.at("labels.cast at"), case.constant("labels.dtype")
            if cast is not None and dtype in HALF and not _is_exact(program, event, dtype):
                yield HalfLabels(cast, case.place, case.guard, dtype, event.to)


@fact
def _all_sparse(program: Program) -> bool:
    """Whether each loss that the component names wants class ids."""
    compiled = [is_sparse(one.loss) for one in program.events(Compiled)]
    computed = ["sparse" in one.key.lower() for one in program.events(LossComputed) if one.key not in OF_MODEL]
    return bool(compiled or computed) and all(compiled) and all(computed)


def _is_exact(program: Program, event: LabelsGiven, dtype: str) -> bool:
    """Whether what labels are compared with is known to have no more classes than the dtype has exact integers."""
    if event.to == "embedding":
        return False
    tensors = [one for _, one in alternatives(event.judged)] if event.judged != NONE else []
    models = {one for one in tensors if isinstance(one, Object)}
    outputs = [one for one in program.events(ModelOutput) if not models or one.model in models]
    found = [one for one in tensors if not isinstance(one, Object)] or [one.tensor for one in outputs]
    classes = [_classes(one) for one in found]
    return bool(classes) and all(one is not None and one <= EXACT[dtype] for one in classes)


def _classes(tensor: Value) -> int | None:
    tensor = widened(tensor)
    layer = tensor.get("classes") if isinstance(tensor, Record) else NONE
    return layer.value if isinstance(layer, Constant) and isinstance(layer.value, int) else None
