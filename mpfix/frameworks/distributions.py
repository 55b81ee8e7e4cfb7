"""Distributions of TensorFlow Probability: their log-likelihoods are in the dtype of their parameters.

`Independent` adds up the log-likelihoods of the elements of an event, in that dtype too.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import dtypes
from mpfix.frameworks.half_values import is_half_tensor, note_half
from mpfix.frameworks.handlers import Functions, Methods
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    Arguments,
    Constant,
    Library,
    Record,
    Sequence,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

ROOT = "tensorflow_probability.distributions"
BY_ELEMENT = {
    **dict.fromkeys(("Normal", "Laplace", "Logistic", "Cauchy", "Gumbel", "LogNormal", "TruncatedNormal"), "loc"),
    **dict.fromkeys(("Bernoulli", "ContinuousBernoulli"), "logits"),
}
"""Distributions of single numbers, by the name of their first parameter."""


def _made(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """A distribution of each element of a tensor."""
    given = arguments.get(0, BY_ELEMENT[function.key.rpartition(".")[2]])
    if given is None:
        return None

    def of(one: Value) -> Value:
        tensor = widened(one)
        is_tensor = isinstance(tensor, Record) and tensor.kind == "tensor"
        return Record("distribution", run.place(node), {"of": tensor}) if is_tensor else run.unknown(node)

    return run.each(given, of)


def _independent(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`Independent(distribution, axes)`: the last `axes` axes are one event."""
    given, axes = arguments.get(0, "distribution"), arguments.get(1, "reinterpreted_batch_ndims")
    if given is None:
        return None

    def of(one: Value) -> Value:
        inner = widened(one)
        if not isinstance(inner, Record) or inner.kind != "distribution":
            return run.unknown(node)
        return inner.having({"axes": axes or NONE, "elements": inner}, run.place(node))

    return run.each(given, of)


def _log_prob(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """The logarithm of how likely a value is: of each element, or summed over an event."""
    if not isinstance(receiver, Record):
        return None
    tensor, axes = receiver.get("of"), widened(receiver.get("axes"))
    count = axes.value if isinstance(axes, Constant) and isinstance(axes.value, int) else 0
    if count and is_half_tensor(tensor):
        axis = Sequence((Constant(-1),) * count)
        note_half(run, node, "log prob", f"{ROOT}.Independent", left=tensor, axis=axis)
    is_reduced = receiver.get("elements") != NONE
    properties = {"dtype": dtypes.dtype_of(run, tensor), "dtype by": dtypes.source_of(run, tensor)}
    return Record("tensor", run.place(node), properties | ({"reduced": TRUE_VALUE} if is_reduced else {}))


FUNCTIONS: Functions = {
    **{f"{ROOT}.{name}": _made for name in BY_ELEMENT},
    f"{ROOT}.Independent": _independent,
}
METHODS: Methods = {("distribution", "log_prob"): _log_prob}
