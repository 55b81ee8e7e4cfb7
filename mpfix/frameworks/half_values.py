"""Numbers in half precision: operators and functions that met a tensor in float16 or bfloat16, and what it was before.

A tensor remembers the last operation that made it (`computed`), and the number that was added to it last (`added`).
"""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING

from mpfix.frameworks import rows
from mpfix.frameworks.dtypes import SCOPE, NumberTensor, may_be_half
from mpfix.frameworks.handlers import Functions
from mpfix.frameworks.ranks import is_short
from mpfix.frameworks.training import HALF
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.library import Event
from mpfix.semantic.program import alternatives
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Bound,
    Choice,
    Constant,
    Library,
    Object,
    Record,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

MARKS = ("computed", "computed at", "added", "added at", "computed of", "bounded", "bounded by", "variance at", "short")
"""What a tensor remembers of its last operation; the next one forgets it."""

OPERATIONS = {
    "exp": "exp", "expm1": "expm1", "exponential": "exp", "pow": "Pow", "power": "Pow", "log": "log", "log1p": "log1p",
    "sqrt": "sqrt", "rsqrt": "rsqrt", "reciprocal": "reciprocal", "square": "square", "abs": "abs", "absolute": "abs",
    "squared_difference": "square", "maximum": "maximum", "minimum": "minimum", "clip_by_value": "clip", "clip": "clip",
    "where": "where", "switch": "where", "reduce_sum": "sum", "sum": "sum", "reduce_mean": "mean", "mean": "mean",
    "l2_loss": "l2 loss", "l2_normalize": "normalize", "normalize": "normalize", "norm": "norm",
    "reduce_euclidean_norm": "norm", "reduce_std": "std", "std": "std", "reduce_variance": "variance",
    "var": "variance", "reduce_max": "max", "max": "max", "amax": "max", "tanh": "tanh", "sigmoid": "sigmoid",
    "softmax": "softmax", "log_softmax": "log_softmax", "erf": "tanh", "sin": "tanh", "cos": "tanh", "negative": "USub",
    "hard_sigmoid": "sigmoid", "softsign": "tanh", "log_sigmoid": "log_softmax", "relu6": "clip", "ones_like": "ones",
    "logsumexp": "logsumexp", "reduce_logsumexp": "logsumexp",
    "ones": "ones", "fill": "ones", "full": "ones", "full_like": "ones", "cosh": "exp", "sinh": "exp",
}  # fmt: skip
"""The last word of a function's key, and the operation that it is."""

REDUCTIONS = frozenset({"sum", "mean", "max", "norm", "std", "variance"})
"""Operations that leave fewer values; along axes a tensor is `reduced` by them."""

ELEMENTWISE = frozenset({"exp", "expm1", "Pow", "log", "log1p", "sqrt", "rsqrt", "square", "abs", "tanh", "sigmoid"})
"""Functions of each element."""

SQUARED = (Constant("square"), Constant("Pow"))
"""What a tensor was computed by whose elements are squares."""

BOUNDED = frozenset(
    ["tanh", "sigmoid", "softmax", "log_softmax", "clip", "minimum", "USub", "hard_sigmoid", "softsign", "relu6"]
)
"""Operations whose results are bounded above."""

SHIFTING = ("Mult", "Div", "Add", "Sub")
"""Operators that scale or shift a tensor when the other operand is a number."""

ROOTS = ("tensorflow.", "keras.ops.", "keras.backend.", "keras.activations.")
SECOND = {"where": 2, "clip": 1}
FIRST = {"where": 1}
"""Positions of the operands that matter, where they are not the first two."""

NORMS = ("tensorflow.norm", "keras.ops.norm")
ORDERS = {**dict.fromkeys(NORMS, (1, "ord")), "keras.ops.normalize": (2, "order")}
"""Functions that square unless their order, given at this position or by this name, is another."""

WORDS = (
    ("x", "input", "input_tensor", "tensor", "features", "t"),
    ("y", "min", "clip_value_min", "a_min", "x_min", "min_value"),
    ("max", "clip_value_max", "a_max", "x_max", "max_value"),
)


@record
class HalfComputed(Event):
    """An operation met a tensor that may be in half: `left` and `right` as given, None (the constant) where missing.

    `how` is an operator's name in `ast` or a word of `OPERATIONS`; `key` the function, empty for an operator. `policy`
    is the global one then, `axis` that of a reduction, `scope` the layer or model whose `call` runs.
    """

    how: str
    key: str
    left: Value
    right: Value
    policy: Value
    axis: Value
    scope: Value


def note_half(
    run: Run, node: ast.AST, how: str, key: str, *, left: Value, right: Value = NONE, axis: Value = NONE
) -> None:
    """An operation met a tensor that may be in half, under the policy and in the layer of right now."""
    policy, scope = run.get_global("policy") or NONE, run.get_global(SCOPE) or NONE
    run.emit(HalfComputed(node, how, key, left, right, policy, axis, scope))


def operated(run: Run, name: str, operands: tuple[Value, ...], result: Value | None, node: ast.AST) -> Value | None:
    """Note an operator on tensors; its result remembers it."""
    if not any(is_half_tensor(one) for one in operands):
        return result
    left, right = operands[0], operands[1] if len(operands) > 1 else NONE
    note_half(run, node, name, "", left=left, right=right)
    noted, number = _remembering(run, name, left, right, result, node), _computed(name, left, right)
    return noted if number is None else _marked(run, noted, {"of": Constant(number)})


def called(run: Run, key: str, arguments: Arguments, result: Value | None, node: ast.AST) -> Value | None:
    """Note a function of tensors; its result remembers it."""
    how = OPERATIONS.get(key.rpartition(".")[2]) if key.startswith(ROOTS) else None
    if key in ORDERS and not _squares(arguments.get(*ORDERS[key])):
        how = None
    row = rows.row_of(key)
    if how is None:
        return result if row is None or row.passes == "values" else forgetting(run, result)
    left = _argument(arguments, FIRST.get(how, 0), WORDS[0])
    right = _argument(arguments, SECOND.get(how, 1), WORDS[1]) if how not in ("sum", "mean", "norm") else NONE
    if not any(is_half_tensor(one) for one in (left, right)):
        # a weight is no tensor record, but what is made of it may be one in half
        return _remembering(run, how, left, right, result, node) if how in BOUNDED else forgetting(run, result)
    axis = arguments.get(2 if key in NORMS else 1, "axis") or NONE
    axis = list_content(run, axis) or axis
    note_half(run, node, how, key, left=left, right=right, axis=axis)
    if how == "clip":
        note_half(run, node, "minimum", key, left=left, right=_argument(arguments, 2, WORDS[2]))
    noted = _remembering(run, how, left, right, result, node)
    if axis != NONE and how in REDUCTIONS and noted is not None:
        return run.each(noted, lambda one: one.having({"reduced": TRUE_VALUE}) if isinstance(one, Record) else one)
    return noted


def _squares(order: Value | None) -> bool:
    """Whether a norm of an order squares: other orders take absolute values; one that is not known may be any."""
    return order is None or (isinstance(order, Constant) and order.value in ("euclidean", "fro", 2, None))


def _argument(arguments: Arguments, position: int, names: tuple[str, ...]) -> Value:
    if position < len(arguments.positional):
        return arguments.positional[position]
    return next((value for name, value in arguments.keywords if name in names), NONE)


def _remembering(run: Run, how: str, left: Value, right: Value, result: Value | None, node: ast.AST) -> Value | None:
    if how == "Mult" and widened(left) == widened(right):
        how = "square"
    marks: dict[str, Value] = {"computed": Constant(how), "computed at": At(run.place(node))}
    number = number_of(right) if number_of(right) is not None else number_of(left)
    marks["added"] = Constant(number) if how in ("Add", "Sub") and number is not None else NONE
    marks["added at"] = marks["computed at"] if marks["added"] != NONE else NONE
    before = next((one for one in (widened(left), widened(right)) if isinstance(one, Record)), NONE)
    marks["computed of"] = before.get("computed") if isinstance(before, Record) else NONE
    if isinstance(before, Record) and how in ELEMENTWISE:
        marks |= {name: before.get(name) for name in ("rank", "reduced") if before.get(name) != NONE}
    marks["variance at"] = _variance(run, how, left, right, number, node)
    marks["bounded"] = TRUE_VALUE if _is_bounded(how, left, right, number) else NONE
    marks["short"] = TRUE_VALUE if _is_short(run, how, left, right) else NONE
    if how in SHIFTING and number is not None:
        marks["bounded by"] = next((one for one in (bounded_by(left), bounded_by(right)) if one != NONE), NONE)
    return _marked(run, result, marks)


def _is_short(run: Run, how: str, left: Value, right: Value) -> bool:
    """Whether a result has one axis at most: what is computed of such weights, element by element, and of numbers."""
    if how not in (*ELEMENTWISE, *SHIFTING, "USub", "where", "maximum", "minimum", "clip"):
        return False
    lengths = []
    for one in (widened(left), widened(right)):
        if isinstance(one, Object) and one.key == "weight":
            lengths.append(is_short(run, one))
        elif number_of(one) is None and one != NONE and not (how == "where" and _are_zeros(one)):
            lengths.append(isinstance(one, Record) and one.get("short") == TRUE_VALUE)
    return bool(lengths) and all(lengths)


def _are_zeros(value: Value) -> bool:
    return isinstance(value, Record) and value.get("zeros") == TRUE_VALUE


def _variance(run: Run, how: str, left: Value, right: Value, number: float | None, node: ast.AST) -> Value:
    """Where squares were averaged or summed, for a result that is still their sum, or its root; None for others."""
    tensor = next((one for one in (widened(left), widened(right)) if isinstance(one, Record)), None)
    if tensor is None:
        return NONE
    if how in ("sum", "mean") and tensor.get("computed") in SQUARED:
        return At(run.place(node))
    if how in ("sqrt", "rsqrt") or (how in ("Add", "Mult", "Div", "maximum", "Pow") and number is not None):
        return tensor.get("variance at")
    return NONE


def _is_bounded(how: str, left: Value, right: Value, number: float | None) -> bool:
    """Whether a result is bounded above, as its author meant: limited, negated, or shifted by a maximum."""
    if how in BOUNDED:
        return True
    if how in ("Mult", "Div") and ((number is not None and number < 0) or is_negated(left) or is_negated(right)):
        return True
    if how == "Sub" and _is_peak(widened(right)):
        return True
    return how in SHIFTING and number is not None and (is_bounded(left) or is_bounded(right))


def is_negated(value: Value) -> bool:
    """Whether a number that nobody knows is the opposite of another one, as `-math.log(10000.0) / size` is."""
    match widened(value):
        case Unknown(origin=("operator", "USub", *_)):
            return True
        case Unknown(origin=("operator", "Mult" | "Div", Value() as left, Value() as right)):
            negative = [is_negated(one) or (number_of(one) or 0.0) < 0 for one in (left, right)]
            return negative[0] != negative[1]
    return False


def bounded_by(value: Value) -> Value:
    """The activation whose results a tensor still is, but for numbers it was multiplied or shifted by; else None."""
    value = widened(value)
    if not isinstance(value, Record):
        return NONE
    found = value.get("activation") if value.get("bounded by") == NONE else value.get("bounded by")
    return found if isinstance(found, Constant) and found.value in BOUNDED else NONE


def _is_peak(value: Value) -> bool:
    """Whether a value is the largest of some others, or larger, as a `logsumexp` is."""
    if isinstance(value, Record):
        return value.get("computed") in (Constant("max"), Constant("logsumexp"))
    made_by = value.origin[1] if isinstance(value, Unknown) and value.origin[0] == "call" else None
    return isinstance(made_by, Library) and OPERATIONS.get(made_by.key.rpartition(".")[2]) in ("max", "logsumexp")


def is_bounded(value: Value) -> bool:
    """Whether a tensor is bounded above: by what was computed last, or by its activation."""
    value = widened(value)
    if not isinstance(value, Record):
        return False
    activation = value.get("activation")
    return value.get("bounded") == TRUE_VALUE or (isinstance(activation, Constant) and activation.value in BOUNDED)


def forgetting(run: Run, result: Value | None) -> Value | None:
    """A result that remembers nothing of what its operands were."""
    return _marked(run, result, dict.fromkeys(MARKS, NONE))


def _marked(run: Run, result: Value | None, marks: dict[str, Value]) -> Value | None:
    def mark(one: Value) -> Value:
        if not isinstance(one, Record) or one.kind != "tensor":
            return one
        if all(one.get(name) == value for name, value in marks.items()):
            return one
        kept = {name: value for name, value in one.properties.items() if name not in MARKS}
        return Record(one.kind, one.place, {**kept, **{name: to for name, to in marks.items() if to != NONE}})

    return run.each(result, mark) if result is not None else None


def is_half_tensor(value: Value) -> bool:
    """Whether a value is, or in some alternative may be known to be, a tensor in half."""
    if isinstance(value, Choice):
        return any(is_half_tensor(one) for _, one in value)
    value = widened(value)
    if not isinstance(value, Record) or value.kind != "tensor":
        return False
    return any(isinstance(one, Constant) and one.value in HALF for _, one in alternatives(value.get("dtype")))


def number_of(value: Value) -> float | None:
    """A plain number, also one that was made a tensor, or that a parameter is by default; None for anything else."""
    value = default_of(widened(value))
    if isinstance(value, Record) and value.kind == "tensor":
        value = value.get("of")
    if isinstance(value, Bound) and isinstance(value.function, Library):
        value = limit_of(value.receiver, value.function.key) or NONE
    if isinstance(value, NumberTensor) and not may_be_half(value.dtype):
        return None  # a tensor of its own dtype does not become half beside one
    if not isinstance(value, Constant) or isinstance(value.value, bool) or not isinstance(value.value, (int, float)):
        return None
    return float(value.value)


def _computed(name: str, left: Value, right: Value) -> float | None:
    """The number that a sum, a difference or the opposite of plain numbers is, though one of them is a tensor."""
    first, second = number_of(left), number_of(right)
    if first is None or (second is None and right != NONE):
        return None
    return {"USub": -first, "Add": first + (second or 0.0), "Sub": first - (second or 0.0)}.get(name)


def default_of(value: Value) -> Value:
    """The default of a parameter for which nobody passes anything that is known; other values as they are."""
    match value:
        case Unknown(origin=("parameter", ast.FunctionDef(args=spec), str(name)), cut=False):
            positional = [*spec.posonlyargs, *spec.args]
            defaults = [None] * (len(positional) - len(spec.defaults)) + spec.defaults + spec.kw_defaults
            given = zip([*positional, *spec.kwonlyargs], defaults, strict=True)
            default = next((node for parameter, node in given if parameter.arg == name), None)
            return _number_in(default) or value
    return value


def _number_in(node: ast.expr | None) -> Constant | None:
    match node:
        case ast.Constant(value=float(number)):
            return Constant(number)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=float(number))):
            return Constant(-number)
    return None


def known_number(key: str) -> Constant | None:
    """Numbers that libraries give names to."""
    return NUMBERS.get(key)


NUMBERS = {
    **dict.fromkeys(("numpy.inf", "numpy.Inf", "numpy.infty", "math.inf"), Constant(math.inf)),
    **dict.fromkeys(("numpy.NINF",), Constant(-math.inf)),
    **dict.fromkeys(("numpy.pi", "math.pi"), Constant(math.pi)),
}
LIMITS = {"float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
"""The largest number of each dtype."""


def limit_of(dtype: Value, key: str) -> Constant | None:
    """`tf.float32.min`, `np.finfo(np.float32).max`."""
    largest = LIMITS.get(dtype.value) if isinstance(dtype, Constant) and isinstance(dtype.value, str) else None
    if largest is None or key not in ("builtins.str.min", "builtins.str.max"):
        return None
    return Constant(largest if key.endswith("max") else -largest)


def _limits(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`np.finfo(dtype)`, whose `min` and `max` are those of the dtype."""
    dtype = arguments.get(0, "dtype")
    return dtype if isinstance(dtype, Constant) else None


FUNCTIONS: Functions = {"numpy.finfo": _limits, "tensorflow.experimental.numpy.finfo": _limits}
