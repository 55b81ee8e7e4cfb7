"""Arrays of a size that the program tells, and calls that copy a whole one to the device in force."""

from __future__ import annotations

import ast
from math import prod
from typing import TYPE_CHECKING

from mpfix.frameworks import device_tensors
from mpfix.frameworks.device_tensors import ITEM_BYTES
from mpfix.frameworks.handlers import Functions
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    Constant,
    Library,
    Mapping,
    Object,
    Record,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

HOST = "on host"
"""The global property that says whether a `with tf.device("CPU:0")` is in force: true, false or unknown."""

MAKERS = {
    "numpy.zeros": ("shape", 0, 1, "float64"),
    "numpy.ones": ("shape", 0, 1, "float64"),
    "numpy.empty": ("shape", 0, 1, "float64"),
    "numpy.full": ("shape", 0, 2, "float64"),
    "numpy.random.random": ("size", 0, None, "float64"),
    "numpy.random.random_sample": ("size", 0, None, "float64"),
    "numpy.random.standard_normal": ("size", 0, None, "float64"),
    "numpy.random.normal": ("size", 2, None, "float64"),
    "numpy.random.uniform": ("size", 2, None, "float64"),
    "numpy.random.randint": ("size", 2, 3, "int64"),
    "numpy.random.rand": ("", None, None, "float64"),
    "numpy.random.randn": ("", None, None, "float64"),
}
"""Makers of arrays: the argument with the shape, its position and that of the dtype, and the dtype otherwise.

Without a name of an argument the positional ones are the shape.
"""

DATASETS = {
    "mnist": ((60000 * 784, 60000), (10000 * 784, 10000)),
    "fashion_mnist": ((60000 * 784, 60000), (10000 * 784, 10000)),
    "cifar10": ((50000 * 3072, 50000), (10000 * 3072, 10000)),
    "cifar100": ((50000 * 3072, 50000), (10000 * 3072, 10000)),
}
"""Elements of what `keras.datasets.*.load_data` gives, in uint8. Source: the pages of these functions on keras.io."""

COPYING = frozenset(
    {
        "tensorflow.constant",
        "tensorflow.convert_to_tensor",
        "tensorflow.Variable",
        "tensorflow.data.Dataset.from_tensor_slices",
        "tensorflow.data.Dataset.from_tensors",
        "keras.ops.convert_to_tensor",
    }
)
"""Functions that make one tensor of an array, on the device in force."""

FEEDING = frozenset({"fit", "evaluate", "predict"})
"""Methods of a model that make a dataset of whole arrays by themselves."""

ON_HOST = frozenset({"int32"})
"""Dtypes of tensors that stay with the host: eager TensorFlow does not copy them to the GPU, whose operations read
most of them there.
"""

SAME = frozenset({"reshape", "copy", "transpose", "ravel", "flatten"})
"""Methods that keep the number of elements and their dtype."""


@record
class ArrayMade(Event):
    """NumPy made an array of `count` elements; `dtype` is its name."""

    count: int
    dtype: Value


@record
class ArraysGiven(Event):
    """Whole arrays become tensors: `by` the key of a function, or a method of a model such as `fit`.

    `on_host` is whether a `with tf.device` for the CPU is in force.
    """

    arrays: tuple[Value, ...]
    by: str
    on_host: Value


# -- while the program runs


def note_call(run: Run, key: str, arguments: Arguments, node: ast.AST) -> None:
    """A call of a library function that makes an array, or a tensor of one."""
    if key in MAKERS:
        _note_made(run, key, arguments, node)
    elif key in COPYING:
        _note_given(run, key, arguments.positional[:1] or tuple(arguments.values())[:1], node)


def after_function(run: Run, key: str, arguments: Arguments, found: Value | None, node: ast.AST) -> Value | None:
    """What a function of TensorFlow made, with its size where it is a tensor of a shape that is told."""
    return device_tensors.marked(run, key, arguments, run.get_global(HOST) or FALSE_VALUE, found, node)


def note_method(run: Run, receiver: Value, name: str, arguments: Arguments, node: ast.AST) -> None:
    """A call of a method of a model that takes arrays."""
    if name in FEEDING and isinstance(receiver, Object):
        given = (arguments.get(0, "x"), arguments.get(1, "y") if name != "predict" else None)
        _note_given(run, name, tuple(one for one in given if one is not None), node)


def _note_made(run: Run, key: str, arguments: Arguments, node: ast.AST) -> None:
    name, position, dtype_position, default = MAKERS[key]
    shape = arguments.positional if not name else _shape(run, arguments.get(position, name))
    sizes = [one.value for one in shape if isinstance(one, Constant) and type(one.value) is int]
    if not sizes or len(sizes) != len(shape) or arguments.open_positional:
        return
    dtype = arguments.get(dtype_position, "dtype") if dtype_position is not None else None
    run.emit(ArrayMade(node, prod(sizes), dtype if dtype is not None else Constant(default)))


def _shape(run: Run, value: Value | None) -> tuple[Value, ...]:
    if value is None or isinstance(value, Constant):
        return (value,) if value is not None else ()
    content = list_content(run, value)
    return content.items if content is not None and not content.open else ()


def _note_given(run: Run, by: str, given: tuple[Value, ...], node: ast.AST) -> None:
    hidden = run.get_global("environment CUDA_VISIBLE_DEVICES")
    if run.get_global("distributed") is not None or hidden in (Constant("-1"), Constant("")):
        return
    device_tensors.note_given(run, given, node)
    arrays = tuple(one for value in given for one in _leaves(run, value, 0))
    if arrays:
        run.emit(ArraysGiven(node, arrays, by, run.get_global(HOST) or FALSE_VALUE))


def _leaves(run: Run, value: Value, depth: int) -> tuple[Value, ...]:
    """The arrays in a nest of tuples, lists and dictionaries."""
    value = widened(value)
    if isinstance(value, Object) and value.kind == "dict":
        value = run.get(value, "content")
    if isinstance(value, Mapping):
        items = tuple(item for _, item in value.entries)
    else:
        content = list_content(run, value) if not isinstance(value, (Record, Unknown)) else None
        if content is None:
            return (value,) if isinstance(value, (Record, Unknown)) else ()
        items = content.items
    return tuple(one for item in items[:8] for one in _leaves(run, item, depth + 1)) if depth < 3 else ()


def _device(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`tf.device(name)`."""
    scope = run.new_object("device", node)
    run.set(scope, "host", run.each(arguments.get(0, "device_name") or NONE, _is_host))
    return scope


def _is_host(name: Value) -> Value:
    if isinstance(name, Constant):
        return TRUE_VALUE if "cpu" in str(name.value).lower() else FALSE_VALUE
    return Unknown(("host", name), "host")


def enter_device(run: Run, scope: Object) -> Value:
    """`with tf.device(...):` begins."""
    run.set(scope, "before", run.get_global(HOST) or FALSE_VALUE)
    run.set_global(HOST, run.get(scope, "host"))
    return scope


def exit_device(run: Run, scope: Object) -> None:
    """`with tf.device(...):` ends."""
    run.set_global(HOST, run.get(scope, "before"))


FUNCTIONS: Functions = {"tensorflow.device": _device, "keras.device": _device}


# -- facts


@record
class DeviceCopy:
    """Arrays of `size` bytes together that one call copies to the device; `made` is where the largest came from."""

    occurrence: Occurrence
    by: str
    size: int
    made: Place | None


@record
class _Array:
    count: int
    dtype: str
    made: Place | None

    def bytes(self, *, as_floatx: bool) -> int:
        """Its size as a tensor; `fit` makes float32 of every float."""
        is_wide = as_floatx and self.dtype in ("float64", "float", "double")
        return self.count * (4 if is_wide else ITEM_BYTES[self.dtype])


@fact
def device_copies(program: Program) -> tuple[DeviceCopy, ...]:
    """Calls that copy whole arrays to a device that is not the host, with the bytes that are known of."""
    found = []
    for occurrence in program.happened(ArraysGiven):
        event = occurrence.event
        assert isinstance(event, ArraysGiven)
        known = (_array(program, value) for value in event.arrays)
        arrays = [one for one in known if one is not None and one.dtype not in ON_HOST]
        if not arrays or event.on_host != FALSE_VALUE:
            continue
        as_floatx = event.by in FEEDING
        largest = max(arrays, key=lambda one: one.bytes(as_floatx=as_floatx))
        total = sum(one.bytes(as_floatx=as_floatx) for one in arrays)
        found.append(DeviceCopy(occurrence, event.by, total, largest.made))
    return tuple(found)


@fact
def _made_at(program: Program) -> dict[Place, _Array | None]:
    """What each maker gives; None where one call gives several sizes."""
    found: dict[Place, _Array | None] = {}
    for occurrence in program.happened(ArrayMade):
        event = occurrence.event
        assert isinstance(event, ArrayMade)
        name = event.dtype.value if isinstance(event.dtype, Constant) else None
        made = _Array(event.count, name, occurrence.place) if name in ITEM_BYTES else None
        found[occurrence.place] = made if found.get(occurrence.place, made) == made else None
    return found


def _array(program: Program, value: Value, depth: int = 0) -> _Array | None:
    """What is known of an array: its elements and dtype, through casts and arithmetic with numbers."""
    if depth > 12:
        return None
    if isinstance(value, Record):
        return _made_at(program).get(value.place)
    match value:
        case Unknown(origin=("call", Library(), *_, Place() as place)):
            return _made_at(program).get(place)
        case Unknown(origin=("call", Unknown(origin=("attribute", Value() as owner, str() as name)), *given)):
            known = _array(program, owner, depth + 1)
            return _of_method(known, name, given) if known is not None else None
        case Unknown(origin=("operator", str() as name, Value() as left, Constant() as number)):
            known = _array(program, left, depth + 1)
            return _of_operator(known, name, number) if known is not None else None
        case Unknown(origin=("item", Unknown(origin=("item", Value() as data, Constant(value=0 | 1 as part))), key)):
            return _of_dataset(data, part, key)
    return None


def _of_method(known: _Array, name: str, given: list[object]) -> _Array | None:
    if name == "astype":
        dtype = given[0].value if given and isinstance(given[0], Constant) else None
        return _Array(known.count, dtype, known.made) if dtype in ITEM_BYTES else None
    return known if name in SAME else None


def _of_operator(known: _Array, name: str, number: Constant) -> _Array | None:
    if name not in ("Add", "Sub", "Mult", "Div") or not isinstance(number.value, (int, float)):
        return None
    if "float" in known.dtype or (name != "Div" and not isinstance(number.value, float)):
        return known
    return _Array(known.count, "float64", known.made)


def _of_dataset(data: Value, part: int, key: object) -> _Array | None:
    match data:
        case Unknown(origin=("call", Library(key=name), *_, Place() as place)):
            head, _, last = name.rpartition(".")
            counts = DATASETS.get(head.rpartition(".")[2]) if last == "load_data" else None
            index = key.value if isinstance(key, Constant) and key.value in (0, 1) else None
            if counts is not None and index is not None:
                return _Array(counts[part][index], "uint8", place)
    return None
