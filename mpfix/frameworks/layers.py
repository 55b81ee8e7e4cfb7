"""Layers: construction under a policy, the tensor a call gives, activations."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from mpfix.frameworks import blends, dtypes, labels
from mpfix.frameworks.events import LayerBuilt
from mpfix.frameworks.handlers import Functions, Methods
from mpfix.frameworks.policies import as_policy, compute_dtype, home_of
from mpfix.frameworks.ranks import input_rank, rank_after, weight_rank
from mpfix.frameworks.tables import load_table
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Choice,
    Constant,
    Library,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

PASSING = frozenset(
    [
        "Reshape",
        "Flatten",
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "Permute",
        "RepeatVector",
        "Cropping1D",
        "Cropping2D",
        "Cropping3D",
        "ZeroPadding1D",
        "ZeroPadding2D",
        "ZeroPadding3D",
        "GaussianDropout",
        "ActivityRegularization",
        "Identity",
    ]
)
"""Layers that hand their input's values on: a softmax before them is still the softmax that the loss sees."""


WITH_WEIGHTS = ("Dense", "Conv", "Embedding", "LSTM", "GRU", "RNN", "Normalization", "Attention", "PReLU", "Local")
"""Parts of the names of layers that have weights."""

WITHOUT_WEIGHTS = frozenset({"Normalization", "UnitNormalization", "DenseFeatures"})


@record
class Signature:
    """The positional arguments of a layer's constructor, and the default of `activation`; None where it has none."""

    positional: tuple[str, ...] = ()
    activation: str | None = None
    output: str | None = None
    """The dtype of the output where no policy decides on it."""


@cache
def signature(name: str) -> Signature:
    """The row of `tables/layers.toml` of a layer class."""
    words = load_table("layers").get(name, "").split()
    output = words.pop()[2:] if words and words[-1].startswith("->") else None
    before = words.index("*") if "*" in words else len(words)
    positional = tuple(word.partition("=")[0] for word in words[:before])
    activation = next((word[len("activation=") :] for word in words if word.startswith("activation=")), None)
    return Signature(positional, activation, output)


def activation_name(run: Run, value: Value | None) -> Value:
    """The name of an activation argument: `"softmax"`, `tf.nn.softmax` and `keras.activations.softmax` are one."""
    if value is None:
        return NONE
    return run.each(value, _activation)


def _activation(value: Value) -> Value:
    if isinstance(value, Constant):
        return NONE if value.value == "linear" else value
    if isinstance(value, Library):
        return Constant(value.key.rpartition(".")[2])
    if isinstance(value, Object) and value.key.startswith("keras.layers."):
        return Constant(value.key.rpartition(".")[2].lower())
    return value if isinstance(value, Unknown) else Unknown(("activation", value), str(value))


def make_layer(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """A built-in layer, constructed here."""
    name = function.key.rpartition(".")[2]
    row = signature(name)
    layer = run.new_object("layer", node, key=function.key)
    policy = own_policy(run, arguments.get(None, "dtype"), node)
    run.set(layer, "policy", policy)
    run.set(layer, "package", Constant(function.package))
    activation = _row_activation(run, name, row, arguments)
    run.set(layer, "activation", activation)
    for index, argument in enumerate(row.positional[:4]):
        value = arguments.get(index, argument)
        if value is not None:
            run.set(layer, f"argument {argument}", value)
    for argument in ("name", "return_sequences", "autocast", "output_mode"):
        value = arguments.keyword(argument)
        if value is not None:
            run.set(layer, f"argument {argument}", value)
    run.set(layer, "input rank", input_rank(run, arguments) if arguments.keyword("shape") is None else NONE)
    trains = has_weights(name) and arguments.keyword("trainable") != FALSE_VALUE
    mark_made(lib, run, layer, function, node, trains=trains)
    return layer


def mark_made(lib: KerasLibrary, run: Run, layer: Object, cls: Library, node: ast.AST, *, trains: bool = True) -> None:
    """A layer was constructed: the event, and the note that there is one. `cls` is its class, or that of its base."""
    note_layer(run, node)
    policy, ambient = run.get(layer, "policy"), run.get_global("policy") or NONE
    home = home_of(lib, run, cls.package)
    run.emit(LayerBuilt(node, layer, layer_key(layer), policy, cls.package, home, ambient, trains))


def layer_key(layer: Object) -> str:
    """The class of a layer, for people and tables."""
    return layer.cls.name if layer.cls is not None else layer.key


def note_layer(run: Run, node: ast.AST) -> None:
    """The first layer fixes the policy of all layers."""
    if run.get_global("layer made") is None:
        run.set_global("layer made", At(run.place(node)))


def own_policy(run: Run, dtype: Value | None, node: ast.AST) -> Value:
    """The policy of a layer with this `dtype` argument: its own, marked `explicit`, or the global one in force."""
    own = as_policy(run, dtype, node)
    inherited = run.get_global("policy") or run.unknown(node)

    def choose(one: Value) -> Value:
        if isinstance(one, Constant):
            return inherited
        return one.having({"explicit": TRUE_VALUE}) if isinstance(one, Record) else one

    return run.each(own, choose)


def _row_activation(run: Run, name: str, row: Signature, arguments: Arguments) -> Value:
    if name in ("Softmax", "ReLU", "LeakyReLU", "PReLU", "ELU"):
        return Constant(name.lower())
    if row.activation is None:
        return Unknown(("lambda", name), "Lambda") if name == "Lambda" else NONE
    position = row.positional.index("activation") if "activation" in row.positional else None
    given = arguments.get(position, "activation")
    if given is not None:
        return activation_name(run, given)
    return NONE if row.activation == "linear" else Constant(row.activation)


# -- calling


def call_layer(lib: KerasLibrary, run: Run, layer: Object, arguments: Arguments, node: ast.AST) -> Value:
    """The tensor a built-in layer gives."""
    given = (
        arguments.positional[0] if arguments.positional else arguments.keyword("inputs") or arguments.keyword("query")
    )
    return layer_output(lib, run, layer, given if given is not None else run.unknown(node), node)


def layer_output(lib: KerasLibrary, run: Run, layer: Object, given: Value, node: ast.AST) -> Value:
    """What a layer makes of an input tensor."""
    name = layer.key.rpartition(".")[2]
    if name == "TimeDistributed":
        return _distributed(lib, run, layer, given, node)
    if name == "Lambda":
        return _of_function(lib, run, layer, given, node)
    if name == "Embedding":
        labels.note_ids(run, given, node)
    symbolic = _symbolic(run, given)
    dtype = output_dtype(lib, run, layer, name)
    before = first_tensor(run, given)
    half = half_of(run, run.get(layer, "policy"), before)
    earlier = before if isinstance(before, Record) else None
    properties: dict[str, Value] = {"dtype": dtype, "symbolic": symbolic, "name": run.get(layer, "argument name")}
    properties["rank"] = rank_after(run, layer, name, earlier.get("rank") if earlier is not None else NONE)
    if half != NONE:
        properties["half"] = half
    early = earlier.get("early") if earlier is not None else NONE
    properties["early"] = layer if early == NONE and _is_early(run, layer, name) else early
    if earlier is not None:
        properties["input place"] = earlier.get("input place")
        is_first = earlier.get("first") == NONE and earlier.get("input") != NONE
        properties["first"] = layer if is_first else earlier.get("first")
    activation = NONE if name == "Embedding" else run.get(layer, "activation")
    if name in PASSING or (name == "Activation" and activation == NONE):
        return _passed_on(run, layer, earlier, properties, node)
    properties |= {"layer": layer, "maker": At(layer.place), "policy": run.get(layer, "policy")}
    properties |= blends.traces(dtypes.tensors_in(run, (given,))) if name in blends.MERGING else {}
    if name in ("Dense", "Activation", "Softmax"):
        before_it = earlier.get("classes") if earlier is not None else NONE
        properties["classes"] = run.get(layer, "argument units") if name == "Dense" else before_it
    if activation != NONE:
        properties |= {"activation": activation, "activation dtype": dtype, "activation maker": At(layer.place)}
    elif blended := blends.after_layer(name, before):
        properties |= blended | {"passed by": _also_by(earlier, layer)}
    return Record("tensor", run.place(node), properties)


def _also_by(before: Value | None, layer: Object) -> Sequence:
    """The layers that handed a tensor on, and one more."""
    earlier = before.get("passed by") if isinstance(before, Record) else NONE
    return Sequence((*(earlier.items if isinstance(earlier, Sequence) else ()), layer))


def output_dtype(lib: KerasLibrary, run: Run, layer: Object, name: str) -> Value:
    """The dtype of what a layer gives: what it computes in, but for a few."""
    output = signature(name).output
    if output is not None:
        # what looks words up gives their numbers, or float32 in other modes
        is_open = output == "unknown" or (output == "int64" and run.get(layer, "argument output_mode") != NONE)
        return Unknown(("dtype", layer), "dtype") if is_open else Constant(output)
    if name == "UpSampling2D" and lib.generation == 2:
        # `tf.image.resize` gives float32, but for the nearest neighbour
        method = run.get(layer, "argument interpolation")
        if method not in (NONE, Constant("nearest")):
            return Constant("float32") if isinstance(method, Constant) else Unknown(("dtype", layer), "dtype")
    inner = run.get(layer, "argument layer") if name == "Bidirectional" and lib.generation == 2 else NONE
    return compute_dtype(run, run.get(inner if isinstance(inner, Object) else layer, "policy"))


def _of_function(lib: KerasLibrary, run: Run, layer: Object, given: Value, node: ast.AST) -> Value:
    """`Lambda`: whatever its function makes of the input in the layer's compute dtype."""
    symbolic = _symbolic(run, given)
    arguments = dtypes.call_inputs(lib, run, layer, Arguments((given,)), node)
    before = dtypes.enter_scope(run, layer)
    try:
        output = run.call(run.get(layer, "argument function"), arguments, node)
    finally:
        dtypes.leave_scope(run, before)

    def made(one: Value) -> Value:
        if isinstance(one, Record):
            keeps = one.get("blended") != NONE or one.get("bounded by") != NONE
            behind = {"passed by": _also_by(first_tensor(run, given), layer)} if keeps else {}
            return one.having({"symbolic": symbolic, **behind})
        return Record("tensor", run.place(node), {"dtype": Unknown(("dtype", one), "dtype"), "symbolic": symbolic})

    return run.each(output, made)


def _passed_on(run: Run, layer: Object, before: Record | None, properties: dict[str, Value], node: ast.AST) -> Record:
    """The values of the tensor before, in the layer's dtype: a cast where that is another one."""
    if before is None:
        return Record("tensor", run.place(node), properties)
    if before.get("dtype") != properties["dtype"]:
        changes = {"dtype by": NONE, "cast at": At(layer.place), "cast from": before.get("dtype")}
        properties = {**properties, **changes}
    properties["passed by"] = _also_by(before, layer)
    return Record("tensor", run.place(node), {**before.properties, **properties})


def _distributed(lib: KerasLibrary, run: Run, layer: Object, given: Value, node: ast.AST) -> Value:
    """`TimeDistributed`: what the inner layer makes of each step. On Keras 3 the wrapper's own dtype decides."""
    inner = run.get(layer, "argument layer")
    if not isinstance(inner, Object):
        return run.unknown(node)
    output = run.call(inner, Arguments((given,)), node)
    dtype = compute_dtype(run, run.get(layer, "policy"))

    def changed(one: Value) -> Value:
        if not isinstance(one, Record):
            return one
        changes: dict[str, Value] = {"name": run.get(layer, "argument name"), "rank": one.get("rank")}
        if changes["rank"] == NONE:
            changes["rank"] = Constant(3)
        if lib.generation == 3:
            changes |= {"dtype": dtype, "layer": layer, "maker": At(layer.place), "policy": run.get(layer, "policy")}
            if one.get("activation") != NONE:
                changes |= {"activation dtype": dtype, "activation maker": At(layer.place)}
        return one.having(changes)

    return run.each(output, changed)


def _is_early(run: Run, layer: Object, name: str) -> bool:
    """Whether a layer with weights was made under the library's default policy."""
    return has_weights(name) and is_default(run.get(layer, "policy"))


def has_weights(name: str) -> bool:
    """Whether a layer class of Keras has weights."""
    return name not in WITHOUT_WEIGHTS and any(word in name for word in WITH_WEIGHTS)


def is_default(policy: Value) -> bool:
    """Whether a policy is float32 because nobody said otherwise."""
    return (
        isinstance(policy, Record) and policy.get("default") == TRUE_VALUE and policy.get("name") == Constant("float32")
    )


def half_of(run: Run, policy: Value, before: Value | None) -> Value:
    """Where mixed_float16 was set for something of this policy, else for what made the tensor before it."""
    earlier = before.get("half") if isinstance(before, Record) else NONE

    def of_policy(one: Value) -> Value:
        if not isinstance(one, Record):
            return earlier
        place = At(one.place)
        return run.each(one.get("name"), lambda name: place if name == Constant("mixed_float16") else earlier)

    return run.each(policy, of_policy)


def _symbolic(run: Run, given: Value) -> Value:
    tensor = first_tensor(run, given)
    return tensor.get("symbolic") if isinstance(tensor, Record) else NONE


def first_tensor(run: Run, value: Value) -> Value | None:
    """The first tensor record in a value, through lists and choices; None when there is none."""
    value = widened(value)
    if isinstance(value, Record):
        return value
    if isinstance(value, Choice):
        return next((found for _, one in value if (found := first_tensor(run, one)) is not None), None)
    content = list_content(run, value)
    for item in content.items if content is not None else ():
        found = first_tensor(run, item)
        if found is not None:
            return found
    return None


def make_input(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`keras.Input`: a symbolic float32 tensor."""
    note_layer(run, node)
    dtype = arguments.keyword("dtype")
    properties = {
        "input place": At(run.place(node)),
        "dtype": dtype if isinstance(dtype, Constant) and dtype != NONE else Constant("float32"),
        "symbolic": TRUE_VALUE,
        "input": TRUE_VALUE,
        "rank": input_rank(run, arguments),
    }
    return Record("tensor", run.place(node), properties)


def _layer_init(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`super().__init__(dtype=...)` of a project's layer: the base class sets the policy."""
    if isinstance(receiver, Object):
        dtype = arguments.keyword("dtype")
        bases = receiver.cls.library_bases() if receiver.cls is not None else ()
        if dtype is None and lib.generation == 2 and bases and bases[0].key == "keras.layers.Layer":
            dtype = arguments.positional[2] if len(arguments.positional) > 2 else None
        if dtype is not None:
            run.set(receiver, "policy", own_policy(run, dtype, node))
        dtypes.note_autocast(run, receiver, arguments)
    return NONE


def _add_weight(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    variable = run.new_object("variable", node, key="weight")
    run.set(variable, "trainable", arguments.keyword("trainable") or TRUE_VALUE)
    run.set(variable, "rank", weight_rank(run, arguments, lib.generation))
    initial = arguments.get(4, "initializer") if lib.generation == 2 else arguments.get(1, "initializer")
    if isinstance(initial, Constant) and initial.value == "zeros":
        run.set(variable, "zero", TRUE_VALUE)
    dtype = arguments.get(2, "dtype")
    if dtype is None or dtype == NONE:
        policy = run.get(receiver, "policy") if isinstance(receiver, Object) else NONE
        dtype = dtypes.variable_dtype_of(run, policy, node)
    run.set(variable, "dtype", run.each(dtype, dtypes.as_dtype))
    for name in ("autocast", "experimental_autocast"):
        if arguments.keyword(name) is not None:
            run.set(variable, "autocast", arguments.keyword(name) or NONE)
    return variable


FUNCTIONS: Functions = {"keras.Input": make_input, "keras.layers.Input": make_input}
METHODS: Methods = {
    ("layer", "__init__"): _layer_init,
    ("layer", "add_weight"): _add_weight,
    ("model", "add_weight"): _add_weight,
}
