"""Updates as values: `tf.where` on the end of a window, and what `get_updates` of old Keras makes of its backend.

Before TensorFlow 2 an optimizer wrote no `apply_gradients`: its `get_updates` made the operations of one update.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import optimizers, rows, sums, variables
from mpfix.frameworks.events import Applied
from mpfix.frameworks.gradients import gradients_of
from mpfix.frameworks.handlers import Methods
from mpfix.frameworks.own_optimizers import HANDED
from mpfix.frameworks.windows import divisor_of
from mpfix.semantic.conditions import Sides, compare_values, truth_guards
from mpfix.semantic.guards import Equal
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Bound,
    Choice,
    Constant,
    Function,
    Library,
    Object,
    Record,
    Value,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

SWITCHES = {
    "tensorflow.where": ("condition", "x", "y"),
    "keras.ops.where": ("condition", "x1", "x2"),
    "keras.backend.switch": ("condition", "then_expression", "else_expression"),
}
"""Functions that take one of two values, with the names of their arguments."""

UPDATES = {"keras.backend.update": "assign", "keras.backend.update_add": "assign_add"}


def operation(lib: KerasLibrary, run: Run, key: str, arguments: Arguments, node: ast.AST) -> Value | None:
    """A call that chooses between sums, or that `get_updates` makes an update of; None for all others."""
    if key in SWITCHES:
        return _chosen(run, key, arguments, node)
    if not key.startswith("keras.backend.") or not isinstance(run.get_global(HANDED) or NONE, Record):
        return _equal(run, key, arguments, node)
    if key in UPDATES and len(arguments.positional) == 2 and sums.is_variable(arguments.positional[0]):
        method = variables.METHODS["variable", UPDATES[key]]
        return method(lib, run, arguments.positional[0], Arguments(arguments.positional[1:]), node)
    return _zeros(lib, run, arguments, node) if key == "keras.backend.zeros" else None


def _equal(run: Run, key: str, arguments: Arguments, node: ast.AST) -> Value | None:
    """`K.equal(counter % n, 0)`: a test of one number, where other operands are tensors."""
    given = arguments.positional
    if key != "keras.backend.equal" or len(given) != 2 or all(divisor_of(one) is None for one in given):
        return None
    return compare_values(run, "Eq", given[0], given[1], node)


def _zeros(lib: KerasLibrary, run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    """What `K.zeros` makes is a variable, and `get_updates` runs once, however often its operations do."""
    zeros = rows.call_row(lib, run, Library("keras.backend.zeros"), arguments, node)
    if zeros is None:
        return None
    made = variables.make_variable(lib, run, Library("keras.backend.variable"), Arguments((zeros,)), node)
    handed = run.get_global(HANDED)
    if isinstance(made, Object) and isinstance(handed, Record):
        run.set(made, "made in", Constant(()))
        # earlier batches may have added to it
        sums.remember(run, made, handed)
    return made


# -- one of two values


def _chosen(run: Run, key: str, arguments: Arguments, node: ast.AST) -> Value | None:
    """Two sums, of which the end of a window decides; a mask of elements chooses between none."""
    condition, *sides = (arguments.get(index, name) for index, name in enumerate(SWITCHES[key]))
    if condition is None or any(one is None for one in sides):
        return None
    values = [one for one in sides if one is not None]
    guards = truth_guards(run, condition) if _is_wanted(run, key, values) else (None, None)
    if not _is_window(guards):
        return None
    found = []
    for guard, value in zip(guards, values, strict=True):
        path = run.under(guard) if guard is not None else None
        if guard is not None and path is not None:
            with run.on_path(path):
                is_called = isinstance(value, (Function, Bound))
                found.append((guard, run.call(value, Arguments(), node) if is_called else value))
    return run.merge(found)


def _is_wanted(run: Run, key: str, values: list[Value]) -> bool:
    return key == "keras.backend.switch" or any(bool(sums.holders(run, one)) for one in values)


def _is_window(guards: Sides) -> bool:
    """Whether a test asks for the remainder of a number, on either side."""
    literals = [literal for guard in guards if guard is not None for literal in guard]
    return bool(literals) and all(
        divisor_of(one.subject if isinstance(one, Equal) else one) is not None for one, _ in literals
    )


# -- methods of optimizers


def _get_gradients(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`optimizer.get_gradients(loss, params)`: those of the batch at hand."""
    handed = run.get_global(HANDED)
    return handed if isinstance(handed, Record) else None


def _get_updates(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`inner.get_updates(loss, params)`: an update by what its `get_gradients` gives, also one put there."""
    if isinstance(receiver, Object) and receiver.cls is not None:
        return None
    own = _put_on(run, receiver, "get_gradients")
    loss, params = arguments.get(0, "loss") or NONE, arguments.get(1, "params") or NONE
    given = run.call(own, Arguments((loss, params)), node) if isinstance(own, (Function, Bound)) else None
    given = given if given is not None else _get_gradients(lib, run, receiver, arguments, node)
    if given is None:
        return None
    gradients = gradients_of(lib, run, given, node)
    state, wrapped = optimizers.state_of(lib, run, receiver, node), optimizers.is_wrapped(run, receiver)

    def apply(rate: Value) -> Value:
        # a rate of zero moves nothing: so are updates left out between windows
        if not sums.is_zero(rate):
            run.emit(Applied(node, receiver, gradients, params, "get_updates", wrapped, NONE, state))
        return rate

    rate = _put_on(run, receiver, "lr")
    run.each(rate if isinstance(rate, Choice) else NONE, apply)
    return run.unknown(node)


def _put_on(run: Run, receiver: Value, name: str) -> Value:
    """An attribute that the program gave an optimizer; None (the constant) where it did not."""
    box = receiver.box if isinstance(receiver, Object) else run.unknown_boxes.get(receiver)
    return (run.pick(run.store.read(box, name)) if box is not None else None) or NONE


METHODS: Methods = {("optimizer", "get_gradients"): _get_gradients, ("optimizer", "get_updates"): _get_updates}
