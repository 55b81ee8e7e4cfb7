"""Models: Sequential, functional and subclassed; compile, fit, calls, and the tensors that leave a model."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import dtypes, input_casts, layer_states, layers, optimizers, stacks, wrapper_arguments
from mpfix.frameworks.events import Compiled, Fitted, ModelBuilt, ModelCalled, Predicted, TrainedUnseen
from mpfix.frameworks.handlers import Functions, Methods
from mpfix.frameworks.layers import first_tensor, layer_output, own_policy
from mpfix.frameworks.loss_kinds import kinds_of
from mpfix.frameworks.outputs import each_tensor, note_output
from mpfix.frameworks.own_optimizers import note_fit
from mpfix.frameworks.policies import compute_dtype
from mpfix.semantic.calls import call_method, class_attribute
from mpfix.semantic.containers import list_content
from mpfix.semantic.loops import run_loop
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Bound,
    Constant,
    Function,
    Library,
    LoopKey,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


def make_sequential(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`Sequential([...])`; layers may be added later."""
    model = _new_model(lib, run, function, arguments, node, "sequential")
    given = arguments.get(0, "layers")
    content = list_content(run, given) if given is not None and given != NONE else Sequence(())
    run.set(model, "content", content if content is not None else Sequence((), True))
    return model


def make_model(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`Model(inputs, outputs)`; `Model()` without tensors is a bare subclass base."""
    outputs = arguments.get(1, "outputs")
    model = _new_model(lib, run, function, arguments, node, "functional")
    if outputs is not None:
        run.set(model, "outputs", outputs)
    return model


def _new_model(
    lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST, form: str
) -> Object:
    model = run.new_object("model", node, key=function.key)
    policy = own_policy(run, arguments.keyword("dtype"), node)
    run.set(model, "policy", policy)
    run.set(model, "form", Constant(form))
    run.set(model, "package", Constant(function.package))
    run.emit(ModelBuilt(node, model, policy))
    note_made(lib, model)
    return model


def note_made(lib: KerasLibrary, model: Object) -> None:
    """A model was made, perhaps by a test."""
    lib.models.append(model)
    if lib.ambient.testing:
        lib.ambient.tried.append(model)


def make_application(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """A ready-made model of `keras.applications`: what leaves it is not known."""
    model = run.new_object("model", node, key="keras.applications")
    run.set(model, "policy", run.get_global("policy") or run.unknown(node))
    run.set(model, "form", Constant("application"))
    run.emit(ModelBuilt(node, model, run.get(model, "policy")))
    return model


# -- methods


def _compile(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """Compile puts a loss scale optimizer around a bare one when the model's policy is mixed_float16."""
    if not isinstance(receiver, Object):
        return _trained_unseen(run, arguments, node)
    given = arguments.get(0, "optimizer") or Constant("rmsprop")
    optimizer = run.each(given, lambda one: optimizers.as_optimizer(lib, run, one, node))
    automatic = arguments.keyword("auto_scale_loss")
    loss = arguments.get(1, "loss") or NONE
    kinds = kinds_of(run, loss, run.place(node))
    compiled = compiled_optimizer(lib, run, receiver, optimizer, automatic, node)
    wrapped = run.each(compiled, lambda one: optimizers.is_wrapped(run, one))
    run.emit(Compiled(node, receiver, optimizer, loss, kinds, run.get(receiver, "policy"), wrapped))
    run.set(receiver, "optimizer", compiled)
    run.set(receiver, "compile loss", loss)
    run.set(receiver, "compile kinds", kinds)
    run.set(receiver, "compiled", TRUE_VALUE)
    return NONE


def compiled_optimizer(
    lib: KerasLibrary, run: Run, model: Object, optimizer: Value, automatic: Value | None, node: ast.AST
) -> Value:
    """The optimizer that a model ends up with."""
    if isinstance(automatic, Constant) and automatic.value is False and lib.generation == 3:
        return run.each(optimizer, lambda one: optimizers.without_scaling(run, one))

    def wrap(one: Value, name: Value) -> Value:
        if isinstance(one, Unknown) and name == Constant("mixed_float16"):
            # whatever it is, compile sees to it that it scales
            return optimizers.wrap(lib, run, one, node, automatic=True)
        if not isinstance(one, Object) or one.kind != "optimizer":
            return one
        if isinstance(name, Constant):
            if name.value != "mixed_float16" or run.get(one, "wrapped") == TRUE_VALUE:
                return one
            return optimizers.wrap(lib, run, one, node, automatic=True)
        unknown = run.new_object("optimizer", node, key="compiled")
        run.set(unknown, "wrapped", Unknown(("wrapped by compile", name), "wrapped"))
        run.set(unknown, "inner", one)
        return unknown

    policy = run.get(model, "policy")
    names = run.each(policy, lambda one: one.get("name") if isinstance(one, Record) else one)
    wrapped = run.each(names, lambda name: run.each(run.restrict(optimizer), lambda one: wrap(one, name)))
    optimizers.note_policy(run, wrapped, policy)
    return wrapped


DUCK = frozenset({"compile", "fit", "train_on_batch"})
"""Methods of a model that count on a value nobody knows, when they are called with arguments of Keras."""

KERAS_ARGUMENTS = frozenset(
    {"optimizer", "loss", "metrics", "epochs", "steps_per_epoch", "validation_data", "callbacks", "batch_size"}
)


def _trained_unseen(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    """A model that nobody can name is trained: what is built somewhere may well be that model."""
    named = any(name in KERAS_ARGUMENTS for name, _ in arguments.keywords)
    if named or isinstance(arguments.get(0, "optimizer"), Constant):
        run.emit(TrainedUnseen(node))
    return None


def _fit(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """Training calls the model's own `train_step` again and again, else its `call`."""
    if not isinstance(receiver, Object):
        return _trained_unseen(run, arguments, node)
    run.emit(Fitted(node, receiver))
    run_train_step(lib, run, receiver, node)
    note_fit(run, receiver, node)
    return run.unknown(node)


def compile_by_own_method(run: Run, model: Object, node: ast.AST) -> None:
    """A model that nobody compiled is compiled by its class's own `compile`: it decides on optimizer and loss."""
    method = class_attribute(run, model, "compile", node)
    if isinstance(method, (Bound, Function)) and run.get(model, "compile loss") == NONE:
        _call_quietly(run, method, Arguments(open_positional=True, open_keywords=True), node)


def run_train_step(lib: KerasLibrary, run: Run, model: Object, node: ast.AST) -> None:
    """One training step of `fit`, as the body of a loop."""
    method = class_attribute(run, model, "train_step", node) if model.cls is not None else None
    if isinstance(method, (Bound, Function)):
        chosen: Value = method
        arguments = Arguments((Unknown(("data", node), "data"),))
        run_loop(run, LoopKey(run.place(node), 0), lambda: _call_quietly(run, chosen, arguments, node), counted=True)
    elif model.cls is not None:
        data = Unknown(("data", node), "data")
        call_model(lib, run, model, Arguments((data,), (("training", TRUE_VALUE),)), node)


def _call_quietly(run: Run, method: Value, arguments: Arguments, node: ast.AST) -> None:
    with run.contained():
        run.call(method, arguments, node)


def call_model(lib: KerasLibrary, run: Run, model: Object, arguments: Arguments, node: ast.AST) -> Value:
    """`model(inputs)`: its output; on symbolic tensors or inside another model it becomes a part of that."""
    given = arguments.positional[0] if arguments.positional else arguments.keyword("inputs") or run.unknown(node)
    tensor = first_tensor(run, given)
    symbolic = isinstance(tensor, Record) and tensor.get("symbolic") == TRUE_VALUE
    nested = lib.nesting(run) > 0
    if symbolic or nested:
        run.set(model, "part", TRUE_VALUE)
    else:
        run.emit(ModelCalled(node, model, given, lib.recording(run)))
    if model.cls is not None and class_attribute(run, model, "call", node) is not None:
        output = _call_own(lib, run, model, arguments, node)
    else:
        output = model_output(lib, run, model, given, node)
    run.set(model, "half", _half(run, model, output))

    def made_by(one: Record) -> Value:
        changes: dict[str, Value] = {} if (symbolic or nested) else {"model": model}
        return one.having({"symbolic": TRUE_VALUE if symbolic else NONE, **changes})

    return _marked_early(run, model, each_tensor(run, output, made_by, node), node)


def _marked_early(run: Run, model: Object, output: Value, node: ast.AST) -> Value:
    """An output whose early layers are a whole model made under the default policy."""
    if not layers.is_default(run.get(model, "policy")):
        return output
    return each_tensor(run, output, lambda one: one if one.get("early") == NONE else one.having({"early": model}), node)


def _half(run: Run, model: Object, output: Value) -> Value:
    """Where mixed_float16 was set for layers that an output comes from; the model's own policy where nobody knows."""
    tensor = first_tensor(run, output)
    if isinstance(tensor, Record) and (model.cls is None or tensor.get("half") != NONE or tensor.get("layer") != NONE):
        return run.restrict(tensor.get("half"))
    return layers.half_of(run, run.get(model, "policy"), None)


def _call_own(lib: KerasLibrary, run: Run, model: Object, arguments: Arguments, node: ast.AST) -> Value:
    """The project's own `call`, with `build` before the first one; what it returns leaves the model."""
    nesting = lib.enter_model(run)
    before = input_casts.enter_call(run, model)
    try:
        if run.get(model, "build ran") == NONE:
            run.set(model, "build ran", TRUE_VALUE)
            call_method(run, model, "build", Arguments((Unknown(("shape",), "input_shape"),)), node)
        with run.contained():
            output = call_method(run, model, "call", dtypes.call_inputs(lib, run, model, arguments, node), node)
    finally:
        input_casts.leave_call(run, before)
        lib.leave_model(run, nesting)
    if lib.nesting(run) == 0 and output is not None:
        note_output(run, model, arguments, output)
    return output if output is not None else run.unknown(node)


def model_output(lib: KerasLibrary, run: Run, model: Object, given: Value, node: ast.AST) -> Value:
    """What leaves a Sequential or functional model."""
    if run.get(model, "form") == Constant("application"):
        return _application_output(run, model, node)
    outputs = run.get(model, "outputs")
    if outputs != NONE:
        return outputs
    content = run.get(model, "content")
    return run.each(content, lambda one: _through(lib, run, model, one, given, node))


def _application_output(run: Run, model: Object, node: ast.AST) -> Value:
    """A tensor of the model's compute dtype, of which little else is known."""
    policy = run.get(model, "policy")
    half = layers.half_of(run, policy, None)
    unknown = Unknown(("application", model.serial), "application")
    properties = {
        "dtype": compute_dtype(run, policy), "activation": unknown, "half": half, "symbolic": TRUE_VALUE,
        "policy": policy, "early": model if layers.is_default(policy) else NONE, "input place": At(model.place),
    }  # fmt: skip
    return Record("tensor", run.place(node), properties)


def _through(lib: KerasLibrary, run: Run, model: Object, content: Value, given: Value, node: ast.AST) -> Value:
    """A tensor through the layers of a Sequential; only what the last ones do is kept."""
    known = stacks.last_layers(run, model, content)

    def passed(last: Value) -> Value:
        tensor = given if last is content else run.unknown(node)
        for layer in last.items if isinstance(last, Sequence) else ():
            tensor = run.each(layer, lambda one, tensor=tensor: _apply(lib, run, one, tensor, node))  # type: ignore[misc]
        return tensor if isinstance(last, Sequence) and last.items else run.unknown(node)

    return run.each(known, passed)


def _apply(lib: KerasLibrary, run: Run, layer: Value, tensor: Value, node: ast.AST) -> Value:
    if isinstance(layer, Object) and layer.kind == "layer":
        return layer_output(lib, run, layer, tensor, node)
    if isinstance(layer, Object) and layer.kind == "model":
        run.set(layer, "part", TRUE_VALUE)
        return _marked_early(run, layer, model_output(lib, run, layer, tensor, node), node)
    if isinstance(layer, Object) and layer.cls is not None:
        nesting = lib.enter_model(run)
        try:
            return run.call(layer, Arguments((tensor,)), node)
        finally:
            lib.leave_model(run, nesting)
    if isinstance(layer, Record):
        return tensor
    return run.unknown(node)


def _trainable_variables(lib: KerasLibrary, run: Run, receiver: Value, node: ast.AST) -> Value:
    return Record("variables", run.place(node), {"owner": receiver if isinstance(receiver, Object) else NONE})


def _optimizer(lib: KerasLibrary, run: Run, receiver: Value, node: ast.AST) -> Value | None:
    """`model.optimizer` before any compile was seen: what the standard compile would leave there."""
    if not isinstance(receiver, Object):
        return None
    own_compile = class_attribute(run, receiver, "compile", node) if receiver.cls is not None else None
    if isinstance(own_compile, (Bound, Function)):
        return None
    known = run.get(receiver, "standard optimizer")
    if known != NONE:
        return known
    bare = run.new_object("optimizer", receiver.place.node, key=wrapper_arguments.UNSEEN)
    run.set(bare, "wrapped", Unknown(("unseen", receiver.serial), "the optimizer that compile is given"))
    made = compiled_optimizer(lib, run, receiver, bare, None, receiver.place.node)
    run.set(receiver, "standard optimizer", made)
    return made


ATTRIBUTES = {
    "trainable_variables": _trainable_variables,
    "trainable_weights": _trainable_variables,
    "variables": _trainable_variables,
    "weights": _trainable_variables,
    **dtypes.ATTRIBUTES,
    **layer_states.ATTRIBUTES,
}


def model_attribute(lib: KerasLibrary, run: Run, receiver: Object, name: str, node: ast.AST) -> Value | None:
    """Attributes of a model (or layer) that the framework sets."""
    if name in ATTRIBUTES:
        return ATTRIBUTES[name](lib, run, receiver, node)
    if name == "optimizer" and lib.role(receiver) == "model":
        return _optimizer(lib, run, receiver, node)
    if name in ("output", "outputs"):
        outputs = run.get(receiver, "outputs")
        return outputs if outputs != NONE else model_output(lib, run, receiver, run.unknown(node), node)
    if name in ("dtype_policy", "_dtype_policy"):
        return run.get(receiver, "policy")
    return None


def _model_init(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`super().__init__(...)` of a subclass; with tensors it makes a functional model."""
    if isinstance(receiver, Object):
        outputs = arguments.get(1, "outputs")
        if outputs is not None and not isinstance(outputs, Unknown):
            run.set(receiver, "outputs", outputs)
            note_output(run, receiver, Arguments(), outputs)
        dtype = arguments.keyword("dtype")
        if dtype is not None:
            run.set(receiver, "policy", own_policy(run, dtype, node))
        dtypes.note_autocast(run, receiver, arguments)
        bases = receiver.cls.library_bases() if receiver.cls else ()
        if bases and bases[0].key == "keras.Sequential":
            content = list_content(run, arguments.positional[0]) if arguments.positional else Sequence(())
            run.set(receiver, "content", content if content is not None else Sequence((), True))
    return NONE


def _predict(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    if isinstance(receiver, Object):
        run.emit(Predicted(node, receiver))
    return run.unknown(node)


def _get_layer(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """A layer of a ready-made model, of which no more is known than the dtype of its output."""
    if not isinstance(receiver, Object) or run.get(receiver, "form") != Constant("application"):
        return None
    layer = run.new_object("layer", node, key="keras.applications")
    run.set(layer, "policy", run.get(receiver, "policy"))
    run.set(layer, "outputs", _application_output(run, receiver, node))
    return layer


def _none(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    return NONE


FUNCTIONS: Functions = {"keras.Sequential": make_sequential, "keras.Model": make_model}
METHODS: Methods = {
    ("model", "__init__"): _model_init,
    ("model", "add"): stacks.add,
    ("model", "pop"): stacks.pop,
    ("model", "compile"): _compile,
    ("model", "fit"): _fit,
    ("model", "fit_generator"): _fit,
    ("model", "train_on_batch"): _fit,
    **{("model", name): _predict for name in ("predict", "evaluate", "predict_on_batch", "test_on_batch")},
    ("model", "get_layer"): _get_layer,
    ("model", "build"): _none,
    ("model", "summary"): _none,
    ("model", "save"): _none,
    ("model", "save_weights"): _none,
    ("model", "load_weights"): _none,
    ("layer", "build"): _none,
}
