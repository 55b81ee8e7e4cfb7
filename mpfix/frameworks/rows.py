"""What library functions give, as far as a row of `tables/functions.toml` can say it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mpfix.frameworks import layers, optimizers, policies
from mpfix.frameworks.events import LogTaken
from mpfix.frameworks.layers import first_tensor
from mpfix.frameworks.scales import OF_GRADIENTS, scale_of
from mpfix.frameworks.tables import function_rows, load_table
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Bound,
    Choice,
    Class,
    Constant,
    Function,
    Library,
    Partial,
    Record,
    Sequence,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

PYTHON_DTYPES = {bool: "bool", int: "int32", float: "float32", str: "string"}
"""What TensorFlow makes of Python's own numbers."""

FLATTENING = frozenset(
    {"squeeze", "reshape", "gather", "gather_nd", "boolean_mask", "slice", "flatten", "batch_gather"}
)
"""Functions that may leave a tensor of one axis."""

OF_ELEMENTS = ("symbolic", "model", "policy", "layer", "maker", "half", "random", "flat", *OF_GRADIENTS)
"""Properties of a tensor that stay when something is computed of each element."""


@dataclass(frozen=True, slots=True)
class Row:
    """One behaviour of library functions; the fields are those of the table."""

    makes: str
    passes: str
    dtype: tuple[str, ...]
    args: tuple[str, ...]
    gives: Constant | None
    emits: str | None
    unless: str | None


def row_of(key: str) -> Row | None:
    """The row of a library function, by canonical key; names of TensorFlow 1 count as those of today."""
    found = _rows().get(key)
    if found is None and key.startswith("tensorflow.compat.v1."):
        found = _rows().get("tensorflow." + key[21:])
    return found


def role_of(key: str) -> str | None:
    """What instances of a library class are (`layer`, `optimizer`, ...) by the namespace it is in; None for others."""
    name = key.rpartition(".")[2]
    if not name[:1].isupper():
        return None
    for prefix, suffix, role in _roles():
        if key.startswith(prefix) and name.endswith(suffix):
            return role
    return None


@cache
def _roles() -> tuple[tuple[str, str, str], ...]:
    return tuple((row["below"], row.get("suffix", ""), row["makes"]) for row in load_table("classes")["row"])


@cache
def _rows() -> Mapping[str, Row]:
    made: dict[int, Row] = {}
    return {key: made.get(id(fields)) or made.setdefault(id(fields), _row(fields)) for key, fields in function_rows()}


def _row(fields: dict[str, Any]) -> Row:
    return Row(
        fields.get("makes", "constant"),
        fields.get("passes", "none"),
        tuple(fields.get("dtype", "").split()),
        tuple(fields.get("args", "").split()),
        Constant(fields["gives"]) if "gives" in fields else None,
        fields.get("emits"),
        fields.get("unless"),
    )


def call_row(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """What a call gives; None where no row says so, or only that it is nothing of interest."""
    row = row_of(function.key)
    if row is None:
        return None
    if row.emits == "distributed":
        lib.distribute(run)
    first = _first(arguments)
    match row.makes:
        case "tensor" | "tensors":
            return _tensor(run, row, function.key, first, arguments, node) if first is not None else None
        case "layer":
            return _through_layer(lib, run, function, arguments, node)
        case "constant":
            return row.gives
        case "none":
            return NONE
        case "given":
            return first
        case "decorator":
            return first if _is_callable(first) else Library("builtins.identity")
        case "optimizer" if first is not None:
            return run.each(first, lambda one: optimizers.as_optimizer(lib, run, one, node))
        case "stable":
            return stable(function.key)
    return None


def stable(key: str) -> Unknown:
    """What is the same wherever it is asked: one unknown a key."""
    return Unknown(("stable", key), key.rpartition(".")[2])


def _first(arguments: Arguments) -> Value | None:
    if arguments.positional:
        return arguments.positional[0]
    return arguments.keywords[0][1] if arguments.keywords else None


def _is_callable(value: Value | None) -> bool:
    return isinstance(value, (Function, Bound, Partial, Class))


def _through_layer(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`keras.layers.concatenate(inputs)` makes a layer and calls it."""
    given = arguments.get(0, "inputs")
    if given is None:
        return None
    head, _, last = function.key.rpartition(".")
    options = tuple((name, value) for name, value in arguments.keywords if name != "inputs")
    made = Library(f"{head}.{last.capitalize()}", function.package)
    layer = layers.make_layer(lib, run, made, Arguments(arguments.positional[1:], options), node)
    return run.call(layer, Arguments((given,)), node)


# -- tensors


def _tensor(run: Run, row: Row, key: str, first: Value, arguments: Arguments, node: ast.AST) -> Value:
    operand = _operand(row, first, arguments)
    if row.passes in ("mean", "sum"):
        return run.each(operand, lambda one: _reduced(run, row.passes, key, one, arguments, node))
    if row.passes in ("none", "zeros", "random"):
        return _made(run, row, operand, arguments, node)

    def make(one: Value) -> Value:
        made = _kept(run, row, key, one, arguments, node)
        return Sequence((made,), True) if row.makes == "tensors" else made

    return run.each(operand, make)


def _operand(row: Row, first: Value, arguments: Arguments) -> Value:
    """The argument whose meaning the result has: the first, unless `dtype` names another one."""
    for word in row.dtype:
        if word in row.args and word != "dtype":
            found = arguments.get(row.args.index(word), word)
            if found is not None and not isinstance(found, Constant):
                return found
    if "same" in row.dtype and not isinstance(widened(first), (Record, Choice)):
        return next((one for one in arguments.values() if isinstance(widened(one), (Record, Choice))), first)
    return first


def _made(run: Run, row: Row, first: Value, arguments: Arguments, node: ast.AST) -> Value:
    """A tensor that no argument's meaning goes into; a number stays the number it is."""
    if row.passes == "none" and row.args[:1] == ("value",) and isinstance(first, Constant):
        return first
    properties: dict[str, Value] = {"dtype": _dtype(run, row, first, arguments)}
    if row.passes == "zeros":
        properties |= {"zeros": TRUE_VALUE, "zeros in": Constant(run.loops)}
    elif row.passes == "random":
        properties["random"] = TRUE_VALUE
    return Record("tensor", run.place(node), properties)


def _kept(run: Run, row: Row, key: str, value: Value, arguments: Arguments, node: ast.AST) -> Value:
    """A tensor that keeps something of an operand."""
    value = widened(value)
    tensor = value if isinstance(value, Record) else first_tensor(run, value)
    if isinstance(tensor, Record) and tensor.kind == "gradients":
        return tensor
    if row.emits == "log" and isinstance(tensor, Record):
        run.emit(LogTaken(node, tensor))
    dtype = _dtype(run, row, value, arguments)
    if row.passes == "values" and isinstance(tensor, Record):
        if key.rpartition(".")[2] in FLATTENING:
            tensor = tensor.having({"flat": TRUE_VALUE})
        return tensor if tensor.get("dtype") == dtype else tensor.having({"dtype": dtype})
    properties: dict[str, Value] = {"dtype": dtype}
    if key.rpartition(".")[2] in FLATTENING:
        properties["flat"] = TRUE_VALUE
    if isinstance(tensor, Record):
        of_loss = row.passes == "elements" and tensor.get("loss at") != NONE
        names = tensor.properties if of_loss else OF_ELEMENTS
        properties |= {name: tensor.get(name) for name in names if name != "dtype" and tensor.get(name) != NONE}
    elif row.passes == "values" and scale_of(value) != NONE:
        properties["scaled"] = scale_of(value)
    if "same" in row.dtype and properties.get("scaled", NONE) == NONE:
        properties |= _maybe_scaled(run, arguments)
    if row.passes == "activation":
        properties |= {
            "activation": Constant(_activation(key)),
            "activation dtype": dtype,
            "activation maker": At(run.place(node)),
            "function": TRUE_VALUE,
        }
    return Record("tensor", run.place(node), properties)


def _activation(key: str) -> str:
    return key.rpartition(".")[2]


def _maybe_scaled(run: Run, arguments: Arguments) -> dict[str, Value]:
    """Of several operands one that nobody knows may be a scaled loss."""
    for value in arguments.values():
        content = list_content(run, value)
        for one in content.items if content is not None else (value,):
            if scale_of(one) != NONE:
                return {"scaled": scale_of(one)}
    return {}


def _reduced(run: Run, kind: str, key: str, value: Value, arguments: Arguments, node: ast.AST) -> Value:
    value = widened(value)
    if isinstance(value, Record) and value.kind == "gradients":
        return Record("tensor", run.place(node), {})
    tensor = value if isinstance(value, Record) else first_tensor(run, value)
    properties: dict[str, Value] = {"dtype": dtype_of(run, value), "scaled": scale_of(value)}
    if isinstance(tensor, Record):
        properties = dict(tensor.properties)
    properties.pop("activation", None)
    axis = arguments.get(1, "axis")
    whole = axis is None or axis == NONE
    properties["flat"] = NONE if whole else TRUE_VALUE
    if whole:
        properties["vector"] = FALSE_VALUE
        if kind == "sum":
            properties["summed"] = At(run.place(node))
        if key == "tensorflow.nn.compute_average_loss":
            properties["averaged"] = TRUE_VALUE
    elif properties.get("vector", NONE) == NONE:
        properties["vector"] = Unknown(("vector", run.place(node)), "vector")
    return Record("tensor", run.place(node), properties)


# -- dtypes


def _dtype(run: Run, row: Row, operand: Value, arguments: Arguments) -> Value:
    """The dtype of the result: of the first word of `dtype` that gives one."""
    words = row.dtype
    if row.unless is not None and arguments.get(row.args.index(row.unless), row.unless) is not None:
        words = ()
    for word in words:
        found = _dtype_by(run, row, word, operand, arguments)
        if found is not None:
            return found
    return Unknown(("dtype", operand), "dtype")


def _dtype_by(run: Run, row: Row, word: str, operand: Value, arguments: Arguments) -> Value | None:
    if word in row.args:
        given = arguments.get(row.args.index(word), word)
        if given is None or given == NONE:
            return None
        if word == "dtype":
            return given
        # a plain number takes the dtype of the tensor it meets
        is_last = word == row.dtype[-1]
        return dtype_of(run, given) if is_last or not isinstance(given, Constant) else None
    if word in ("first", "same"):
        return dtype_of(run, operand)
    if word == "floatx":
        return run.get_global("floatx") or Constant("float32")
    if word == "compute":
        return policies.compute_dtype(run, run.get_global("policy") or NONE)
    return Constant(word)


def dtype_of(run: Run, value: Value) -> Value:
    """The dtype of a value as a tensor; of a list that of its first item."""
    value = widened(value)
    tensor = value if isinstance(value, Record) else first_tensor(run, value)
    if isinstance(tensor, Record) and tensor.kind == "tensor":
        found = tensor.get("dtype")
        return found if found != NONE else Unknown(("dtype", tensor), "dtype")
    content = list_content(run, value)
    if content is not None and content.items:
        return dtype_of(run, content.items[0])
    name = PYTHON_DTYPES.get(type(value.value)) if isinstance(value, Constant) else None
    return Constant(name) if name is not None else Unknown(("dtype", value), "dtype")
