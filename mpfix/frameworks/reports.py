"""What training code shows of its losses: what it prints, logs, puts into a metric, or returns when a step is over."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mpfix.frameworks import step_logs
from mpfix.frameworks.events import Applied, GradientTaken, Scaled
from mpfix.frameworks.loss_divisions import LossDivided, is_count
from mpfix.frameworks.surroundings import scope_around, statements_around
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.guards import Guard
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Bound,
    Choice,
    Constant,
    Library,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    widened,
)
from mpfix.semantic.values import Mapping as Entries

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

MAX_DEPTH = 12
"""How many values deep a loss is looked for in what is reported."""

LOGGERS = ("logging.", "absl.logging.", "loguru.logger.", "wandb.log", "mlflow.log_metric", "neptune.", "tqdm.")
WRITERS = frozenset({"builtins.print", "tensorflow.print", "tensorflow.summary.scalar", "pprint.pprint"})
DUCK = frozenset(
    {"update_state", "info", "debug", "warning", "set_postfix", "set_description", "log_metric", "log_metrics",
     "add_scalar"}
)  # fmt: skip
"""Methods that show or average what they are given, whoever has them."""


@record
class LossReported(Event):
    """A scaled loss was printed, logged or put into a metric: `loss` is its tensor record."""

    loss: Record


@record
class LossReturned(Event):
    """A function returned a scaled loss; `fitted` where it is a model's `train_step`, whose result `fit` reports."""

    loss: Record
    fitted: bool


# -- what happens


def note_call(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> None:
    """A call outside the project that may report what it is given."""
    if not run.muted and _reports(function):
        for value in arguments.values():
            for loss in scaled_losses(run, value):
                run.emit(LossReported(node, loss))


def note_returned(lib: KerasLibrary, run: Run, value: Value, node: ast.AST) -> None:
    """A function returns a value."""
    step_logs.note_returned(lib, run, value, node)
    if run.muted or isinstance(value, Constant) or not run.stack:
        return
    for loss in scaled_losses(run, value):
        run.emit(LossReturned(node, loss, is_train_step(run.stack[-1], lib)))


def is_train_step(function: ast.AST, lib: KerasLibrary) -> bool:
    """Whether a function is the `train_step` of a class of models."""
    if getattr(function, "name", "") not in ("train_step", "test_step"):
        return False
    classes = [cls for model in lib.models if model.cls is not None for cls in model.cls.mro()]
    return any(function in cls.node.body for cls in classes)


def _reports(function: Value) -> bool:
    if isinstance(function, Unknown):
        return function.origin[0] == "attribute" and function.origin[2] in DUCK
    match function:
        case Library(key=key):
            return _is_writer(key)
        case Bound(function=Library(key=key)):
            return key in ("metric.update_state", "metric.__call__")
        case Object(kind="metric"):
            return True
    return False


@cache
def _is_writer(key: str) -> bool:
    return key in WRITERS or key.startswith(LOGGERS)


def scaled_losses(run: Run, value: Value, depth: int = 0) -> Iterator[Record]:
    """The losses in a value that may still carry a loss scale, as far as they can be told apart from others."""
    value = widened(value)
    if depth > MAX_DEPTH:
        return
    match value:
        case Choice():
            for _, one in value:
                yield from scaled_losses(run, one, depth + 1)
        case Record(kind="tensor"):
            if value.get("scaled at") != NONE:
                yield value
        case Sequence() | Object(kind="list"):
            content = list_content(run, value)
            for one in content.items if content is not None else ():
                yield from scaled_losses(run, one, depth + 1)
        case Object(kind="dict"):
            entries = run.get(value, "content")
            for _, one in entries.entries if isinstance(entries, Entries) else ():
                yield from scaled_losses(run, one, depth + 1)
        case Unknown(origin=origin):
            for part in _parts(origin):
                yield from scaled_losses(run, part, depth + 1)


def _parts(origin: tuple[object, ...]) -> Iterator[Value]:
    """The values that an unknown one shows: a number of a tensor, or a text that it stands in."""
    match origin:
        case ("operator", "Div" | "Mult" | "FloorDiv", Value() as left, Value() as right):
            if is_count(right):
                yield left
        case ("operator", "Add" | "Sub" | "Mod", *parts) | ("convert" | "text", *parts):
            yield from (one for one in parts if isinstance(one, Value))
        case ("attribute", Value() as owner, "numpy" | "item"):
            yield owner
        case ("call", Unknown(origin=("attribute", Value() as owner, "numpy" | "item")), *_):
            yield owner
        case ("call", Value(), "format", *parts):
            yield from (one for one in parts if isinstance(one, Value))


# -- what rules ask


@dataclass(frozen=True)
class ScaledReport:
    """A loss that is reported with its loss scale: where, and where it was scaled."""

    occurrence: Occurrence
    place: Place
    scaling: Place
    guard: Guard
    overwritten: str = ""
    """The name of the loss, where the scaled loss takes it over."""


_FIELDS = ("loss.scaled at", "loss.scaled", "loss.scaled wrapped", "loss.scaled method", "loss.divided",
           "loss.divided again", "loss.scaled fixed")  # fmt: skip


@fact
def scaled_reports(program: Program) -> tuple[ScaledReport, ...]:
    """Losses that are shown while they carry a loss scale, each at the first place that does."""
    returned = [one for one in _reports_of(program, LossReturned) if _is_last_use(program, one)]
    left = {(one.scaling, one.occurrence.function) for one in returned}
    shown = [
        one
        for one in _reports_of(program, LossReported)
        # where a step returns the scaled loss, its callers need no other repair
        if all(one.scaling != scaling or one.occurrence.function is function for scaling, function in left)
    ]
    return (*returned, *shown)


def _reports_of(program: Program, kind: type[LossReported] | type[LossReturned]) -> Iterator[ScaledReport]:
    from mpfix.semantic.program import cases_of

    for occurrence in program.happened(kind):
        for case in cases_of(occurrence, *_FIELDS, allow_unknown=True):
            scaling = case.value("loss.scaled at")
            is_call = isinstance(scaling, At) and isinstance(scaling.place.node, ast.Call)
            if is_call and isinstance(scaling, At) and _carries(case.fields):
                name = _overwritten(program, scaling.place)
                yield ScaledReport(occurrence, occurrence.place, scaling.place, case.guard, name)


def _overwritten(program: Program, scaling: Place) -> str:
    """The name that a statement takes from a loss for the scaled one; empty where the loss keeps its name."""
    # a helper may do the scaling: what counts is the statement that keeps what it gives
    chains = [one.chain for one in program.happened(Scaled) if one.place == scaling]
    places = dict.fromkeys((scaling, *(place for chain in chains for place in reversed(chain))))
    return next((name for place in places if (name := _name_taken_over(program, place))), "")


def _name_taken_over(program: Program, place: Place) -> str:
    """The name that a call is given and whose value it replaces."""
    statement = statements_around(scope_around(program, place), place.node)[-1:]
    if not statement or not isinstance(statement[0], ast.Assign) or not isinstance(place.node, ast.Call):
        return ""
    given = [ast.unparse(one) for one in (*place.node.args, *(one.value for one in place.node.keywords))]
    targets = [ast.unparse(one) for one in statement[0].targets]
    return targets[0] if len(targets) == 1 and targets[0] in given else ""


def _carries(fields: Mapping[str, Value]) -> bool:
    """Whether a loss surely carries the scale of a loss scale optimizer, or one whose kind the method tells."""
    divided = [fields["loss.divided"], fields["loss.divided again"]]
    if any(one != NONE and not is_count(one) for one in divided):
        return False
    wrapped, optimizer = fields["loss.scaled wrapped"], fields["loss.scaled"]
    if wrapped == FALSE_VALUE:
        return fields["loss.scaled fixed"] == TRUE_VALUE
    is_of_keras_2 = fields["loss.scaled method"] == Constant("get_scaled_loss")
    return wrapped == TRUE_VALUE or is_of_keras_2 or isinstance(optimizer, Unknown)


def _is_last_use(program: Program, report: ScaledReport) -> bool:
    """Whether a function that returns a scaled loss has made the step of it, so that all that is left is to tell."""
    event = report.occurrence.event
    assert isinstance(event, LossReturned)
    if any(one == report.scaling for one in _divided_later(program)):
        return False
    if event.fitted:
        return True
    function = report.occurrence.function
    took = [one for one in _takes(program, report.scaling) if _is_within(one, function, report.occurrence)]
    applied = [one for one in program.happened(Applied) if _is_within(one, function, report.occurrence)]
    return bool(took) and bool(applied)


def _is_within(one: Occurrence, function: ast.AST | None, of: Occurrence) -> bool:
    """Whether something happened in a call of a function, or in what that calls."""
    if one.function is function:
        return one.chain == of.chain
    return len(one.chain) > len(of.chain) and one.chain[: len(of.chain)] == of.chain


def gradients_of_scaled(program: Program, scaling: Place) -> tuple[Place, ...]:
    """Where a loss that was scaled somewhere is differentiated."""
    return tuple(dict.fromkeys(one.place for one in _takes(program, scaling)))


def _takes(program: Program, scaling: Place) -> Iterator[Occurrence]:
    for occurrence in program.happened(GradientTaken):
        event = occurrence.event
        assert isinstance(event, GradientTaken)
        for _, target in alternatives(event.target):
            target = widened(target)
            known = target.get("scaled at") if isinstance(target, Record) else NONE
            if any(one == At(scaling) for _, one in alternatives(known)):
                yield occurrence


@fact
def _divided_later(program: Program) -> frozenset[Place]:
    """Where losses are scaled that somebody divides by what may be their scale."""
    return frozenset(event.scaling for event in program.events(LossDivided))
