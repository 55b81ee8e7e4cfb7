"""What a model's own `train_step` hands to `fit` as its logs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpfix.frameworks.events import Compiled, GradientTaken
from mpfix.frameworks.surroundings import fit_calls
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.guards import Guard
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, alternatives, cases_of, fact
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, Class, Constant, Mapping, Object, Record, Unknown, Value, widened

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

OWN_NAME = Constant("loss")
"""The name of the metric that Keras 3 keeps for the loss."""

TOUCHES = frozenset({"metrics", "_loss_tracker", "get_metrics_result", "compute_metrics", "reset_metrics"})
"""Attributes by which a class gets at that metric."""


@record
class OnlyLossReturned(Event):
    """A `train_step` returned `{"loss": loss}`, and nothing else, of a model that keeps no metric itself."""

    model: Object
    loss: Value


def note_returned(lib: KerasLibrary, run: Run, value: Value, node: ast.AST) -> None:
    """A function returns a value."""
    function = run.stack[-1] if run.stack else None
    if run.muted or getattr(function, "name", "") != "train_step":
        return
    for _, one in alternatives(value):
        entries = run.get(one, "content") if isinstance(one, Object) and one.kind == "dict" else NONE
        if not isinstance(entries, Mapping) or entries.open or [key for key, _ in entries.entries] != [OWN_NAME]:
            continue
        for model in lib.models:
            is_own = model.cls is not None and any(function in cls.node.body for cls in model.cls.mro())
            if is_own and not _keeps_metrics(lib, run, model):
                run.emit(OnlyLossReturned(node, model, entries.entries[0][1]))
                break


def _keeps_metrics(lib: KerasLibrary, run: Run, model: Object) -> bool:
    """Whether a model has, or may have, metrics besides those of Keras, or does something with these."""
    assert model.cls is not None
    if model.cls.has_unknown_base() or any(_touches_metrics(cls) for cls in model.cls.mro()):
        return True
    for name in list(model.box.cells):
        held = run.get(model, name)
        content = list_content(run, held)
        parts = content.items if content is not None else (held,)
        if any(lib.role(one) == "metric" for part in parts for _, one in alternatives(part)):
            return True
    return False


def _touches_metrics(cls: Class) -> bool:
    return any(
        (isinstance(node, ast.Attribute) and node.attr in TOUCHES)
        or (isinstance(node, ast.FunctionDef) and node.name in TOUCHES)
        for node in ast.walk(cls.node)
    )


@dataclass(frozen=True)
class ZeroLoss:
    """A `return` of a train step whose loss `fit` reports as 0."""

    place: Place
    guard: Guard
    model: Object


@fact
def zero_losses(program: Program) -> tuple[ZeroLoss, ...]:
    """The steps on Keras 3 that return a loss under the name of a metric which nobody updates."""
    found = []
    for occurrence in program.happened(OnlyLossReturned) if program.generation == 3 else ():
        for case in cases_of(occurrence, "loss"):
            model = case.event.model
            if _is_loss(program, occurrence, case.value("loss")) and _reports_it(program, occurrence, model):
                found.append(ZeroLoss(case.place, case.guard, model))
    return tuple(found)


def _is_loss(program: Program, occurrence: Occurrence, value: Value) -> bool:
    """Whether a value is the tensor of a loss, and no result of a metric."""
    value = widened(value)
    if isinstance(value, Record) and value.kind == "tensor":
        return True
    return isinstance(value, Unknown) and any(target == value for target in _targets(program, occurrence))


def _targets(program: Program, occurrence: Occurrence) -> Iterator[Value]:
    for one in program.happened(GradientTaken):
        assert isinstance(one.event, GradientTaken)
        if one.chain[: len(occurrence.chain)] == occurrence.chain:
            yield from (target for _, target in alternatives(one.event.target))


def _reports_it(program: Program, occurrence: Occurrence, model: Object) -> bool:
    """Whether `fit` runs the step, as compiled without metrics."""
    fits = [place.node for place in occurrence.chain if place in fit_calls(program)]
    if any(isinstance(node, ast.Call) and ast.unparse(node.func).endswith("train_on_batch") for node in fits):
        return False
    compiles = [one for one in program.events(Compiled) if one.model is model]
    return not any(isinstance(one.node, ast.Call) and _has_metrics(one.node) for one in compiles)


def _has_metrics(call: ast.Call) -> bool:
    named = [one.arg for one in call.keywords]
    return len(call.args) > 3 or None in named or "metrics" in named or "weighted_metrics" in named
