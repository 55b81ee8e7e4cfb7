"""Tensors as values: losses, casts, reductions, activations, arithmetic; rows in `tables/ops.toml`."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from mpfix.frameworks.events import Cast, LossComputed
from mpfix.frameworks.gradients import divided
from mpfix.frameworks.handlers import Function, Functions, Methods
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.layers import first_tensor
from mpfix.frameworks.tables import load_table
from mpfix.semantic.containers import list_content
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

SCALAR_LOSSES = frozenset({"keras.Model.compute_loss"})


@cache
def op_kinds() -> dict[str, str]:
    """What each array function is, by canonical key."""
    table = load_table("ops")
    return {
        canonical(key).name: kind
        for kind in ("activation", "passing", "elementwise", "mean", "sum", "zeros")
        for key in table[kind]
    }


@cache
def clips() -> dict[str, int]:
    """Position of the limit of each function that clips or norms gradients; -1 for norms."""
    return {canonical(key).name: position for key, position in load_table("ops")["clips"].items()}


def operation(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """A call of an array function that has a row."""
    kind = op_kinds().get(function.key)
    if kind is None or not (arguments.positional or arguments.keywords):
        return None
    first = arguments.positional[0] if arguments.positional else arguments.keywords[0][1]
    if kind == "zeros":
        return Record(
            "tensor", run.place(node), {"zeros": TRUE_VALUE, "dtype": arguments.keyword("dtype") or Constant("float32")}
        )
    if kind in ("mean", "sum"):
        return run.each(first, lambda one: _reduced(run, kind, function.key, one, arguments, node))
    return run.each(first, lambda one: _unary(run, kind, function.key, one, node))


def _unary(run: Run, kind: str, key: str, value: Value, node: ast.AST) -> Value:
    value = widened(value)
    if isinstance(value, Record) and value.kind == "gradients":
        return value
    tensor = value if isinstance(value, Record) else first_tensor(run, value)
    if kind == "passing" and isinstance(tensor, Record):
        return tensor
    dtype = tensor.get("dtype") if isinstance(tensor, Record) else Unknown(("dtype", value), "dtype")
    properties: dict[str, Value] = {"dtype": dtype}
    if isinstance(tensor, Record):
        keep = ("symbolic", "model", "policy", "layer", "maker")
        properties |= {name: tensor.get(name) for name in keep if tensor.get(name) != NONE}
        if kind == "elementwise" and tensor.get("loss at") != NONE:
            properties = dict(tensor.properties)
    if kind == "activation":
        name = key.rpartition(".")[2]
        properties |= {
            "activation": Constant(name),
            "activation dtype": dtype,
            "activation maker": At(run.place(node)),
            "function": TRUE_VALUE,
        }
    return Record("tensor", run.place(node), properties)


def _reduced(run: Run, kind: str, key: str, value: Value, arguments: Arguments, node: ast.AST) -> Value:
    value = widened(value)
    if isinstance(value, Record) and value.kind == "gradients":
        return Record("tensor", run.place(node), {})
    tensor = value if isinstance(value, Record) else first_tensor(run, value)
    properties: dict[str, Value] = {"dtype": Unknown(("dtype", value), "dtype")}
    if isinstance(tensor, Record):
        properties = dict(tensor.properties)
    properties.pop("activation", None)
    axis = arguments.get(1, "axis")
    whole = axis is None or axis == NONE
    if whole:
        properties["vector"] = FALSE_VALUE
        if kind == "sum":
            properties["summed"] = At(run.place(node))
        if key == "tensorflow.nn.compute_average_loss":
            properties["averaged"] = TRUE_VALUE
    elif properties.get("vector", NONE) == NONE:
        properties["vector"] = Unknown(("vector", run.place(node)), "vector")
    return Record("tensor", run.place(node), properties)


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

    def change(one: Value) -> Value:
        one = widened(one)
        if isinstance(one, Record) and one.kind == "gradients":
            return one
        properties = dict(one.properties) if isinstance(one, Record) else {"of": one}
        changed = {"dtype": dtype, "cast at": At(run.place(node)), "cast from": properties.get("dtype", NONE)}
        return Record("tensor", run.place(node), {**properties, **changed})

    return run.each(operand, change)


# -- losses


def make_loss(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """A loss object."""
    loss = run.new_object("loss", node, key=function.key)
    reduction = arguments.keyword("reduction") or NONE
    run.set(loss, "reduction", reduction)
    run.set(loss, "from_logits", arguments.get(0, "from_logits") or FALSE_VALUE)
    return loss


def call_loss(lib: KerasLibrary, run: Run, loss: Object, arguments: Arguments, node: ast.AST) -> Value:
    """`loss(y_true, y_pred)` of a loss object: one number, unless its reduction says otherwise."""
    predictions = arguments.get(1, "y_pred")
    result = compute(lib, run, "class", loss.key, predictions, node)
    reduction = run.get(loss, "reduction")

    def reduced(one: Value) -> Value:
        if isinstance(one, Constant):
            text = str(one.value).lower()
            return TRUE_VALUE if one.value is not None and text in ("none", "reduction.none") else FALSE_VALUE
        if isinstance(one, Library):
            return TRUE_VALUE if one.key.endswith(".NONE") else FALSE_VALUE
        return Unknown(("vector", one), "vector")

    vector = run.each(reduction, reduced)
    summed = reduction == Constant("sum") or (isinstance(reduction, Library) and reduction.key.endswith(".SUM"))
    changes: dict[str, Value] = {"vector": vector}
    if reduction == NONE and lib.generation == 3:
        changes["vector"] = FALSE_VALUE
    if summed:
        changes["summed"] = At(run.place(node))
    if run.get(loss, "reduction") == NONE and _none_given(run, loss):
        changes["vector"] = TRUE_VALUE
    return run.each(result, lambda one: one.having(changes) if isinstance(one, Record) else one)


def _none_given(run: Run, loss: Object) -> bool:
    """`reduction=None` as a keyword is the Keras 3 spelling of no reduction."""
    call = loss.place.node
    return isinstance(call, ast.Call) and any(
        keyword.arg == "reduction" and isinstance(keyword.value, ast.Constant) and keyword.value.value is None
        for keyword in call.keywords
    )


def loss_function(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`keras.losses.binary_crossentropy(y_true, y_pred)` and its like: one number per sample."""
    result = compute(lib, run, "function", function.key, arguments.get(1, "y_pred"), node)
    return run.each(result, lambda one: one.having({"vector": TRUE_VALUE}) if isinstance(one, Record) else one)


def raw_loss(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`tf.nn.softmax_cross_entropy_with_logits` and its like: from logits, one number per sample."""
    result = compute(lib, run, "logits", function.key, arguments.keyword("logits"), node)
    return run.each(result, lambda one: one.having({"vector": TRUE_VALUE}) if isinstance(one, Record) else one)


def compute(lib: KerasLibrary, run: Run, form: str, key: str, predictions: Value | None, node: ast.AST) -> Value:
    """A loss of predictions, one number; the event says how it was computed."""
    tensor = first_tensor(run, predictions) if predictions is not None else None
    dtype: Value = Constant("float32")
    if isinstance(tensor, Record) and (form == "function" or lib.generation == 2):
        dtype = tensor.get("dtype")
    properties: dict[str, Value] = {
        "dtype": dtype, "loss at": At(run.place(node)), "loss form": Constant(form), "vector": FALSE_VALUE,
    }  # fmt: skip
    if isinstance(tensor, Record) and tensor.get("model") != NONE:
        properties["model"] = tensor.get("model")
    loss = Record("tensor", run.place(node), properties)
    run.emit(LossComputed(node, form, key, predictions if predictions is not None else run.unknown(node), loss))
    return loss


# -- arithmetic


def arithmetic(lib: KerasLibrary, run: Run, name: str, operands: tuple[Value, ...], node: ast.AST) -> Value | None:
    """Operators on tensors: dtype and meaning of the loss stay, an activation does not."""
    plain = tuple(widened(operand) for operand in operands)
    tensors = [one for one in plain if isinstance(one, Record) and one.kind == "tensor"]
    if not tensors:
        return None
    if name in ("Eq", "NotEq", "Lt", "Gt", "LtE", "GtE"):
        return None
    losses = [one for one in tensors if one.get("loss at") != NONE or one.get("scaled") != NONE]
    main = losses[0] if losses else tensors[0]
    scale = next((one for one in plain if isinstance(one, Record) and one.kind == "scale"), None)
    properties = {key: value for key, value in main.properties.items() if not key.startswith("activation")}
    if len(losses) > 1 and name in ("Add", "Sub"):
        properties["vector"] = _either(*(one.get("vector") for one in losses))
        scaled = next((one for one in losses if one.get("scaled") != NONE), None)
        if scaled is not None:
            properties |= {"scaled": scaled.get("scaled"), "scaled at": scaled.get("scaled at")}
    result = Record("tensor", run.place(node), properties)
    if scale is not None and name == "Mult":
        return result.having({"scaled": scale.get("optimizer"), "scaled at": At(run.place(node))})
    if losses and name in ("Div", "FloorDiv", "Mult") and len(operands) == 2:
        factor = operands[1] if plain[0] is main else operands[0]
        if name != "Mult":
            return divided(run, result, factor, node)
        if not (isinstance(factor, Constant) and isinstance(factor.value, (int, float)) and abs(factor.value) >= 1):
            return divided(run, result, factor, node)
    return result


def _either(*values: Value) -> Value:
    if TRUE_VALUE in values:
        return TRUE_VALUE
    return next((one for one in values if one not in (FALSE_VALUE, NONE)), FALSE_VALUE)


def tensor_attribute(lib: KerasLibrary, run: Run, tensor: Record, name: str, node: ast.AST) -> Value | None:
    """`tensor.dtype`; anything else is not followed."""
    if name == "dtype" and tensor.get("dtype") != NONE:
        return tensor.get("dtype")
    return None


def tensor_item(run: Run, tensor: Record, node: ast.AST) -> Value:
    """`tensor[...]`: the same values, fewer."""
    return tensor.having({}, run.place(node))


# -- control flow and callbacks


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
            with run.on_path(path):
                results.append((guard or TRUE, run.call(branch, Arguments(), node)))
                run.ended = False
    return run.merge(results) or run.unknown(node)


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
    return run.call(Library("builtins.range"), arguments, node)


def _call_first(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.map_fn(f, ...)`, `tf.while_loop`, `tf.py_function`: what it is given is called with unknown arguments."""
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
    lib.distribute(run)
    return run.call(function, passed, node)


FUNCTIONS: Functions = {
    "tensorflow.cast": _cast,
    "keras.ops.cast": _cast,
    "keras.backend.cast": _cast,
    "tensorflow.cond": _cond,
    "keras.ops.cond": _cond,
    "tensorflow.equal": _equal("Eq"),
    "tensorflow.not_equal": _equal("NotEq"),
    "tensorflow.greater_equal": _equal("GtE"),
    "tensorflow.math.floormod": _modulo,
    "tensorflow.floormod": _modulo,
    "tensorflow.math.mod": _modulo,
    "tensorflow.function": _traced,
    "tensorflow.autograph.experimental.do_not_convert": _traced,
    "tensorflow.range": _range,
    "tensorflow.map_fn": _call_first,
    "tensorflow.while_loop": _call_first,
    "tensorflow.py_function": _call_first,
    "tensorflow.numpy_function": _call_first,
    "tensorflow.nest.map_structure": _map_structure,
    "tensorflow.nn.softmax_cross_entropy_with_logits": raw_loss,
    "tensorflow.nn.sparse_softmax_cross_entropy_with_logits": raw_loss,
    "tensorflow.nn.sigmoid_cross_entropy_with_logits": raw_loss,
}
METHODS: Methods = {
    ("strategy", "run"): run_on_replicas,
    ("strategy", "experimental_run_v2"): run_on_replicas,
}
