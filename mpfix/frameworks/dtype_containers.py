"""Containers of one dtype that tensors are put into: `TensorArray`, and the results of `map_fn`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mpfix.frameworks import dtypes
from mpfix.frameworks.handlers import Functions, Method, Methods
from mpfix.frameworks.tensor_loops import element
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.library import Event
from mpfix.semantic.program import Case, Program, fact
from mpfix.semantic.run import Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    NONE,
    Arguments,
    At,
    Library,
    Object,
    Record,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


@record
class ContainerFilled(Event):
    """A tensor of `value_dtype` was put into a container of `dtype`, made at `maker`.

    `scope` is the layer or model whose `call` runs, None (the constant) outside; `policy` is that of it, else of what
    made the tensor.
    """

    dtype: Value
    maker: Place
    value: Value
    value_dtype: Value
    scope: Value
    policy: Value


@record
class Filled:
    """A container in float32 that gets half tensors; `puts` are all the events of it."""

    maker: Place
    case: Case[ContainerFilled]
    half_dtype: str
    policy: Record
    puts: tuple[Case[ContainerFilled], ...]


@fact
def float32_containers(program: Program) -> tuple[Filled, ...]:
    """Containers in float32 that get half tensors, of a layer or of what a model gave."""
    puts: dict[Place, list[Case[ContainerFilled]]] = {}
    for case in program.cases(ContainerFilled, "dtype", "value_dtype"):
        puts.setdefault(case.event.maker, []).append(case)
    return tuple(one for maker, cases in puts.items() for one in _filled(maker, tuple(cases)))


def _filled(maker: Place, cases: tuple[Case[ContainerFilled], ...]) -> Iterator[Filled]:
    for case in cases:
        half, policy = case.constant("value_dtype"), case.event.policy
        if case.constant("dtype") == "float32" and half in dtypes.HALVES and isinstance(policy, Record):
            yield Filled(maker, case, half, policy, cases)


def note_put(run: Run, dtype: Value, maker: Place, value: Value, node: ast.AST) -> None:
    """A tensor goes into a container."""
    value_dtype = dtypes.dtype_of(run, value)
    if isinstance(dtype, Unknown) or isinstance(value_dtype, Unknown) or value_dtype == NONE:
        return
    scope = run.get_global(dtypes.SCOPE) or NONE
    policy = run.get(scope, "policy") if isinstance(scope, Object) else NONE
    if policy == NONE and isinstance(value, Record):
        policy = value.get("policy")
    if policy == NONE:
        policy = run.get_global("policy") or NONE
    run.emit(ContainerFilled(node, dtype, maker, value, value_dtype, scope, policy))


# -- arrays


def _make_array(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    made = run.new_object("tensor array", node, key=function.key)
    given = arguments.get(0, "dtype")
    run.set(made, "dtype", run.each(given, dtypes.as_dtype) if given is not None else run.unknown(node))
    return made


def _put(position: int) -> Method:
    def handler(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        value = arguments.get(position, "value")
        if isinstance(receiver, Object) and value is not None:
            note_put(run, run.get(receiver, "dtype"), receiver.place, widened(value), node)
        return receiver

    return handler


def _take(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    if not isinstance(receiver, Object):
        return None
    dtype = run.get(receiver, "dtype")
    by = dtypes.source("container", receiver.place)
    return Record("tensor", run.place(node), {"dtype": dtype, "dtype by": by})


# -- functions that call one for each element


def _map(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.map_fn(f, elems, dtype=...)`: every result must have the dtype that was said."""
    called, elements = arguments.get(0, "fn"), arguments.get(1, "elems")
    if called is None or elements is None:
        return run.unknown(node)
    with run.contained():
        result = run.call(called, Arguments((element(run, elements, node),)), node)
        given = arguments.keyword("fn_output_signature") or arguments.get(2, "dtype")
        if given is None or given == NONE:
            return run.unknown(node)
        dtype = run.each(given, dtypes.as_dtype)
        if list_content(run, result) is not None or isinstance(dtype, Unknown):
            return run.unknown(node)
        note_put(run, dtype, run.place(node), widened(result), node)
        by = dtypes.source("container", run.place(node))
        return Record("tensor", run.place(node), {"dtype": dtype, "dtype by": by, "container": At(run.place(node))})


FUNCTIONS: Functions = {"tensorflow.TensorArray": _make_array, "tensorflow.map_fn": _map}
METHODS: Methods = {
    ("tensor array", "write"): _put(1),
    ("tensor array", "unstack"): _put(0),
    ("tensor array", "scatter"): _put(1),
    ("tensor array", "split"): _put(0),
    **{("tensor array", name): _take for name in ("stack", "concat", "gather", "read")},
}
