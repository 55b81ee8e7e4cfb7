"""Control flow of TensorFlow whose branches and rounds give tensors: `while_loop`, `cond`, `scan` and `foldl`.

What a round or a branch gives must have the dtype that the loop began with, or that the other branch gives.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mpfix.frameworks import dtypes
from mpfix.frameworks.handlers import Functions
from mpfix.frameworks.operations import DtypesMet, policy_of
from mpfix.frameworks.rows import OF_ELEMENTS
from mpfix.semantic.containers import list_content, new_dict, new_list
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    Arguments,
    Choice,
    Constant,
    Library,
    Mapping,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

NOWHERE = sys.maxsize
"""The position of an operand that no expression of the call is."""

KEPT = ("dtype", "rank", *OF_ELEMENTS)
"""Properties of a tensor that every round of a loop leaves alone."""

NUMBERS = {bool: "bool", int: "int32", float: "float32"}
"""What TensorFlow makes of a number that a loop begins with."""


# -- while


def _while(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.while_loop(cond, body, loop_vars)`: both get what any round begins with."""
    from mpfix.semantic.calls import call_back

    body, first = arguments.get(1, "body"), arguments.get(2, "loop_vars")
    content = list_content(run, first) if first is not None else None
    if body is None or content is None or content.open:
        call_back(run, arguments, node)
        return run.unknown(node)
    begun = Arguments(tuple(carried(run, one, node) for one in content.items))
    with run.contained():
        run.call(arguments.get(0, "cond") or NONE, begun, node)
        left = run.call(body, begun, node)
    if _is_traced(run):
        note_met(run, function.key, content, left, node)
    last = list_content(run, left)
    if last is None or len(last.items) != len(begun.positional):
        return Sequence(begun.positional)
    return Sequence(tuple(_after(run, *pair) for pair in zip(begun.positional, last.items, strict=True)))


def _is_traced(run: Run) -> bool:
    """Whether the `call` of a layer runs: `fit` traces it. Without a graph Python runs the rounds, of any dtype."""
    return isinstance(run.get_global(dtypes.SCOPE), Object)


def carried(run: Run, value: Value, node: ast.AST) -> Value:
    """What any round of a loop begins with, of what the first one does: the same dtypes, other numbers."""
    if isinstance(value, Choice):
        return run.each(value, lambda one: carried(run, one, node))
    value = widened(value)
    if isinstance(value, Record):
        kept = {name: value.get(name) for name in KEPT if name != "random" and value.get(name) != NONE}
        return Record("tensor", value.place, kept) if value.kind == "tensor" else value
    if isinstance(value, dtypes.NumberTensor):
        return Record("tensor", run.place(node), {"dtype": value.dtype, "dtype by": value.source})
    if isinstance(value, Constant):
        dtype = NUMBERS.get(type(value.value))
        return Record("tensor", run.place(node), {"dtype": Constant(dtype)}) if dtype is not None else value
    if isinstance(value, Unknown):
        return Unknown(("carried", value, run.place(node)), str(value), value.depth + 1, cut=value.cut)
    return _carried_items(run, value, node)


def _carried_items(run: Run, value: Value, node: ast.AST) -> Value:
    """A structure of what any round begins with."""
    if isinstance(value, Object) and value.kind == "dict":
        entries = run.get(value, "content")
        if not isinstance(entries, Mapping):
            return value
        return new_dict(run, Mapping(tuple((key, carried(run, one, node)) for key, one in entries.entries)), node)
    content = list_content(run, value) if isinstance(value, (Sequence, Object)) else None
    if content is None:
        return value
    made = Sequence(tuple(carried(run, one, node) for one in content.items), content.open)
    return new_list(run, made, node) if isinstance(value, Object) else made


def _after(run: Run, begun: Value, left: Value) -> Value:
    """What a loop variable is after the loop: what a round leaves, where that is known."""
    known = dtypes.dtype_of(run, left) if isinstance(widened(left), Record) else NONE
    return begun if isinstance(left, Unknown) or isinstance(known, Unknown) else left


# -- results that must have one dtype


def note_met(run: Run, key: str, first: Value, second: Value, node: ast.AST) -> None:
    """Two structures of tensors must have the same dtypes."""
    if run.muted:
        return
    for left, right in _pairs(run, first, second, 0):
        dtype, other = dtypes.dtype_of(run, left), dtypes.dtype_of(run, right)
        unknown = any(one == NONE or isinstance(one, Unknown) for one in (dtype, other))
        if unknown or dtype == other or not (dtypes.may_be_half(dtype) or dtypes.may_be_half(other)):
            continue
        scope = run.get_global(dtypes.SCOPE) or NONE
        policy = run.get(scope, "policy") if isinstance(scope, Object) else policy_of(left, right)
        places = (NOWHERE, NOWHERE)
        run.emit(DtypesMet(node, key, left, right, dtype, other, False, scope, policy, places))


def _pairs(run: Run, first: Value, second: Value, depth: int) -> Iterator[tuple[Value, Value]]:
    first, second = widened(first), widened(second)
    if isinstance(first, Record) or isinstance(second, Record) or depth > 4:
        yield first, second
        return
    if isinstance(first, Object) and isinstance(second, Object) and first.kind == second.kind == "dict":
        one, other = run.get(first, "content"), run.get(second, "content")
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            for key, value in one.entries:
                yield from _pairs(run, value, other.get(key) or NONE, depth + 1)
        return
    items, others = list_content(run, first), list_content(run, second)
    if items is not None and others is not None and len(items.items) == len(others.items):
        for value, found in zip(items.items, others.items, strict=True):
            yield from _pairs(run, value, found, depth + 1)


def _cond(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.cond(pred, true_fn, false_fn)`: each function under its side of the predicate."""
    from mpfix.semantic.conditions import truth_guards
    from mpfix.semantic.guards import TRUE

    pred = arguments.get(0, "pred") or run.unknown(node)
    yes, no = truth_guards(run, pred)
    results = []
    for guard, branch in ((yes, arguments.get(1, "true_fn")), (no, arguments.get(2, "false_fn"))):
        path = run.under(guard) if guard is not None else None
        if branch is not None and guard is not None and path is not None:
            with run.on_path(path), run.contained():
                results.append((guard or TRUE, run.call(branch, Arguments(), node)))
    if len(results) == 2 and function.key == "tensorflow.cond" and _is_traced(run):
        note_met(run, function.key, results[0][1], results[1][1], node)
    return run.merge(results) or run.unknown(node)


# -- scan and fold


def element(run: Run, elements: Value, node: ast.AST) -> Value:
    """What a function gets of each element of a tensor, or of several."""
    elements = widened(elements)
    if isinstance(elements, Record):
        return elements.having({"flat": TRUE_VALUE}) if elements.kind == "tensor" else elements
    content = list_content(run, elements) if not isinstance(elements, (Choice, Unknown)) else None
    if content is not None:
        return Sequence(tuple(element(run, one, node) for one in content.items), content.open)
    return Unknown(("element", elements), f"an element of {elements}")


def _scan(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.scan(fn, elems, initializer)` and folds: the function gets what it gave before, and an element."""
    called, elements, first = arguments.get(0, "fn"), arguments.get(1, "elems"), arguments.get(2, "initializer")
    if called is None or elements is None:
        return run.unknown(node)
    each = element(run, elements, node)
    begun = carried(run, first, node) if first is not None and first != NONE else each
    with run.contained():
        left = run.call(called, Arguments((begun, each)), node)
    if function.key == "tensorflow.scan" or _is_traced(run):
        note_met(run, function.key, begun, left, node)
    return begun if first is not None and isinstance(begun, Record) else _after(run, begun, left)


FUNCTIONS: Functions = {
    "tensorflow.cond": _cond,
    "keras.ops.cond": _cond,
    "tensorflow.while_loop": _while,
    "keras.ops.while_loop": _while,
    "tensorflow.scan": _scan,
    "tensorflow.foldl": _scan,
    "tensorflow.foldr": _scan,
}
