"""Operations on several tensors as they happen: operands whose dtypes may differ."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import dtypes
from mpfix.record import record
from mpfix.semantic.library import Event
from mpfix.semantic.run import Run
from mpfix.semantic.values import NONE, TRUE_VALUE, Arguments, Object, Record, Unknown, Value

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


@record
class DtypesMet(Event):
    """Two operands of one operation whose dtypes may differ, one of them maybe half.

    `operation` is an operator (`Add`) or the key of a function. `left_dtype` and `right_dtype` may be choices.
    `promotes` is whether the wider one is taken (`keras.ops`) instead of an error. `scope` is the layer or model whose
    `call` runs, None (the constant) outside.
    """

    operation: str
    left: Value
    right: Value
    left_dtype: Value
    right_dtype: Value
    promotes: bool
    scope: Value
    policy: Value
    """The policy of `scope`, else of what made the half tensor."""
    indices: tuple[int, int] = (0, 1)
    """Positions of both among the operands; those of `where` are its sides, items of a list count each."""


def note(run: Run, operation: str, operands: tuple[Value, ...], node: ast.AST, *, promotes: bool = False) -> None:
    """An operation on several operands was computed."""
    if run.muted:
        return
    first: tuple[Value, Value, int] | None = None
    for index, one in enumerate(operands):
        dtype = dtypes.dtype_of(run, one)
        if dtype == NONE or isinstance(dtype, Unknown):
            continue
        if first is None:
            first = one, dtype, index
        elif dtype != first[1] and (dtypes.may_be_half(dtype) or dtypes.may_be_half(first[1])):
            scope = run.get_global(dtypes.SCOPE) or NONE
            policy = run.get(scope, "policy") if isinstance(scope, Object) else policy_of(first[0], one)
            run.emit(
                DtypesMet(node, operation, first[0], one, first[1], dtype, promotes, scope, policy, (first[2], index))
            )


def policy_of(*operands: Value) -> Value:
    """The policy of the first operand that has one; None (the constant) where none has."""
    records = (one for one in operands if isinstance(one, Record))
    return next((one.get("policy") for one in records if one.get("policy") != NONE), NONE)


def note_function(lib: KerasLibrary, run: Run, key: str, arguments: Arguments, node: ast.AST) -> None:
    """A library function that takes one dtype for all of its tensors was called."""
    note(run, key, operands_of(run, key, arguments), node, promotes=promotes(lib, key))


def operands_of(run: Run, key: str, arguments: Arguments) -> tuple[Value, ...]:
    """What takes part in a function with its dtype: of `where` the two sides, else all that is no option."""
    values = arguments.positional or tuple(arguments.values())
    if key.rpartition(".")[2] in ("where", "switch"):
        sides = (arguments.get(1, "x"), arguments.get(2, "y"))
        values = tuple(one for one in sides if one is not None)
    return tuple(dtypes.tensors_in(run, values))


def promotes(lib: KerasLibrary, key: str) -> bool:
    """Whether a function takes the wider of several dtypes."""
    return lib.generation == 3 and key.startswith("keras.ops.")


def is_symbolic(run: Run, values: tuple[Value, ...]) -> bool:
    """Whether some operand is a tensor of a functional model: on Keras 3 operators promote those too.

    Inside `call` they are tensors of TensorFlow.
    """
    if isinstance(run.get_global(dtypes.SCOPE), Object):
        return False
    return any(isinstance(one, Record) and one.get("symbolic") == TRUE_VALUE for one in values)
