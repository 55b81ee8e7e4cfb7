"""Tensors as values: casts, reductions, activations, control flow; rows in `tables/ops.toml`."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from mpfix.frameworks import dtypes, host_casts, positions
from mpfix.frameworks.events import Cast
from mpfix.frameworks.handlers import Function, Functions, Methods
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.replicas import ReplicasRun
from mpfix.frameworks.scales import scale_of
from mpfix.frameworks.tables import load_table
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Constant,
    Library,
    Object,
    Record,
    Sequence,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


@cache
def clips() -> dict[str, int]:
    """Position of the limit of each function that clips or norms gradients; -1 for norms."""
    return {canonical(key).name: position for key, position in load_table("ops")["clips"].items()}


# -- casts


def _cast(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    dtype = arguments.get(1, "dtype")
    operand = arguments.get(0, "x")
    if dtype is None or operand is None:
        return None
    return cast(run, operand, dtype, node)


def cast(run: Run, operand: Value, dtype: Value, node: ast.AST) -> Value:
    """A tensor in another dtype."""
    run.emit(Cast(node, operand, dtype))
    dtype = run.each(dtype, dtypes.as_dtype)
    host_casts.note_cast(run, dtype, node)
    before = dtypes.dtype_of(run, operand)
    is_assumed = isinstance(operand, Record) and operand.get("call input") != NONE
    by = dtypes.given(
        dtype,
        "cast",
        run.place(node),
        position=Constant(1),
        of=before,
        assumed=TRUE_VALUE if is_assumed else NONE,
    )

    def change(one: Value) -> Value:
        one = widened(one)
        if isinstance(one, Record) and one.kind == "gradients":
            return one
        properties = dict(one.properties) if isinstance(one, Record) else {"of": one, "scaled": scale_of(one)}
        changed = {
            "dtype": dtype,
            "dtype by": by,
            "derived": NONE,
            "array": NONE,
            "cast at": At(run.place(node)),
            "cast from": properties.get("dtype", NONE),
            **positions.held(one, run.place(node) if dtypes.may_be_half(dtype) else None),
        }
        return Record("tensor", run.place(node), {**properties, **changed})

    return run.each(operand, change)


# -- attributes and items


def tensor_attribute(lib: KerasLibrary, run: Run, tensor: Record, name: str, node: ast.AST) -> Value | None:
    """`tensor.dtype`; anything else is not followed."""
    if name == "dtype" and tensor.get("dtype") != NONE:
        return tensor.get("dtype")
    return None


def tensor_item(run: Run, tensor: Record, node: ast.AST) -> Value:
    """`tensor[...]`: the same values, fewer."""
    return tensor.having({"flat": TRUE_VALUE}, run.place(node))


# -- control flow and callbacks


def _equal(name: str) -> Function:
    def handler(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
        from mpfix.semantic.conditions import compare_values

        if len(arguments.positional) != 2:
            return None
        return compare_values(run, name, arguments.positional[0], arguments.positional[1], node)

    return handler


def _modulo(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    from mpfix.semantic.operators import binary

    if len(arguments.positional) != 2:
        return None
    return binary(run, "Mod", arguments.positional[0], arguments.positional[1], node)


def _traced(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.function(f)` is `f` for this analysis; with options only it is a decorator."""
    given = arguments.get(0, "func")
    if given is None or given == NONE:
        return Library("builtins.identity")
    return given


def _range(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    def counted(dtype: Value) -> dict[str, Value]:
        place = run.place(node) if dtypes.may_be_half(dtype) else None
        return positions.held(positions.of_range(run, arguments, Sequence(())), place)

    dtype = arguments.keyword("dtype")
    if dtype is not None and dtype != NONE:
        named = run.each(dtype, dtypes.as_dtype)
        if not isinstance(named, Constant) or named.value in dtypes.FLOATS:
            by = dtypes.given(named, "literal", run.place(node))
            return Record("tensor", run.place(node), {"dtype": named, "dtype by": by, **counted(named)})
    limits = [dtypes.dtype_of(run, one) for one in arguments.positional]
    if any(isinstance(one, Constant) and isinstance(one.value, float) for one in arguments.positional):
        by = dtypes.source("number", run.place(node))
        return Record("tensor", run.place(node), {"dtype": Constant("float32"), "dtype by": by, **counted(NONE)})
    if any(isinstance(one, Constant) and one.value in dtypes.FLOATS for one in limits):
        met = dtypes.joined(run, arguments.positional)
        joined = met.properties(run.place(node)) if met is not None else {}
        return Record("tensor", run.place(node), joined | counted(joined.get("dtype", NONE)))
    made = run.call(Library("builtins.range"), Arguments(arguments.positional), node)
    return positions.of_range(run, arguments, made)


def _call_first(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.py_function` and its like: what it is given is called with unknown arguments."""
    from mpfix.semantic.calls import call_back

    call_back(run, arguments, node)
    return run.unknown(node)


def _map_structure(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    return run.call(Library("builtins.map"), arguments, node)


def run_on_replicas(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`strategy.run(f, args=(...))`: the function with its arguments, once."""
    function = arguments.get(0, "fn")
    given = arguments.get(1, "args")
    if function is None:
        return None
    content = list_content(run, given) if given is not None else None
    passed = (
        Arguments(content.items)
        if content is not None and not content.open
        else Arguments(open_positional=given is not None)
    )
    if not (isinstance(receiver, Object) and run.get(receiver, "single") == TRUE_VALUE):
        lib.distribute(run)
    run.emit(ReplicasRun(node, receiver))
    return run.call(function, passed, node)


FUNCTIONS: Functions = {
    "tensorflow.cast": _cast,
    "keras.ops.cast": _cast,
    "keras.backend.cast": _cast,
    "tensorflow.equal": _equal("Eq"),
    "tensorflow.not_equal": _equal("NotEq"),
    "tensorflow.greater_equal": _equal("GtE"),
    "tensorflow.math.floormod": _modulo,
    "tensorflow.floormod": _modulo,
    "tensorflow.math.mod": _modulo,
    "tensorflow.function": _traced,
    "tensorflow.autograph.experimental.do_not_convert": _traced,
    "tensorflow.range": _range,
    "keras.ops.arange": _range,
    "keras.backend.arange": _range,
    "tensorflow.py_function": _call_first,
    "tensorflow.numpy_function": _call_first,
    "tensorflow.nest.map_structure": _map_structure,
}
METHODS: Methods = {
    ("strategy", "run"): run_on_replicas,
    ("strategy", "experimental_run_v2"): run_on_replicas,
}
