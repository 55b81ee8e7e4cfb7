"""Dtypes of values: what a number, a variable and a tensor take part with, and what an operation makes of several.

A tensor record has `dtype` (a constant, a choice or unknown) and, where something other than its operands decided on
it, `dtype by`: a `dtype source` record whose place is the call that did and whose `how` says why.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as MappingType
from typing import TYPE_CHECKING

from mpfix.frameworks.policies import TENSOR_DTYPES, compute_dtype
from mpfix.record import record
from mpfix.semantic.containers import list_content, new_dict, new_list
from mpfix.semantic.run import Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Choice,
    Constant,
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
    from mpfix.semantic.store import Cells

FLOATS = ("float16", "bfloat16", "float32", "float64")
HALVES = frozenset({"float16", "bfloat16"})
SCOPE = "call scope"
"""The global property that holds the layer or model whose `call` is running: its variables are cast to its dtype."""


@record
class NamedDtype(Constant):
    """A dtype that remembers what named it: `floatx`, or `self.dtype` for the variable dtype of a layer."""

    how: str
    place: Place

    __eq__, __hash__ = Constant.__eq__, Constant.__hash__


@record
class NumberTensor(Constant):
    """A tensor of one known number, such as `tf.constant(0.5)`; other numbers are no tensors, they have no dtype."""

    dtype: Value
    source: Value

    __eq__, __hash__ = Constant.__eq__, Constant.__hash__


def source(how: str, place: Place, **properties: Value) -> Record:
    """What fixed a dtype: `cast`, `default` (a maker without dtype), `literal` (one with), `number`, `variable`, ...

    `position` is that of the `dtype` argument, where the function has one; `of` the dtype of what was cast, and
    `assumed` whether that is only what `call` is given.
    """
    return Record("dtype source", place, {"how": Constant(how), **properties})


def as_dtype(value: Value) -> Value:
    """What a `dtype` argument means: a constant, a choice, or unknown."""
    if isinstance(value, Constant):
        if value.value == "half":
            return Constant("float16")
        return value if value.value in TENSOR_DTYPES else Unknown(("dtype", value), "dtype")
    return value if isinstance(value, (Choice, Unknown)) else Unknown(("dtype", value), "dtype")


_SIZES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
"""Bytes of a number."""


def dtype_attribute(dtype: Constant, name: str) -> Value | None:
    """`dtype.name` and the like: the dtype again, or what is known of a floating one."""
    if dtype.value not in TENSOR_DTYPES:
        return None
    if name in ("name", "base_dtype", "as_numpy_dtype"):
        return dtype
    size = _SIZES.get(str(dtype.value))
    return Constant(size) if name == "size" and size is not None else None


def given(dtype: Value, otherwise: str, place: Place, **properties: Value) -> Record:
    """The `dtype source` of a call that was given a dtype; `named` is where `self.dtype` or `floatx` named it."""
    known = [one for _, one in dtype if isinstance(one, Constant)] if isinstance(dtype, Choice) else [dtype]
    ways = {one.how if isinstance(one, NamedDtype) else otherwise for one in known}
    named = [one.place for one in known if isinstance(one, NamedDtype)]
    if len(ways) > 1 or not named:
        return source(otherwise, place, **properties)
    return source(ways.pop(), place, named=At(named[0]), **properties)


def dtype_of(run: Run, value: Value) -> Value:
    """The dtype with which a value takes part in an operation; None (the constant) for numbers and arrays.

    Those take the dtype of the tensor they meet. Unknown where nobody knows.
    """
    if isinstance(value, Choice):
        return run.each(value, lambda one: dtype_of(run, one))
    value = widened(value)
    if isinstance(value, Record) and value.kind == "tensor":
        if value.get("array") == TRUE_VALUE:
            return NONE
        found = value.get("dtype")
        return run.restrict(found) if found != NONE else Unknown(("dtype", value), "dtype")
    if isinstance(value, NumberTensor):
        return value.dtype
    if isinstance(value, Constant):
        return NONE
    if isinstance(value, Object) and value.kind == "variable":
        return variable_dtype(run, value)
    return Unknown(("dtype", value), "dtype")


def variable_dtype(run: Run, variable: Object) -> Value:
    """The dtype a variable is read in: a weight inside `call` in the compute dtype of the layer that runs."""
    own = run.get(variable, "dtype")
    scope = run.get_global(SCOPE) or NONE
    casts = variable.key in ("weight", "keras.Variable") and run.get(variable, "autocast") != FALSE_VALUE
    if not casts or not isinstance(scope, Object):
        return own if own != NONE else Unknown(("dtype", variable), "dtype")

    def read(one: Value) -> Value:
        if isinstance(one, Constant) and one.value in FLOATS:
            return compute_dtype(run, run.get(scope, "policy"))
        return one if one != NONE else Unknown(("dtype", variable), "dtype")

    return run.each(own, read)


def of_initial(run: Run, initial: Value) -> Value:
    """The dtype of a variable made of a value: a floating number gives float32."""
    if isinstance(initial, Constant) and not isinstance(initial, NumberTensor):
        return Constant("float32") if isinstance(initial.value, float) else Unknown(("dtype", initial), "dtype")
    return dtype_of(run, initial)


def source_of(run: Run, value: Value) -> Value:
    """What fixed the dtype of a value: a `dtype source`; None (the constant) where its operands did."""
    value = widened(value)
    if isinstance(value, Record):
        return value.get("dtype by")
    if isinstance(value, NumberTensor):
        return value.source
    if isinstance(value, Object) and value.kind == "variable":
        return source("variable", value.place)
    return NONE


def tensors_in(run: Run, values: Iterable[Value]) -> Iterator[Value]:
    """Values with the items of lists and tuples in their place."""
    for value in values:
        plain = widened(value)
        content = list_content(run, plain) if isinstance(plain, (Object, Sequence)) else None
        if content is not None:
            yield from content.items
        else:
            yield plain


@record
class Joined:
    """The dtype that an operation gives, and what fixed it."""

    dtype: Value
    by: Value
    clashes: bool = False
    """Whether the operands had several, none of which gives way: TensorFlow raises an error."""

    def properties(self, at: Place) -> dict[str, Value]:
        """As properties of a tensor that an operation at a place gives; `clash at` where that raises."""
        by = {} if self.by == NONE else {"dtype by": self.by}
        return {"dtype": self.dtype, **by, **({"clash at": At(at)} if self.clashes else {})}


def joined(run: Run, operands: Iterable[Value], *, promotes: bool = False) -> Joined | None:
    """What operands of one operation give; None where none of them has a dtype.

    TensorFlow has one dtype for all of them: a known one is that of the others too, and where two differ the half one
    is what the author meant inside `call`, the wider one elsewhere, as in losses. `promotes` is for functions that take
    the wider one without an error.
    """
    found = [(dtype_of(run, one), one) for one in operands]
    known = [(dtype, one) for dtype, one in found if dtype != NONE and not isinstance(dtype, Unknown)]
    if not known or (promotes and len(known) < sum(1 for dtype, _ in found if dtype != NONE)):
        return None
    # what may be anything as well takes the dtype of what is known for sure
    known.sort(key=lambda one: isinstance(one[0], Choice) and any(isinstance(other, Unknown) for _, other in one[0]))
    dtype, chosen = known[0]
    takes_wide = promotes or (len(known) > 1 and not isinstance(run.get_global(SCOPE), Object))
    for other, one in known[1:]:
        if other != dtype and _is_better(other, dtype, takes_wide):
            dtype, chosen = other, one
    return Joined(dtype, source_of(run, chosen), not promotes and any(other != dtype for other, _ in known))


def _is_better(other: Value, dtype: Value, takes_wide: bool) -> bool:
    is_wide = isinstance(dtype, Constant) and dtype.value in ("float32", "float64")
    if takes_wide:
        return not is_wide and isinstance(other, Constant) and other.value in ("float32", "float64")
    return is_wide and not (isinstance(other, Constant) and other.value in ("float32", "float64"))


# -- the inside of `call`


def may_be_half(dtype: Value) -> bool:
    """Whether some alternative of a dtype is half."""
    if isinstance(dtype, Choice):
        return any(may_be_half(one) for _, one in dtype)
    return isinstance(dtype, Constant) and dtype.value in HALVES


def call_inputs(lib: KerasLibrary, run: Run, layer: Object, arguments: Arguments, node: ast.AST) -> Arguments:
    """What a project's `call` gets: float tensors in the compute dtype, all of them on Keras 3, the first on Keras 2.

    Tensors in lists, tuples and dicts are cast too. A first input that nobody knows is a tensor of that dtype, or
    several, if they are floating at all.
    """
    dtype = compute_dtype(run, run.get(layer, "policy"))
    if not casts_inputs(lib, run, layer):
        return arguments
    casts_all, is_half = lib.generation == 3, may_be_half(dtype)

    def cast_input(value: Value, is_first: bool) -> Value:
        if not is_first and not casts_all:
            return value
        if is_first and is_half and isinstance(value, Unknown) and not value.cut:
            return Record("tensor", run.place(node), {"dtype": dtype, "call input": layer, "of": value})
        return run.each(value, lambda one: _in_dtype(run, one, dtype, node))

    return Arguments(
        tuple(cast_input(value, index == 0) for index, value in enumerate(arguments.positional)),
        tuple((name, cast_input(value, name == "inputs")) for name, value in arguments.keywords),
        arguments.open_positional,
        arguments.open_keywords,
    )


def note_autocast(run: Run, layer: Object, arguments: Arguments) -> None:
    """The `autocast` that the constructor of a base class is given."""
    autocast = arguments.keyword("autocast")
    if autocast is not None:
        run.set(layer, "argument autocast", autocast)


def casts_inputs(lib: KerasLibrary, run: Run, layer: Object) -> bool:
    """Whether a layer surely casts what it is called with: nothing told it otherwise, or may have."""
    attribute = "autocast" if lib.generation == 3 else "_autocast"
    return all(run.get(layer, name) in (NONE, TRUE_VALUE) for name in ("argument autocast", attribute))


def _in_dtype(run: Run, value: Value, dtype: Value, node: ast.AST) -> Value:
    """A value with its floating tensors in a dtype; the same object where there are none."""
    if isinstance(value, Record) and value.kind == "tensor" and value.get("dtype") != NONE:
        is_same = value.get("dtype") == dtype or not _is_floating(value.get("dtype"))
        return value if is_same else value.having({"dtype": dtype, "dtype by": NONE, "array": NONE})
    if isinstance(value, NumberTensor) and _is_floating(value.dtype):
        return NumberTensor(value.value, dtype, NONE)
    if isinstance(value, Object) and value.kind == "dict":
        entries = run.get(value, "content")
        if not isinstance(entries, Mapping):
            return value
        changed = tuple(
            (key, run.each(item, lambda one: _in_dtype(run, one, dtype, node))) for key, item in entries.entries
        )
        same = all(new is old for (_, new), (_, old) in zip(changed, entries.entries, strict=True))
        return value if same else new_dict(run, Mapping(changed, entries.open), node)
    content = list_content(run, value) if isinstance(value, (Sequence, Object)) else None
    if content is None:
        return value
    items = tuple(run.each(item, lambda one: _in_dtype(run, one, dtype, node)) for item in content.items)
    if all(new is old for new, old in zip(items, content.items, strict=True)):
        return value
    made = Sequence(items, content.open)
    return new_list(run, made, node) if isinstance(value, Object) and value.kind == "list" else made


def _is_floating(dtype: Value) -> bool:
    return not isinstance(dtype, Constant) or dtype.value in FLOATS


def enter_scope(run: Run, layer: Value) -> Cells | None:
    """The `call` of a layer begins; gives what was running before."""
    return run.enter_global(SCOPE, layer)


def leave_scope(run: Run, before: Cells | None) -> None:
    """The `call` of a layer ends."""
    run.leave_global(SCOPE, before)


# -- attributes of layers and models


def _of_policy(compute: bool) -> Callable[[KerasLibrary, Run, Object, ast.AST], Value]:
    def read(lib: KerasLibrary, run: Run, receiver: Object, node: ast.AST) -> Value:
        policy = run.get(receiver, "policy")
        return compute_dtype(run, policy) if compute else variable_dtype_of(run, policy, node)

    return read


def variable_dtype_of(run: Run, policy: Value, node: ast.AST) -> Value:
    """The dtype of the variables of a policy, which `layer.dtype` is too; it remembers that it was asked so."""

    mixed = NamedDtype("float32", "self.dtype", run.place(node))
    # what is float32 under every policy was still asked for as the dtype of the variables of a mixed one
    plain: MappingType[str, Constant] = {"half": Constant("float16")} | (
        {"float32": mixed} if _may_be_mixed(policy) else {}
    )

    def read(one: Value) -> Value:
        if not isinstance(one, Record) or one.kind != "policy":
            return Unknown(("variable dtype", one), "variable dtype")
        return run.each(one.get("name"), of_name)

    def of_name(name: Value) -> Value:
        if not isinstance(name, Constant) or not isinstance(name.value, str):
            return Unknown(("variable dtype", name), "variable dtype")
        return mixed if name.value.startswith("mixed_") else plain.get(name.value, Constant(name.value))

    return run.each(policy, read)


def _may_be_mixed(policy: Value) -> bool:
    if isinstance(policy, Choice):
        return any(_may_be_mixed(one) for _, one in policy)
    if isinstance(policy, Record):
        return _may_be_mixed(policy.get("name"))
    return isinstance(policy, Constant) and str(policy.value).startswith("mixed_")


ATTRIBUTES: MappingType[str, Callable[[KerasLibrary, Run, Object, ast.AST], Value]] = {
    "compute_dtype": _of_policy(True),
    "_compute_dtype": _of_policy(True),
    "dtype": _of_policy(False),
    "variable_dtype": _of_policy(False),
}
