"""Heads of models: what leaves them, which losses judge it, and whether anybody trains them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from mpfix.frameworks.blends import PROBABILITIES
from mpfix.frameworks.events import (
    Applied,
    Compiled,
    Fitted,
    GradientTaken,
    LogTaken,
    LossComputed,
    ModelBuilt,
    ModelCalled,
    ModelOutput,
    Predicted,
)
from mpfix.frameworks.half_values import bounded_by
from mpfix.frameworks.layers import is_default
from mpfix.frameworks.loss_kinds import kind_for
from mpfix.frameworks.training import HALF, trains
from mpfix.record import record
from mpfix.semantic.guards import Guard
from mpfix.semantic.program import Case, Program, alternatives, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, At, Constant, Object, Record, Sequence, Value


@record
class Judged:
    """A loss of one output: `kind` as `loss_kinds` tells it, None where nobody knows.

    `form`: `compile`, `class`, `function`, `logits` (a raw op), or `log` (a logarithm written by hand).
    """

    form: str
    kind: str | None
    place: Place
    dtype: Value = NONE
    """The dtype of the predictions that it gets; None (the constant) where the model hands them on."""


@fact
def outputs(program: Program) -> tuple[Occurrence, ...]:
    """The tensors that leave models which stand for themselves: no part of another one, or trained on their own."""
    found = []
    for occurrence in program.happened(ModelOutput):
        event = occurrence.event
        assert isinstance(event, ModelOutput)
        if not event.is_part or event.model in compiled_models(program) or event.model in fitted_models(program):
            found.append(occurrence)
    return tuple(found)


@fact
def compiled_models(program: Program) -> frozenset[Object]:
    """Models that are compiled."""
    return frozenset(o.event.model for o in program.happened(Compiled) if isinstance(o.event, Compiled))


@fact
def fitted_models(program: Program) -> frozenset[Object]:
    """Models that `fit` trains."""
    return frozenset(o.event.model for o in program.happened(Fitted) if isinstance(o.event, Fitted))


@fact
def differentiated_models(program: Program) -> frozenset[Object]:
    """Models that a tape saw, or whose variables are differentiated or updated."""
    found: set[Value] = set()
    for occurrence in program.happened(ModelCalled, GradientTaken, Applied):
        event = occurrence.event
        if isinstance(event, ModelCalled) and event.recording:
            found.add(event.model)
        elif isinstance(event, GradientTaken):
            found |= set(_owners(event.sources))
        elif isinstance(event, Applied):
            found |= set(_owners(event.variables))
    return frozenset(one for one in found if isinstance(one, Object))


def _owners(value: Value) -> Iterator[Value]:
    for _, one in alternatives(value):
        if isinstance(one, Record) and one.kind == "variables":
            yield one.get("owner")


@fact
def used_models(program: Program) -> frozenset[Object]:
    """Models that the program itself applies: predicts, evaluates, or calls."""
    events = (o.event for o in program.happened(Predicted, ModelCalled))
    return frozenset(event.model for event in events if isinstance(event, (Predicted, ModelCalled)))


@fact
def predicting_places(program: Program) -> frozenset[Place]:
    """Where models are made that only predict, in half: one that the same call makes for nobody seen is like them.

    A trial under the default policy says nothing about the model that is trained under another one.
    """
    predicting = {o.event.model for o in program.happened(Predicted) if isinstance(o.event, Predicted)}
    found = set()
    for occurrence in program.happened(ModelBuilt):
        event = occurrence.event
        if isinstance(event, ModelBuilt) and event.model in predicting and not is_default(event.policy):
            found.add(occurrence.place)
    return frozenset(found)


def is_trained(program: Program, model: Object) -> bool:
    """Whether a model is trained, as far as the component tells; one that is only used, or in a component that never
    trains, is not.
    """
    if model in compiled_models(program) | fitted_models(program) | differentiated_models(program):
        return True
    if any(one.form != "compile" for one in _computed(program, model)):
        return True
    return trains(program) and model not in used_models(program) and model.place not in predicting_places(program)


@fact
def feeding_models(program: Program) -> frozenset[Object]:
    """Models whose output another model gets, such as a generator's."""
    found: set[Object] = set()
    for occurrence in program.happened(ModelCalled):
        assert isinstance(occurrence.event, ModelCalled)
        for _, one in alternatives(occurrence.event.inputs):
            source = one.get("model") if isinstance(one, Record) else NONE
            if isinstance(source, Object) and source is not occurrence.event.model:
                found.add(source)
    return frozenset(found)


def losses_of(program: Program, output: ModelOutput, maker: Place) -> tuple[Judged, ...]:
    """The losses that judge the output whose values are made at `maker`, by `compile` or computed by hand."""
    return (*_compiled(program, output), *_computed(program, output.model, At(maker)))


def _compiled(program: Program, output: ModelOutput) -> Iterator[Judged]:
    names = output.names.items if isinstance(output.names, Sequence) else ()
    keys = tuple(one.value for one in names if isinstance(one, Constant))
    for occurrence in program.happened(Compiled):
        event = occurrence.event
        if not isinstance(event, Compiled) or event.model is not output.model:
            continue
        for _, kinds in alternatives(event.kinds, occurrence.guard):
            for _, kind in alternatives(kind_for(kinds, output.index, output.count, keys), occurrence.guard):
                if kind != NONE:
                    yield Judged("compile", _text(kind), occurrence.place)


def _computed(program: Program, model: Object, maker: Value = NONE) -> tuple[Judged, ...]:
    """Losses, and logarithms, of what a model gives."""
    found = []
    for occurrence in program.happened(LossComputed, LogTaken):
        event = occurrence.event
        if isinstance(event, LossComputed) and event.key == "keras.Model.compute_loss":
            continue
        given = event.predictions if isinstance(event, LossComputed) else getattr(event, "operand", NONE)
        for _, one in alternatives(given, occurrence.guard):
            if isinstance(one, Record) and one.get("model") == model and maker in (NONE, _maker(one)):
                form = event.form if isinstance(event, LossComputed) else "log"
                kind = event.kind if isinstance(event, LossComputed) else Constant("probabilities")
                found.append(Judged(form, _text(kind), occurrence.place, one.get("dtype")))
    return tuple(found)


def _maker(tensor: Value) -> Value:
    """The place that made an output's values: its activation's, else its layer's."""
    if not isinstance(tensor, Record):
        return NONE
    made = tensor.get("activation maker")
    return made if isinstance(made, At) else tensor.get("maker")


def _text(kind: Value) -> str | None:
    return kind.value if isinstance(kind, Constant) and isinstance(kind.value, str) else None


def is_half(value: Value) -> bool:
    """Whether a dtype is, or may be, one of half precision."""
    return any(isinstance(one, Constant) and one.value in HALF for _, one in alternatives(value))


def is_dense_prediction(case: Case[ModelOutput]) -> bool:
    """Whether an output holds a value for each pixel or token: a convolution's, or one of three axes or more."""
    tensor = case.event.tensor
    if not isinstance(tensor, Record):
        return False
    rank = tensor.get("rank")
    if isinstance(rank, Constant) and isinstance(rank.value, int):
        return rank.value >= 3
    layer = tensor.get("layer")
    return isinstance(layer, Object) and "Conv" in layer.key.rpartition(".")[2]


def output_cases(program: Program, *paths: str) -> Iterator[Case[ModelOutput]]:
    """The cases of the outputs that count."""
    counted = {id(occurrence) for occurrence in outputs(program)}
    for case in program.cases(ModelOutput, *paths):
        if id(case.occurrence) in counted:
            yield case


@record
class Head:
    """An output that should be float32: `kind` is what it holds, as its loss sees it, or `probabilities`.

    `blended` are probabilities that were averaged or resized, `raw` values that a loss only takes for probabilities,
    `tanh` those of a last layer whose loss nobody knows.
    `maker` is where it is made, `layer` the layer that does (None, the constant, for a function), `activation` what
    makes probabilities of logits.
    """

    case: Case[ModelOutput]
    maker: Place
    layer: Value
    policy: Value
    dtype: str
    kind: str
    losses: tuple[Judged, ...]
    activation: str = ""
    passed_by: tuple[Place, ...] = ()
    """Layers behind it that hand its values on, or blend them, in a dtype of their own."""


@fact
def half_heads(program: Program) -> tuple[Head, ...]:
    """Outputs in half precision whose loss would want float32."""
    return tuple(_heads(program, _dtype_of_half))


@fact
def heads_by_default(program: Program) -> tuple[Head, ...]:
    """Outputs that would be such heads if the default policy were a mixed one."""
    return tuple(_heads(program, lambda case, *_: "float16" if is_default(case.value("tensor.policy")) else None))


def _is_left_out(program: Program, model: Object) -> bool:
    """Whether an output without a loss of its own is no head: another model gets it, or the losses judge others."""
    compiled = (o.event for o in program.happened(Compiled))
    by_output = any(
        isinstance(event, Compiled) and event.model is model and isinstance(event.kinds, Record) for event in compiled
    )
    return model in feeding_models(program) or by_output or bool(_computed(program, model))


def _dtype_of_half(case: Case[ModelOutput], *dtypes: str) -> str | None:
    found = [case.constant(one) for one in dtypes]
    return found[0] if all(one in HALF for one in found) else None


def _heads(program: Program, dtype_of: Callable[..., str | None]) -> Iterator[Head]:
    yield from _of_probabilities(program, dtype_of, "probabilities", "tensor.activation", "tensor.dtype")
    yield from _of_probabilities(program, dtype_of, "blended", "tensor.blended")
    for case in output_cases(program, *_MADE):
        maker, dtype = case.at("tensor.maker"), dtype_of(case, "tensor.dtype")
        if maker is not None and dtype is not None:
            losses = losses_of(program, case.event, maker)
            kind = _felt_kind(program, case, dtype, losses) or _squashed(program, case, losses)
            if kind is not None:
                yield _head(case, maker, dtype, kind, losses, case.value("tensor.layer"))


def _of_probabilities(
    program: Program, dtype_of: Callable[..., str | None], kind: str, activation: str, *dtypes: str
) -> Iterator[Head]:
    """Outputs of an activation that ran in half, and of which the `dtypes` are half too."""
    layer = "tensor.blended layer" if kind == "blended" else "tensor.layer"
    names = ("tensor.activation dtype", "tensor.activation maker", "tensor.policy")
    for case in output_cases(program, activation, layer, *names, *dtypes):
        maker, dtype = case.at("tensor.activation maker"), dtype_of(case, "tensor.activation dtype", *dtypes)
        if maker is not None and dtype is not None and case.constant(activation) in PROBABILITIES:
            losses = losses_of(program, case.event, maker)
            is_judged = bool(losses) or not _is_left_out(program, case.event.model)
            if is_judged and not any(loss.kind == "regression" for loss in losses):
                found = _head(case, maker, dtype, kind, losses, case.value(layer))
                yield replace(found, activation=case.constant(activation))


_MADE = ("tensor.dtype", "tensor.maker", "tensor.layer", "tensor.policy")


def _head(
    case: Case[ModelOutput], maker: Place, dtype: str, kind: str, losses: tuple[Judged, ...], layer: Value
) -> Head:
    passed_by = case.event.tensor.get("passed by") if isinstance(case.event.tensor, Record) else NONE
    layers = passed_by.items if isinstance(passed_by, Sequence) else ()
    places = tuple(one.place for one in layers if isinstance(one, Object) and one.place != maker)
    return Head(case, maker, layer, case.value("tensor.policy"), dtype, kind, losses, passed_by=places)


def _felt_kind(program: Program, case: Case[ModelOutput], dtype: str, losses: tuple[Judged, ...]) -> str | None:
    """What a loss that suffers from a half output sees in it; predictions cast before it do no harm."""
    felt = [
        loss for loss in losses if loss.dtype == NONE or is_half(loss.dtype) or dtype != case.constant("tensor.dtype")
    ]
    kinds = {loss.kind for loss in felt}
    if "regression" in kinds:
        return "regression"
    if dtype == "float16" and _is_raw(case) and any(one.kind == "probabilities" and one.form != "log" for one in felt):
        return "raw"
    dense = program.generation == 2 and dtype == "float16" and is_dense_prediction(case)
    return "logits" if "logits" in kinds and dense else None


def _squashed(program: Program, case: Case[ModelOutput], losses: tuple[Judged, ...]) -> str | None:
    """`tanh` where an output under losses that nobody knows must be a regression: no loss takes it for logits."""
    tensor, layer = case.event.tensor, case.value("tensor.layer")
    if not isinstance(layer, Object) or layer.key != "keras.layers.Dense" or case.event.count != 1:
        return None
    if bounded_by(tensor) != Constant("tanh") or any(loss.kind is not None for loss in losses):
        return None
    is_judged = bool(losses) or not _is_left_out(program, case.event.model)
    return "tanh" if is_judged and is_trained(program, case.event.model) else None


def _is_raw(case: Case[ModelOutput]) -> bool:
    """Whether an output surely comes from no softmax or sigmoid."""
    tensor = case.event.tensor
    if not isinstance(tensor, Record) or tensor.get("blended") != NONE or tensor.get("mixed") != NONE:
        return False
    activation = tensor.get("activation")
    return isinstance(activation, Constant) and activation.value not in PROBABILITIES


@fact
def output_layers(program: Program) -> frozenset[Object]:
    """The layers that make outputs, in whatever dtype."""
    tensors = (getattr(occurrence.event, "tensor", NONE) for occurrence in outputs(program))
    found = (one for tensor in tensors if isinstance(tensor, Record) for _, one in alternatives(tensor.get("layer")))
    return frozenset(one for one in found if isinstance(one, Object))


def layers_of(heads: Iterable[Head]) -> frozenset[Object]:
    """The layers that make heads."""
    return frozenset(one.layer for one in heads if isinstance(one.layer, Object))


@record
class HiddenLogits:
    """Probabilities made in half at `maker` and cast to a wider dtype at `cast`, on their way to losses of `forms`."""

    cast: Place
    maker: Place
    activation: str
    dtype: str
    layer: Value
    forms: frozenset[str]
    guard: Guard


_HIDING = ("activation", "activation dtype", "activation maker", "cast at", "dtype", "layer")


@fact
def hidden_logits(program: Program) -> tuple[HiddenLogits, ...]:
    """Casts between a half softmax and a loss: of an output that is trained, or of predictions in a loop."""
    found = list(_hidden_outputs(program))
    for kind, operand in ((LossComputed, "predictions"), (LogTaken, "operand")):
        for case in program.cases(kind, *(f"{operand}.{name}" for name in _HIDING)):
            loss_kind = case.event.kind if isinstance(case.event, LossComputed) else NONE
            if _text(loss_kind) not in ("regression", "logits"):
                form = case.event.form if isinstance(case.event, LossComputed) else "log"
                found += _hidden(case, operand, frozenset({form}))
    return tuple(found)


def _hidden_outputs(program: Program) -> Iterator[HiddenLogits]:
    for case in output_cases(program, *(f"tensor.{name}" for name in _HIDING)):
        maker = case.at("tensor.activation maker")
        if maker is None or not is_trained(program, case.event.model):
            continue
        losses = losses_of(program, case.event, maker)
        if not any(loss.kind in ("regression", "logits") for loss in losses):
            yield from _hidden(case, "tensor", frozenset(loss.form for loss in losses) or frozenset({"compile"}))


def _hidden(case: Case[Any], head: str, forms: frozenset[str]) -> Iterator[HiddenLogits]:
    cast, maker = case.at(f"{head}.cast at"), case.at(f"{head}.activation maker")
    activation, dtype = case.constant(f"{head}.activation"), case.constant(f"{head}.activation dtype")
    wider = case.constant(f"{head}.dtype") in ("float32", "float64")
    if cast is not None and maker is not None and wider and dtype in HALF and activation in PROBABILITIES:
        yield HiddenLogits(cast, maker, activation, dtype, case.value(f"{head}.layer"), forms, case.guard)
