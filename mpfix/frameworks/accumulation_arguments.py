"""Where training code asks Keras to accumulate: `gradient_accumulation_steps`, given to an optimizer or to a model."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from mpfix.frameworks import rows
from mpfix.frameworks.stores import AttributeSet
from mpfix.record import record
from mpfix.semantic.guards import Guard
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, cases_of, fact
from mpfix.semantic.run import Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import FALSE_VALUE, NONE, Arguments, Bound, Constant, Library, Object, Value

ARGUMENT = "gradient_accumulation_steps"
SMALLEST = 2
"""Micro batches of the shortest window that the argument takes."""


@record
class AccumulationAsked(Event):
    """The argument was given to `owner`: `optimizer` (its constructor), `compile` or `fit`.

    `optimizer` is the one that it is given to, or that the model has; None where nobody knows.
    """

    owner: str
    value: Value
    optimizer: Value


def note_call(run: Run, function: Value, arguments: Arguments, found: Value | None, node: ast.AST) -> None:
    """A call outside the project that gave `found`."""
    value = arguments.keyword(ARGUMENT)
    if value is None:
        return
    match function:
        case Library(key=key) if rows.role_of(key) == "optimizer" and "LossScale" not in key:
            run.emit(AccumulationAsked(node, "optimizer", value, found or NONE))
        case Bound(function=Library(key="model.compile"), receiver=Object()):
            given = arguments.get(0, "optimizer") or NONE
            run.emit(AccumulationAsked(node, "compile", value, run.each(given, lambda one: _bare(run, one))))
        case Bound(function=Library(key="model.fit"), receiver=Object() as model):
            known = run.get(model, "optimizer")
            run.emit(AccumulationAsked(node, "fit", value, run.each(known, lambda one: _bare(run, one))))


def _bare(run: Run, optimizer: Value) -> Value:
    """An optimizer without the wrapper around it."""
    inner = run.get(optimizer, "inner") if isinstance(optimizer, Object) else NONE
    return inner if inner != NONE else optimizer


@dataclass(frozen=True)
class BadAccumulation:
    """An argument, or an attribute, that Keras refuses or never reads.

    `fault` is `unknown` (nothing there takes it), `number` (not a number of micro batches) or `ignored`.
    """

    place: Place
    guard: Guard
    owner: str
    fault: str
    value: Value
    optimizer: Value


@fact
def bad_accumulations(program: Program) -> tuple[BadAccumulation, ...]:
    """What is wrong about `gradient_accumulation_steps` under the generation of Keras at hand."""
    found = []
    for occurrence in program.happened(AccumulationAsked):
        for case in cases_of(occurrence, "value", "optimizer", allow_unknown=True):
            value, owner = case.value("value"), case.event.owner
            refused = program.generation == 2 or owner != "optimizer"
            if refused or is_refused(value):
                fault = "unknown" if refused else "number"
                found.append(BadAccumulation(case.place, case.guard, owner, fault, value, case.value("optimizer")))
    return (*found, *_ignored(program))


def is_refused(value: Value) -> bool:
    """Whether Keras 3 raises for a number of micro batches; 0 and None switch accumulation off."""
    if not isinstance(value, Constant) or not value.value:
        return False
    number = value.value
    return not isinstance(number, (int, float)) or number < SMALLEST or number != int(number)


def _ignored(program: Program) -> list[BadAccumulation]:
    """Attributes of that name which are set on bare optimizers of Keras 2: nothing reads them."""
    if program.generation != 2:
        return []
    return [
        BadAccumulation(case.place, case.guard, "attribute", "ignored", case.value("value"), case.event.optimizer)
        for case in program.cases(AttributeSet, "value", "state.wrapped")
        if case.event.name == ARGUMENT
        and case.value("state.wrapped") == FALSE_VALUE
        and case.event.optimizer.cls is None
    ]
