"""Losses as values: what computes one, and what arithmetic keeps of its scale, its size and its dtype."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import (
    blends,
    double_divisions,
    dtypes,
    half_values,
    labels,
    loss_divisions,
    operations,
    positions,
)
from mpfix.frameworks.events import LossComputed
from mpfix.frameworks.gradients import divided
from mpfix.frameworks.handlers import Function, Functions, Methods
from mpfix.frameworks.layers import first_tensor
from mpfix.frameworks.loss_kinds import kind_named, kind_of_loss
from mpfix.frameworks.scales import divides, first_set, scale_of
from mpfix.semantic.program import alternatives
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
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

LARGE_FACTOR = 8
"""A loss times a constant of this size or more is taken for scaled by hand."""

_LOSS_NAMES = (
    "crossentropy", "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error", ".huber", ".hinge", "kl_divergence", ".poisson", "log_cosh", "cosine_similarity",
    ".mse", ".mae", ".mape", ".msle", ".kld", ".logcosh", ".MSE", ".MAE", ".MAPE", ".MSLE", ".KLD",
)  # fmt: skip


def is_loss_function(key: str) -> bool:
    """Whether a library name is a loss function, one number per sample."""
    return key.startswith(("keras.losses.", "keras.metrics.", "keras.backend.")) and key.endswith(_LOSS_NAMES)


def make_loss(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """A loss object."""
    loss = run.new_object("loss", node, key=function.key)
    given = arguments.keyword("reduction")
    # Keras 3 spells no reduction as None or "none"
    run.set(loss, "reduction", Constant("none") if given == NONE else given or NONE)
    run.set(loss, "from_logits", arguments.get(0, "from_logits") or FALSE_VALUE)
    return loss


def call_loss(lib: KerasLibrary, run: Run, loss: Object, arguments: Arguments, node: ast.AST) -> Value:
    """`loss(y_true, y_pred)` of a loss object: one number, unless its reduction says otherwise."""
    kind = kind_of_loss(run, loss)
    labels.note_loss(run, loss.key, arguments, node)
    result = compute(lib, run, "class", loss.key, arguments.get(1, "y_pred"), node, kind=kind)
    return reduced(run, loss, result, node)


def reduced(run: Run, loss: Object, result: Value, node: ast.AST) -> Value:
    """What `__call__` of a loss class makes of the values that its `call` gives."""
    reduction = run.get(loss, "reduction")
    changes: dict[str, Value] = {"vector": run.each(reduction, _is_vector), "vector at": At(run.place(node))}
    if reduction == Constant("sum") or (isinstance(reduction, Library) and reduction.key.endswith(".SUM")):
        changes["summed"] = At(run.place(node))
    return run.each(result, lambda one: one.having(changes) if isinstance(one, Record) else one)


def _loss_init(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`super().__init__(reduction=...)` of a project's loss class."""
    given = arguments.keyword("reduction")
    if isinstance(receiver, Object) and given is not None:
        run.set(receiver, "reduction", Constant("none") if given == NONE else given)
    elif isinstance(receiver, Object) and arguments.open_keywords:
        run.set(receiver, "reduction", Unknown(("reduction", receiver.serial), "reduction"))
    return NONE


def _is_vector(reduction: Value) -> Value:
    if isinstance(reduction, Constant):
        return Constant(str(reduction.value).lower() == "none" and reduction.value is not None)
    if isinstance(reduction, Library):
        return Constant(reduction.key.endswith(".NONE"))
    return Unknown(("vector", reduction), "vector")


def loss_function(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`keras.losses.binary_crossentropy(y_true, y_pred)` and its like: one number per sample."""
    kind = kind_named(function.key, arguments.get(2, "from_logits") or FALSE_VALUE)
    predictions = arguments.get(1, "y_pred") or arguments.keyword("output")
    labels.note_loss(run, function.key, arguments, node)
    result = compute(lib, run, "function", function.key, predictions, node, kind=kind)
    if predictions is not None and any(_may_be_flat(one) for _, one in alternatives(predictions)):
        # the last axis is averaged over: of a tensor with one axis nothing is left but a number
        unknown = {"vector": Unknown(("rank", run.place(node)), "rank")}
        return run.each(result, lambda one: one.having(unknown) if isinstance(one, Record) else one)
    return _vector(run, result, node)


def _may_be_flat(predictions: Value) -> bool:
    """Whether predictions may have one axis only: a part of a tensor, or reduced over the others."""
    value = widened(predictions)
    if isinstance(value, Record):
        return value.get("flat") != NONE
    if not isinstance(value, Unknown):
        return False
    kind, *rest = value.origin
    if kind == "item":
        return not isinstance(rest[1], Constant)
    if kind == "operator":
        return any(_may_be_flat(one) for one in rest[1:])
    return kind == "call" and isinstance(rest[0], Library)


def raw_loss(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`tf.nn.softmax_cross_entropy_with_logits` and its like: from logits, one number per sample."""
    result = compute(lib, run, "logits", function.key, arguments.keyword("logits"), node, kind=Constant("logits"))
    return _vector(run, result, node)


def _vector(run: Run, result: Value, node: ast.AST) -> Value:
    changes: dict[str, Value] = {"vector": TRUE_VALUE, "vector at": At(run.place(node))}
    return run.each(result, lambda one: one.having(changes) if isinstance(one, Record) else one)


def compute(
    lib: KerasLibrary,
    run: Run,
    form: str,
    key: str,
    predictions: Value | None,
    node: ast.AST,
    *,
    kind: Value = NONE,
) -> Value:
    """A loss of predictions, one number; the event says how it was computed."""
    tensor = first_tensor(run, predictions) if predictions is not None else None
    dtype: Value = Constant("float32")
    if isinstance(tensor, Record) and (form == "function" or lib.generation == 2):
        dtype = tensor.get("dtype")
    properties: dict[str, Value] = {
        "dtype": dtype, "loss at": At(run.place(node)), "loss form": Constant(form), "vector": FALSE_VALUE,
    }  # fmt: skip
    if isinstance(tensor, Record):
        properties |= {name: tensor.get(name) for name in ("model", "half") if tensor.get(name) != NONE}
    loss = Record("tensor", run.place(node), properties)
    judged = tensor if tensor is not None else predictions if predictions is not None else run.unknown(node)
    run.emit(LossComputed(node, form, key, judged, loss, kind))
    return loss


# -- arithmetic


def arithmetic(lib: KerasLibrary, run: Run, name: str, operands: tuple[Value, ...], node: ast.AST) -> Value | None:
    """Operators on tensors: dtype and meaning of the loss stay, an activation does not."""
    double_divisions.note_divided(lib, run, name, operands, node)
    found = half_values.operated(run, name, operands, _arithmetic(lib, run, name, operands, node), node)
    return positions.after_operator(run, name, operands, found)


def _arithmetic(lib: KerasLibrary, run: Run, name: str, operands: tuple[Value, ...], node: ast.AST) -> Value | None:
    plain = tuple(widened(operand) for operand in operands)
    tensors = [one for one in plain if isinstance(one, Record) and one.kind == "tensor"]
    promotes = lib.generation == 3 and (lib.promoting or operations.is_symbolic(run, plain))
    if tensors and len(plain) > 1:
        operations.note(run, name, plain, node, promotes=promotes)
    if not tensors or name in ("Eq", "NotEq", "Lt", "Gt", "LtE", "GtE"):
        return None
    losses = [one for one in tensors if one.get("loss at") != NONE or one.get("scaled") != NONE]
    main = losses[0] if losses else tensors[0]
    properties = {key: value for key, value in main.properties.items() if not key.startswith("activation")}
    properties |= blends.traces(tensors)
    half = first_set("half", tensors)
    if half != NONE:
        properties["half"] = half
    joined = dtypes.joined(run, plain, promotes=promotes)
    if joined is not None:
        properties |= {"dtype by": NONE, "derived": TRUE_VALUE, **joined.properties(run.place(node))}
    if len(losses) > 1 and name in ("Add", "Sub"):
        properties |= _of_sum(losses)
    if not losses and main.get("layer") == NONE and main.get("model") == NONE and name in ("Add", "Mult", "Div"):
        # numbers that come from no model, met by a value that nobody knows: that one may be the loss
        properties["scaled"] = next((scale_of(one) for one in plain if scale_of(one) != NONE), NONE)
    result = Record("tensor", run.place(node), properties)
    if losses and len(operands) == 2 and name in ("Div", "FloorDiv", "Mult"):
        return _multiple(run, name, result, operands[1] if plain[0] is main else operands[0], node)
    return result


def _of_sum(losses: list[Record]) -> dict[str, Value]:
    """What a sum of losses is: a vector when one is, scaled when one is, scaled by hand when all are."""
    vectors = [one.get("vector") for one in losses]
    scaled = next((one for one in losses if one.get("scaled") != NONE), None)
    changed: dict[str, Value] = {
        "vector": TRUE_VALUE
        if TRUE_VALUE in vectors
        else next((one for one in vectors if one not in (FALSE_VALUE, NONE)), FALSE_VALUE),
        "vector at": first_set("vector at", [one for one in losses if one.get("vector") == TRUE_VALUE]),
        "hand": losses[0].get("hand") if all(one.get("hand") != NONE for one in losses) else NONE,
    }
    if scaled is not None:
        changed |= {key: value for key, value in scaled.properties.items() if key.startswith("scaled")}
    return changed


def _multiple(run: Run, name: str, loss: Record, factor: Value, node: ast.AST) -> Record:
    """A loss times or over something: the loss scale, a scale made by hand, or a weight."""
    inner = widened(factor)
    loss_divisions.note_divided(run, loss, factor, node)
    if isinstance(inner, Record) and inner.kind == "scale":
        if not divides(name, inner):
            return loss.having({"scaled": inner.get("optimizer"), "scaled at": At(run.place(node))})
        return divided(run, loss, factor, node)
    is_vector = loss.get("vector") == TRUE_VALUE
    number = factor.value if isinstance(factor, Constant) and isinstance(factor.value, (int, float)) else None
    if is_vector:
        # a vector that is weighted is its author's own average
        loss = loss.having({"vector": Unknown(("weighted", run.place(node)), "weighted")})
    elif name == "Mult" and (number is None or abs(number) >= LARGE_FACTOR):
        loss = loss.having({"hand": At(run.place(node)), "hand factor": factor})
    if name != "Mult" or number is None or abs(number) < 1:
        return divided(run, loss, factor, node)
    return loss


def _operation(name: str) -> Function:
    """A function that does what an operator does, such as `tf.multiply`."""

    def handler(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
        from mpfix.semantic.operators import binary

        left, right = arguments.get(0, "x"), arguments.get(1, "y")
        if left is None or right is None:
            return None
        before, lib.promoting = lib.promoting, function.key.startswith("keras.ops.")
        try:
            return binary(run, name, widened(left), widened(right), node)
        finally:
            lib.promoting = before

    return handler


_OPERATORS = {
    "Add": ("tensorflow.add", "tensorflow.math.add", "keras.ops.add"),
    "Sub": ("tensorflow.subtract", "tensorflow.math.subtract", "keras.ops.subtract"),
    "Mult": ("tensorflow.multiply", "tensorflow.math.multiply", "keras.ops.multiply"),
    "Div": ("tensorflow.divide", "tensorflow.math.divide", "keras.ops.divide"),
}
_RAW = (
    "tensorflow.nn.softmax_cross_entropy_with_logits",
    "tensorflow.nn.sparse_softmax_cross_entropy_with_logits",
    "tensorflow.nn.sigmoid_cross_entropy_with_logits",
)
FUNCTIONS: Functions = {
    **dict.fromkeys(_RAW, raw_loss),
    **{key: _operation(name) for name, keys in _OPERATORS.items() for key in keys},
}
METHODS: Methods = {("loss", "__init__"): _loss_init}
