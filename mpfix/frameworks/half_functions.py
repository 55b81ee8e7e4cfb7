"""Functions in half by something else than their first operands: counts and distances in a dtype, batch norms."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import dtypes, half_values, rows
from mpfix.frameworks.handlers import Functions
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import NONE, Arguments, Constant, Library, Record, Value, widened

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


def _dtype(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`keras.backend.dtype(x)`."""
    of = arguments.get(0, "x")
    found = dtypes.dtype_of(run, of) if of is not None else NONE
    return found if found != NONE else None


def _as_dtype(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.as_dtype(dtype)` names a dtype again."""
    given = arguments.get(0, "type_value" if function.key == "tensorflow.as_dtype" else "dtype")
    return run.each(given, dtypes.as_dtype) if given is not None else None


def _count(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.math.count_nonzero(x, dtype=...)`: counted in int64, and the number is cast."""
    given, counted = arguments.get(3, "dtype"), widened(arguments.get(0, "input") or NONE)
    if given is None or given == NONE:
        return None
    dtype = run.each(given, dtypes.as_dtype)
    properties = {"dtype": dtype, "dtype by": dtypes.given(dtype, "literal", run.place(node))}
    if isinstance(counted, Record) and counted.get("rank") != NONE:
        properties["rank"] = counted.get("rank")
    count = Record("tensor", run.place(node), properties)
    if half_values.is_half_tensor(count):
        axis = arguments.get(1, "axis") or NONE
        axis = list_content(run, axis) or axis
        half_values.note_half(run, node, "count", function.key, left=count, axis=axis)
    return count


def _normalized(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.nn.batch_normalization`: the root of the variance and a small number, in the dtype of the variance."""
    variance, epsilon = arguments.get(2, "variance"), arguments.get(5, "variance_epsilon")
    if variance is not None and epsilon is not None and half_values.is_half_tensor(variance):
        half_values.note_half(run, node, "batch norm", function.key, left=variance, right=epsilon)
    return half_values.forgetting(run, rows.call_row(lib, run, function, arguments, node))


def _distances(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tfa.image.euclidean_dist_transform(images, dtype)`: distances in pixels, whose squares are in that dtype too."""
    given = arguments.get(1, "dtype")
    dtype = Constant("float32") if given is None else run.each(given, dtypes.as_dtype)
    by = dtypes.source("default", run.place(node)) if given is None else dtypes.given(dtype, "literal", run.place(node))
    distances = Record("tensor", run.place(node), {"dtype": dtype, "dtype by": by})
    if half_values.is_half_tensor(distances):
        half_values.note_half(run, node, "distance", function.key, left=distances)
    return distances


FUNCTIONS: Functions = {
    "tensorflow_addons.image.euclidean_dist_transform": _distances,
    "keras.backend.dtype": _dtype,
    "keras.backend.standardize_dtype": _as_dtype,
    "tensorflow.as_dtype": _as_dtype,
    "tensorflow.math.count_nonzero": _count,
    "tensorflow.nn.batch_normalization": _normalized,
}
