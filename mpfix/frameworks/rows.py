"""What library functions give, as far as a row of `tables/functions.toml` can say it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from mpfix.frameworks import blends, dtypes, layers, operations, optimizers, policies, positions, sums
from mpfix.frameworks.events import LogTaken
from mpfix.frameworks.layers import first_tensor
from mpfix.frameworks.scales import OF_GRADIENTS, scale_of
from mpfix.frameworks.tables import function_rows, load_table
from mpfix.record import record
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
    Object,
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

OF_ELEMENTS = (
    "symbolic", "model", "policy", "layer", "maker", "half", "random", "flat", "dtype by", "clash at", *OF_GRADIENTS,
)  # fmt: skip
"""Properties of a tensor that stay when something is computed of each element."""


@record
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


@cache
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
            if first is None:
                return None
            if "same" in row.dtype or "x" in row.dtype:
                operations.note_function(lib, run, function.key, arguments, node)
            return _tensor(lib, run, row, function.key, first, arguments, node)
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


def _tensor(
    lib: KerasLibrary, run: Run, row: Row, key: str, first: Value, arguments: Arguments, node: ast.AST
) -> Value:
    operand = _operand(row, first, arguments)
    if row.passes in ("mean", "sum"):
        return run.each(operand, lambda one: _reduced(run, row.passes, key, one, arguments, node))
    if row.passes in ("none", "zeros", "random") or (row.args[:1] == ("value",) and isinstance(operand, Constant)):
        return _made(run, row, key, operand, arguments, node)

    together = None
    if "same" in row.dtype:
        operands = operations.operands_of(run, key, arguments)
        together = dtypes.joined(run, operands, promotes=operations.promotes(lib, key))

    def make(one: Value) -> Value:
        made = _kept(run, row, key, one, arguments, node)
        if together is not None and isinstance(made, Record) and made.kind == "tensor":
            made = made.having({"dtype by": NONE, "derived": TRUE_VALUE, **together.properties(run.place(node))})
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


def _made(run: Run, row: Row, key: str, first: Value, arguments: Arguments, node: ast.AST) -> Value:
    """A tensor that no argument's meaning goes into; a number stays the number it is."""
    dtype = _dtype(run, row, first, arguments)
    given = arguments.get(row.args.index("dtype"), "dtype") if "dtype" in row.args else None
    place, takes = run.place(node), _takes(row)
    by = dtypes.source("default", place, **takes) if given is None else dtypes.given(dtype, "literal", place, **takes)
    if row.args[:1] == ("value",) and isinstance(first, Constant):
        return dtypes.NumberTensor(first.value, dtype, by) if _is_float(first, given) else first
    properties: dict[str, Value] = {"dtype": dtype, "dtype by": by}
    if row.dtype[-1:] == ("first",) and given is None and not _holds_floats(run, first):
        properties["dtype by"] = dtypes.source_of(run, first)
    if row.passes == "zeros":
        properties |= {"zeros": TRUE_VALUE, "zeros in": Constant(run.loops)}
    elif row.passes == "random":
        properties["random"] = TRUE_VALUE
    if key.startswith("numpy."):
        properties["array"] = TRUE_VALUE
    return Record("tensor", run.place(node), properties)


def _kept(run: Run, row: Row, key: str, value: Value, arguments: Arguments, node: ast.AST) -> Value:
    """A tensor that keeps something of an operand."""
    value = widened(value)
    if sums.is_variable(value) and (content := sums.total(run, value, node)) is not None:
        return content
    tensor = value if isinstance(value, Record) else first_tensor(run, value)
    if isinstance(tensor, Record) and tensor.kind == "gradients":
        return tensor
    if row.emits == "log" and isinstance(tensor, Record):
        run.emit(LogTaken(node, tensor))
    dtype = _dtype(run, row, value, arguments)
    by = _dtype_by_call(run, row, value, dtype, arguments, node)
    if row.passes == "values" and isinstance(tensor, Record):
        if tensor.get("array") != NONE and not key.startswith("numpy."):
            tensor = tensor.having({"array": NONE})
        if key.rpartition(".")[2] in FLATTENING:
            tensor = tensor.having({"flat": TRUE_VALUE})
        return tensor if tensor.get("dtype") == dtype else tensor.having({"dtype": dtype, "dtype by": by})
    properties: dict[str, Value] = {"dtype": dtype}
    if key.rpartition(".")[2] in FLATTENING:
        properties["flat"] = TRUE_VALUE
    if isinstance(tensor, Record):
        of_loss = row.passes == "elements" and tensor.get("loss at") != NONE
        names = tensor.properties if of_loss else OF_ELEMENTS
        properties |= {name: tensor.get(name) for name in names if name != "dtype" and tensor.get(name) != NONE}
    elif row.passes == "values":
        properties |= {"scaled": scale_of(value)} if scale_of(value) != NONE else {}
        properties |= positions.held(positions.first_item(run, value))
    if by != NONE:
        properties |= {"dtype by": by, "derived": TRUE_VALUE}
    if key.startswith("numpy."):
        properties["array"] = TRUE_VALUE
    if "same" in row.dtype and properties.get("scaled", NONE) == NONE:
        properties |= _maybe_scaled(run, arguments)
    properties |= blends.after_function(key, tensor) | blends.traces(dtypes.tensors_in(run, arguments.values()))
    if row.passes == "activation":
        properties |= {
            "activation": Constant(key.rpartition(".")[2]),
            "activation dtype": dtype,
            "activation maker": At(run.place(node)),
            "function": TRUE_VALUE,
        }
    return Record("tensor", run.place(node), properties)


def _takes(row: Row) -> dict[str, Value]:
    """The position of the `dtype` argument of a function that has one."""
    return {"position": Constant(row.args.index("dtype"))} if "dtype" in row.args else {}


def _is_float(number: Constant, dtype: Value | None) -> bool:
    return dtype not in (None, NONE) or isinstance(number.value, float)


def _dtype_by_call(run: Run, row: Row, value: Value, dtype: Value, arguments: Arguments, node: ast.AST) -> Value:
    """What fixed the dtype: the call where it was given one or just a number, else what fixed that of the operand."""
    given = arguments.get(row.args.index("dtype"), "dtype") if "dtype" in row.args else None
    if given is not None and given != NONE:
        return dtypes.given(dtype, "literal", run.place(node), **_takes(row))
    if isinstance(value, Constant) and not isinstance(value, dtypes.NumberTensor):
        return dtypes.source("number", run.place(node)) if isinstance(value.value, float) else NONE
    if row.dtype[-1:] in (("float32",), ("floatx",)) and isinstance(dtype, Constant):
        return dtypes.source("default", run.place(node), **_takes(row))
    if _holds_floats(run, value):
        return dtypes.source("default", run.place(node), **_takes(row))
    return dtypes.source_of(run, value)


def _holds_floats(run: Run, value: Value) -> bool:
    """Whether a value is a list, or one of lists, whose first number is a plain one: no tensor gives it a dtype."""
    for _ in range(4):
        content = list_content(run, value) if isinstance(value, (Object, Sequence)) else None
        if content is None or not content.items:
            return False
        value = widened(content.items[0])
        if isinstance(value, Constant):
            return isinstance(value.value, float) and not isinstance(value, dtypes.NumberTensor)
    return False


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
        properties = {**tensor.properties, **blends.after_function(key, tensor), **blends.traces((tensor,))}
    properties.pop("activation", None)
    if properties.get("dtype by", NONE) != NONE:
        properties["derived"] = TRUE_VALUE
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
        if isinstance(operand, Constant):
            # a number takes the dtype of the tensors it meets
            met = dtypes.joined(run, dtypes.tensors_in(run, arguments.positional))
            if met is not None:
                return met.dtype
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
    if isinstance(value, (dtypes.NumberTensor, Object)) and dtypes.dtype_of(run, value) != NONE:
        found = dtypes.dtype_of(run, value)
        if not isinstance(found, Unknown):
            return found
    content = list_content(run, value)
    if content is not None and content.items:
        return dtype_of(run, content.items[0])
    name = PYTHON_DTYPES.get(type(value.value)) if isinstance(value, Constant) else None
    return Constant(name) if name is not None else Unknown(("dtype", value), "dtype")
