"""The learning rate by its name of Keras 2: `optimizer.lr`, and `set_value` on a rate that is no variable any more."""

from __future__ import annotations

import ast

from mpfix.record import record
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.values import NONE, Arguments, Bound, Constant, Library, Object, Record, Unknown, Value

NAMES = ("lr", "learning_rate")
SET_VALUE = "keras.backend.set_value"


@record
class OldRateUsed(Event):
    """`optimizer.lr` was read, or stored to; `rate` is the argument that the optimizer was made with."""

    is_stored: bool
    rate: Value


@record
class RateValueSet(Event):
    """`keras.backend.set_value` was called with the learning rate of an optimizer."""

    rate: Value


def note_attribute(run: Run, receiver: Value, node: ast.AST, *, is_stored: bool = False) -> None:
    """The `lr` of an optimizer of Keras is read, or stored to."""
    if not isinstance(node, ast.Attribute):
        return
    rate = _rate_of(run, receiver)
    if rate is not None:
        run.emit(OldRateUsed(node, is_stored, rate))


def note_call(run: Run, key: str, arguments: Arguments, node: ast.AST) -> None:
    """A call of a function that may set a learning rate."""
    given = arguments.get(0, "x") if key == SET_VALUE else None
    match given:
        case Bound(function=Library(key=name), receiver=receiver) if name.rpartition(".")[2] in NAMES:
            rate = _rate_of(run, receiver)
        case Unknown(origin=("attribute", Value() as receiver, str() as name)) if name in NAMES:
            rate = _rate_of(run, receiver)
        case _:
            rate = None
    if rate is not None:
        run.emit(RateValueSet(node, rate))


def is_of_keras(receiver: Value) -> bool:
    """Whether a value surely is an optimizer of Keras itself."""
    if isinstance(receiver, Object):
        return receiver.kind == "optimizer" and receiver.cls is None
    match receiver:
        case Unknown(origin=("attribute", Bound(function=Library(key="callback.model")), "optimizer")):
            # the model of a callback is one of Keras
            return True
    return False


def _rate_of(run: Run, receiver: Value) -> Value | None:
    """What an optimizer of Keras has as its learning rate; None where a value is not surely one."""
    if not is_of_keras(receiver):
        return None
    if isinstance(receiver, Object):
        inner = run.get(receiver, "inner")
        bare = inner if inner != NONE else receiver
        return run.property(bare, "argument learning_rate") if isinstance(bare, Object) else Unknown(("rate",), "rate")
    return Unknown(("rate", receiver), "rate")


# -- facts


@record
class OldRate:
    """A use of a learning rate that Keras 3 does not know: `kind` is `read`, `stored` or `set`."""

    occurrence: Occurrence
    kind: str
    is_schedule: bool
    is_known: bool


@fact
def old_rates(program: Program) -> tuple[OldRate, ...]:
    """Each place that uses a learning rate as on Keras 2, once; a store counts more than the read beside it."""
    found: dict[object, OldRate] = {}
    for occurrence in program.happened(OldRateUsed, RateValueSet):
        event = occurrence.event
        assert isinstance(event, (OldRateUsed, RateValueSet))
        kind = "set" if isinstance(event, RateValueSet) else "stored" if event.is_stored else "read"
        before = found.get(occurrence.place)
        if before is not None and kind == "read":
            continue
        is_schedule = isinstance(event.rate, (Object, Record)) or (before is not None and before.is_schedule)
        is_known = event.rate == NONE or isinstance(event.rate, Constant)
        is_known = is_known and (before is None or before.is_known)
        found[occurrence.place] = OldRate(before.occurrence if before else occurrence, kind, is_schedule, is_known)
    inside = {id(node) for one in found.values() if one.kind == "set" for node in _arguments(one.occurrence)}
    return tuple(one for one in found.values() if id(one.occurrence.place.node) not in inside)


def _arguments(occurrence: Occurrence) -> list[ast.expr]:
    node = occurrence.place.node
    return node.args if isinstance(node, ast.Call) else []
