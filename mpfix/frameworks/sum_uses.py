"""Who gets hold of gradients and of their sums, and what loops leave of them."""

from __future__ import annotations

import ast

from mpfix.frameworks import lazy_sums, sums
from mpfix.frameworks.events import Accumulated, CellCarried, Collected, GradientsUsed
from mpfix.semantic import operators
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Recurrence, Run
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Bound,
    Choice,
    Library,
    Loop,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
)

HARMLESS = frozenset(
    {
        "assign", "assign_add", "zeros_like", "zeros", "build", "global_norm", "apply_gradients", "apply",
        "get_unscaled_gradients",
    }
)  # fmt: skip
"""Last parts of what reads an accumulator, or its gradients, only to go on with it."""

OPERATORS = {
    "add": "Add", "add_n": "Add", "subtract": "Sub", "divide": "Div", "truediv": "Div", "divide_no_nan": "Div",
    "multiply": "Mult", "multiply_no_nan": "Mult", "scalar_mul": "Mult",
}  # fmt: skip
"""Functions of TensorFlow and `keras.ops` that are operators by another name."""


def operation(run: Run, key: str, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.add(total, gradient)` and its like; None where no gradients take part."""
    head, _, last = key.rpartition(".")
    name = OPERATORS.get(last)
    if name is None or not head.startswith(("tensorflow", "keras.ops")):
        return None
    values = tuple(arguments.values())
    if last == "add_n":
        content = list_content(run, values[0]) if values else None
        if content is None or not any(sums.holders(run, one) for one in content.items):
            return None
        if content.open or len(content.items) < 2:
            # the same parameter's gradients of several steps
            known = next(one for one in sums.holders(run, content.items[0]))
            unknown = Unknown(("accumulator", run.place(node)), "accumulator")
            return known.having({"accumulator": unknown}, run.place(node)) if isinstance(known, Record) else None
        values = content.items
    if len(values) < 2 or not any(sums.holders(run, one) for value in values for one in _alternatives(value)):
        return None
    result = values[0]
    for value in values[1:]:
        result = operators.binary(run, name, result, value, node)
    return result


def _alternatives(value: Value) -> tuple[Value, ...]:
    return tuple(one for _, one in value) if isinstance(value, Choice) else (value,)


# -- uses


def note_used(run: Run, function: Value, arguments: Arguments, result: Value | None, node: ast.AST) -> None:
    """A call of something that is not modelled, with gradients or sums of them in its arguments or as its receiver."""
    if run.muted or (isinstance(result, (Record, Sequence, Choice)) and _keeps_gradients(run, result)):
        return
    lazy_sums.note_call(run, function, node)
    given = [value for value in arguments.values() if sums.may_hold(value)]
    receiver = _receiver_of(function)
    if receiver is not None and sums.may_hold(receiver):
        given.append(receiver)
    held = [one for value in given for entry in _alternatives(value) for one in sums.holders(run, entry)]
    if not held:
        return
    by = _name_of(function)
    if by.rpartition(".")[2] in HARMLESS:
        return
    for one in dict.fromkeys(held):
        if isinstance(one, Record):
            run.emit(GradientsUsed(node, one, by))
        elif isinstance(one, Object) and isinstance(run.get(one, "added"), Record):
            run.emit(GradientsUsed(node, Record("gradients", run.place(node), {"accumulator": one}), by))


def _receiver_of(function: Value) -> Value | None:
    """What a method that is called belongs to."""
    if isinstance(function, Bound):
        return function.receiver
    return function.origin[1] if isinstance(function, Unknown) and function.origin[0] == "attribute" else None


def _keeps_gradients(run: Run, value: Value) -> bool:
    held = (one for entry in _alternatives(value) for one in sums.holders(run, entry))
    return any(isinstance(one, Record) for one in held)


def _name_of(function: Value) -> str:
    if isinstance(function, Bound):
        return _name_of(function.function)
    if isinstance(function, Unknown) and function.origin[0] == "attribute":
        return str(function.origin[2])
    return function.key if isinstance(function, Library) else "unknown"


# -- what loops leave


def note_carried(run: Run) -> None:
    """At the end of a run: what iterations left in accumulators, and which lists kept gradients."""
    accumulators = {o.event.accumulator for o in run.occurrences if isinstance(o.event, Accumulated)}
    for recurrence in run.recurrences:
        run.module = recurrence.loop.place.module
        with run.on_path(recurrence.guard):
            cell = sums.Cell(recurrence.box, recurrence.name)
            if cell in accumulators:
                run.emit(CellCarried(recurrence.loop.place.node, cell, recurrence.loop, _content(run, recurrence)))
            elif recurrence.name == "content":
                _note_collected(run, recurrence)


def _content(run: Run, recurrence: Recurrence) -> Value:
    return run.each(recurrence.next, lambda one: _first(run, one))


def _first(run: Run, value: Value) -> Value:
    """The element of a list that stands for all; what was stored by index, where the list is the same as before."""
    if isinstance(value, (Loop, Unknown)):
        return sums.stored_items(run, value) or value
    content = list_content(run, value)
    return content.items[0] if content is not None and len(content.items) == 1 else value


def _note_collected(run: Run, recurrence: Recurrence) -> None:
    items = recurrence.next.items if isinstance(recurrence.next, Sequence) else ()
    for item in items:
        for one in sums.holders(run, item):
            if isinstance(one, Record) and one.get("accumulator") == NONE and one.get("zeros") == NONE:
                run.emit(Collected(recurrence.loop.place.node, one))
