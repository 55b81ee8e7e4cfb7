"""Whole data sets that TensorFlow itself makes as one tensor: synthetic ones, and single samples that are stacked."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.frameworks.flag_defaults import known_number
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.guards import Guard, conjoin, is_maybe
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    Arguments,
    Choice,
    Constant,
    Mapping,
    Object,
    Record,
    Unknown,
    Value,
    derived,
    widened,
)

MAKERS = {
    "tensorflow.zeros": "shape",
    "tensorflow.ones": "shape",
    "tensorflow.random.normal": "shape",
    "tensorflow.random.truncated_normal": "shape",
    "tensorflow.random.uniform": "shape",
}
"""Makers of tensors, with the argument that is the shape; it comes first."""

STACK = "tensorflow.stack"
SAME = frozenset({"tensorflow.identity", "tensorflow.reshape", "tensorflow.transpose"})
"""Functions whose result is as large as what they are given."""
LEAVES = 8

ITEM_BYTES = {
    "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16, "bool": 1,
    "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
    "float": 8, "int": 8, "double": 8, "half": 2,
}  # fmt: skip


@record
class Whole(Value):
    """What a tensor is as a whole: where and by what it was made, its size, and whether it lies with the host."""

    place: Place
    by: str
    bytes: Value
    on_host: Value

    def __str__(self) -> str:
        return f"{self.bytes} bytes"


@record
class TensorsGiven(Event):
    """Whole tensors became a data set."""

    tensors: tuple[Value, ...]


# -- while the program runs


def marked(
    run: Run, key: str, arguments: Arguments, on_host: Value, found: Value | None, node: ast.AST
) -> Value | None:
    """A tensor that a function of TensorFlow made, with its size where its shape is told."""
    if not isinstance(found, Record) or found.kind != "tensor":
        return found
    if key in MAKERS:
        size = _made(run, arguments.get(0, MAKERS[key]), found)
    elif key == STACK:
        size = _stacked(run, arguments)
    elif found.get("whole") == NONE or key in SAME:
        return found
    else:
        return found.having({"whole": NONE})
    return found.having({"whole": Whole(run.place(node), key, size or run.unknown(node), on_host)})


def _made(run: Run, shape: Value | None, found: Record) -> Value | None:
    dtype = found.get("dtype")
    width = ITEM_BYTES.get(str(dtype.value)) if isinstance(dtype, Constant) else None
    content = list_content(run, shape) if shape is not None else None
    if width is None or content is None or content.open:
        return None
    return _product((Constant(width), *content.items))


def _stacked(run: Run, arguments: Arguments) -> Value | None:
    """The size of samples of one size in a list, or of `[sample] * n`."""
    given, times = arguments.get(0, "values"), Constant(1)
    if isinstance(given, Unknown) and given.origin[:2] == ("operator", "Mult"):
        left, right = given.origin[2:4]
        given, times = (left, right) if isinstance(left, Object) else (right, left)
    content = list_content(run, given) if given is not None else None
    if content is None or content.open:
        return None
    wholes = [run.property(one, "whole") for one in content.items if isinstance(one, Record)]
    sizes = {one.bytes for one in wholes if isinstance(one, Whole)}
    if len(sizes) != 1 or not all(isinstance(one, Whole) for one in wholes) or len(wholes) < len(content.items):
        return None
    return _product((sizes.pop(), Constant(len(wholes)), times))


def _product(factors: tuple[Value, ...]) -> Value:
    """A product as the program would compute it."""
    result: Value = Constant(1)
    for one in factors:
        if isinstance(result, Constant) and isinstance(one, Constant) and type(one.value) is int:
            result = Constant(result.value * one.value)
        else:
            result = derived("operator", ("Mult", result, one), f"{result} * {one}")
    return result


def note_given(run: Run, given: tuple[Value, ...], node: ast.AST) -> None:
    """Arguments of which a data set is made."""
    found = tuple(one for value in given for one in _tensors(run, value, 0))
    if found:
        run.emit(TensorsGiven(node, found))


def _tensors(run: Run, value: Value, depth: int) -> Iterator[Value]:
    value = widened(value)
    if depth > 3:
        return
    if isinstance(value, Record):
        # what is computed from a tensor, a slice or a mean, is another one
        if any(isinstance(one, Whole) and one.place == value.place for _, one in alternatives(value.get("whole"))):
            yield run.property(value, "whole")
    elif isinstance(value, Choice):
        for _, one in value.alternatives:
            yield from _tensors(run, one, depth + 1)
    else:
        for one in _items(run, value)[:LEAVES]:
            yield from _tensors(run, one, depth + 1)


def _items(run: Run, value: Value) -> tuple[Value, ...]:
    if isinstance(value, Object) and value.kind == "dict":
        value = run.get(value, "content")
    if isinstance(value, Mapping):
        return tuple(item for _, item in value.entries)
    content = list_content(run, value)
    return content.items if content is not None else ()


# -- facts


@record
class DeviceTensor:
    """A tensor of `size` bytes that one call makes on the device; `by_default` where flags may make it another size."""

    place: Place
    by: str
    size: int
    by_default: bool
    given: Place
    guard: Guard


@fact
def device_tensors(program: Program) -> tuple[DeviceTensor, ...]:
    """Tensors on a device that is not the host of which a data set is made whole: the largest of each place."""
    found: dict[Place, DeviceTensor] = {}
    for occurrence in program.happened(TensorsGiven):
        given = occurrence.event.tensors if isinstance(occurrence.event, TensorsGiven) else ()
        for tensor in given:
            for extra, whole in alternatives(tensor, occurrence.guard):
                guard = conjoin(occurrence.guard, extra)
                if guard is None or is_maybe(guard) or not isinstance(whole, Whole) or whole.on_host != FALSE_VALUE:
                    continue
                size = known_number(program, whole.bytes)
                known = found.get(whole.place)
                if size is not None and (known is None or known.size < size.value):
                    by_default = size.by_default
                    found[whole.place] = DeviceTensor(
                        whole.place, whole.by, size.value, by_default, occurrence.place, guard
                    )
    return tuple(found.values())
