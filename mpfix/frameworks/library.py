"""The library model of Keras and TensorFlow: what the interpreter asks about outside names and framework values."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import lru_cache
from typing import cast

from mpfix.frameworks import (
    accumulation_arguments,
    arrays,
    dispatch,
    dtypes,
    environment,
    gradients,
    layers,
    losses,
    marks,
    models,
    optimizers,
    outputs,
    own_optimizers,
    policies,
    policy_traces,
    replicas,
    reports,
    scales,
    step_counters,
    stores,
    sum_uses,
    tapes,
    tensors,
    type_tests,
    widening,
)
from mpfix.frameworks.ambient import Ambient, sets_policy
from mpfix.frameworks.events import AttributeTested, LayerReady, ModelBuilt
from mpfix.frameworks.keys import canonical, public_names
from mpfix.frameworks.unit_tests import is_test
from mpfix.frameworks.unset_flags import is_unset_flag
from mpfix.semantic.library import CONTAINERS, Iteration
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.store import Cells
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    Arguments,
    Bound,
    Choice,
    Class,
    Constant,
    Library,
    Object,
    Record,
    Unknown,
    Value,
    widened,
)
from mpfix.semantic.values import Function as ProjectFunction

HALVES = ("get_scaled_loss", "get_unscaled_gradients", "scale_loss")
MODELLED = ("keras", "tensorflow")
TELL_NOTHING = (Constant, Unknown, Library)
"""Kinds of arguments that hold no tape, strategy, policy or function."""


@lru_cache(maxsize=4096)
def _named(key: str, package: str) -> Value:
    head, _, last = key.rpartition(".")
    if last in policies.TENSOR_DTYPES and head in policies.DTYPE_MODULES:
        return Constant("float16" if last == "half" else last)
    return Library(key, package)


class KerasLibrary:
    """One root's library model; its own state lives in the run's store, so that it follows the path condition."""

    # fmt: off
    kept_words: frozenset[object] = frozenset([
        "float16", "float32", "float64", "bfloat16", "half", "mixed_float16", "mixed_bfloat16", "softmax", "sigmoid",
        "log_softmax", "tanh", "linear", "relu", "elu", "selu", "gelu", "swish", "sum", "mean", "none", "auto",
    ])
    # fmt: on

    def __init__(self, generation: int, assume_policy: str | None = None, *, meant: bool = False) -> None:
        self.meant = meant
        """Whether a test for a method that Keras 3 lost may be true, as its author meant."""
        self.generation = generation
        self.assume_policy = assume_policy
        self.models: list[Object] = []
        self.learnt_variables: dict[Place, list[Object]] = {}
        self.promoting = False
        self.entered_tapes: dict[Object, tuple[Cells | None, Cells | None]] = {}
        """The cells of the open tapes before and after each `with` of a tape that is running."""
        self.ambient = Ambient()

    # -- state

    def start(self, run: Run) -> None:
        """The policy is the library's default, or the one to assume."""
        self.start_policy(run, ast.Pass())
        run.set_global("nesting", Constant(0))

    def mark(self) -> Callable[[], None]:
        return marks.mark(self)

    def start_policy(self, run: Run, node: ast.AST) -> None:
        """Put the global policy (back) to what a fresh process has."""
        name = self.assume_policy or "float32"
        module = run.module
        properties: dict[str, Value] = {"name": Constant(name), "default": TRUE_VALUE}
        if self.assume_policy:
            properties["assumed"] = TRUE_VALUE
        place = Place(module, module.tree) if module is not None else Place(cast("object", None), node)  # type: ignore[arg-type]
        run.set_global("policy", Record("policy", place, properties))

    is_test = staticmethod(is_test)

    def start_last_pass(self, run: Run, occurrences: tuple[Occurrence, ...], function: ProjectFunction) -> None:
        """What nobody called is built under Ambient: the policies that any code of the component sets."""
        self.ambient.enter(self, run, occurrences, function)

    def comes_first(self, function: ProjectFunction) -> bool:
        """Whether a function sets a policy, for all those that nobody calls either."""
        return sets_policy(function)

    def has_set_state(self, run: Run) -> bool:
        """Whether a policy was set."""
        return run.get_global("policy set") is not None

    is_unset_flag = staticmethod(is_unset_flag)

    def nesting(self, run: Run) -> int:
        """How many models are being called right now."""
        value = run.get_global("nesting")
        return value.value if isinstance(value, Constant) else 0

    def enter_model(self, run: Run) -> Cells | None:
        """A model's own `call` begins; gives what `leave_model` needs."""
        return run.enter_global("nesting", Constant(self.nesting(run) + 1))

    def leave_model(self, run: Run, before: Cells | None) -> None:
        """A model's own `call` ends."""
        run.leave_global("nesting", before)

    def recording(self, run: Run) -> bool:
        """Whether some tape may record right now."""
        return tapes.may_record(run)

    def distribute(self, run: Run) -> None:
        """A distribution strategy is in use."""
        run.set_global("distributed", TRUE_VALUE)

    # -- names

    def name(self, qualified: str) -> Value:
        """A library name under its canonical key; framework dtypes are constants."""
        key = canonical(qualified)
        return _named(key.name, key.package)

    def _member(self, run: Run, key: str, package: str, node: ast.AST) -> Value:
        known = environment.known_name(self.generation, key, run.place(node))
        return known if known is not None else _named(key, package)

    def star(self, module: str, name: str) -> Value | None:
        """Star imports bind the public names of the library."""
        return self.name(f"{module}.{name}") if name in public_names(module) else None

    def merge(self, values: tuple[Value, ...]) -> Value | None:
        """`try: import a except: import b`: the one that is modelled."""
        known = [one for one in values if isinstance(one, Library) and one.key.partition(".")[0] in MODELLED]
        return known[0] if known else None

    # -- attributes

    def role(self, value: Value) -> str | None:
        """What a framework object, or an instance of a project subclass, is."""
        if not isinstance(value, Object):
            return None
        if value.cls is None:
            return value.kind if value.kind not in CONTAINERS else None
        for base in value.cls.library_bases():
            role = dispatch.role_of(base.key)
            if role is not None:
                return role
        return None

    def attribute(self, run: Run, receiver: Value, name: str, node: ast.AST) -> Value | None:
        if isinstance(receiver, Choice):
            return replicas.common_method(receiver, name)
        stores.note_read(run, receiver, name, node)
        if isinstance(receiver, Library):
            if receiver.key.partition(".")[0] == "keras":
                return self._member(run, canonical(f"{receiver.key}.{name}").name, receiver.package, node)
            key = canonical(f"{receiver.key}.{name}")
            return self._member(run, key.name, key.package, node)
        if isinstance(receiver, Record):
            return self._record_attribute(run, receiver, name, node)
        if isinstance(receiver, Object):
            return self._object_attribute(run, receiver, name, node)
        if isinstance(receiver, Unknown):
            return self._duck_attribute(run, receiver, name, node)
        return dtypes.dtype_attribute(receiver, name) if isinstance(receiver, Constant) else None

    def _duck_attribute(self, run: Run, receiver: Unknown, name: str, node: ast.AST) -> Value | None:
        """What belongs to one API only counts on a value nobody knows, unless a class of the project defines it."""
        if name in ("trainable_variables", "trainable_weights"):
            return Record("variables", run.place(node), {"owner": receiver})
        if name == "experimental_run_v2":
            return Bound(Library("strategy.experimental_run_v2"), receiver)
        if name == "map" and not _defined_by_project(run, name):
            return policy_traces.duck_map(receiver)
        if name in models.DUCK and not _defined_by_project(run, name):
            return Bound(Library(f"model.{name}"), receiver)
        if name in optimizers.DUCK and (not _defined_by_project(run, name) or _is_in_own(run, name)):
            return Bound(Library(f"optimizer.{name}"), receiver)
        return None

    def _record_attribute(self, run: Run, receiver: Record, name: str, node: ast.AST) -> Value | None:
        if receiver.kind == "policy":
            return policies.policy_attribute(self, run, receiver, name, node)
        if receiver.kind == "tensor":
            return tensors.tensor_attribute(self, run, receiver, name, node)
        if receiver.kind == "version":
            return environment.version_attribute(run, receiver, name, node)
        return Bound(Library(f"distribution.{name}"), receiver) if receiver.kind == "distribution" else None

    def _object_attribute(self, run: Run, receiver: Object, name: str, node: ast.AST) -> Value | None:
        role = self.role(receiver)
        if role == "optimizer":
            found = optimizers.optimizer_attribute(self, run, receiver, name, node)
            if found is not None:
                return found
        if role in ("model", "layer"):
            found = models.model_attribute(self, run, receiver, name, node)
            if found is not None:
                return found
        return Bound(Library(f"{role}.{name}"), receiver) if role is not None else None

    def store(self, run: Run, receiver: Value, name: str, value: Value, node: ast.AST) -> bool:
        stores.note_stored(self, run, receiver, name, value, node)
        return not isinstance(receiver, Object)

    # -- calls

    def call(self, run: Run, function: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        for one in arguments.values():
            if not isinstance(one, TELL_NOTHING):
                tapes.note_given(run, function, arguments, node)
                replicas.note_given(run, function, arguments, node)
                policy_traces.note_given(run, function, arguments, node)
                break
        reports.note_call(run, function, arguments, node)
        step_counters.note_call(run, function, arguments, node)
        found = self._call(run, function, arguments, node)
        accumulation_arguments.note_call(run, function, arguments, found, node)
        sum_uses.note_used(run, function, arguments, found, node)
        return found

    def _call(self, run: Run, function: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        if isinstance(function, Library):
            return dispatch.call_name(self, run, function, arguments, node)
        if isinstance(function, Bound) and isinstance(function.function, Library):
            return dispatch.call_bound(self, run, function, arguments, node)
        if isinstance(function, Object):
            return dispatch.call_object(self, run, function, arguments, node)
        return None

    def loss(self, run: Run, form: str, key: str, predictions: Value | None, node: ast.AST) -> Value:
        """A loss of predictions that the framework computes."""
        return losses.compute(self, run, form, key, predictions, node)

    # -- project subclasses

    def created(self, run: Run, instance: Object, arguments: Arguments, node: ast.AST) -> None:
        """An instance takes the policy in force when it is constructed."""
        role = self.role(instance)
        if role in ("model", "layer"):
            run.set(instance, "policy", run.get_global("policy") or run.unknown(node))
            policy_traces.note_values(run, arguments.values(), node)
        if role == "model":
            models.note_made(self, instance)
            run.emit(ModelBuilt(node, instance, run.get(instance, "policy")))
        elif role == "layer":
            bases = instance.cls.library_bases() if instance.cls else ()
            layers.mark_made(self, run, instance, bases[0] if bases else Library("keras.layers.Layer"), node)
        elif role == "optimizer":
            run.set(instance, "wrapped", Unknown(("wrapped", instance.serial), "wrapped"))

    def constructed(self, run: Run, instance: Object, node: ast.AST) -> None:
        """What a constructor passes on decides on the policy."""
        if self.role(instance) in ("model", "layer"):
            run.emit(LayerReady(node, instance, run.get(instance, "policy")))

    def returned(self, run: Run, value: Value, node: ast.AST) -> None:
        """A step that returns its loss has somebody look at it."""
        reports.note_returned(self, run, value, node)

    def reach(self, run: Run, function: ProjectFunction, receiver: Object | None) -> bool:
        """Methods of models and optimizers that nobody trains here run as `fit` and `model(x)` would run them."""
        if receiver is not None and self.role(receiver) == "optimizer" and function.name in own_optimizers.UPDATES:
            return own_optimizers.run_updates(run, receiver, NONE, function.node)
        if receiver is None or self.role(receiver) not in ("model", "layer"):
            return False
        if function.name == "train_step" and self.role(receiver) == "model":
            models.compile_by_own_method(run, receiver, function.node)
            models.run_train_step(self, run, receiver, function.node)
            return True
        if function.name == "call":
            dispatch.call_object(self, run, receiver, outputs.given_by_keras(receiver, function), function.node)
            return True
        return False

    def finish(self, run: Run) -> None:
        """Model outputs are known when everything is built."""
        if run.muted:
            return
        outputs.emit_outputs(self, run)
        sum_uses.note_carried(run)

    # -- items, operators, iteration

    def item(self, run: Run, receiver: Value, key: Value, node: ast.AST) -> Value | None:
        if isinstance(receiver, Record) and receiver.kind == "version":
            return environment.version_item(run, receiver, key, node)
        if isinstance(receiver, Record):
            return tensors.tensor_item(run, receiver, node) if receiver.kind == "tensor" else receiver
        if isinstance(receiver, Library) and receiver.key == "os.environ":
            return environment.variable(run, key) or Unknown(("environment", key, NONE), f"os.environ[{key}]")
        return None

    def store_item(self, run: Run, receiver: Value, key: Value, value: Value, node: ast.AST) -> bool:
        if isinstance(receiver, Library) and receiver.key == "os.environ":
            environment.set_variable(run, key, value)
            policy_traces.note_variable(run, key, value, node)
        return True

    def operator(self, run: Run, operator: str, operands: tuple[Value, ...], node: ast.AST) -> Value | None:
        if any(environment.is_version(run, one) for one in operands):
            return environment.version_operator(run, operator, operands, node)
        if step_counters.keeps_division(operator, operands):
            return None
        found = gradients.arithmetic(self, run, operator, operands, node)
        if found is not None:
            return found
        plain = tuple(widened(one) for one in operands)
        scale = scales.of_numbers(operator, plain)
        if scale is not None:
            return scale
        return losses.arithmetic(self, run, operator, operands, node)

    def iterate(self, run: Run, value: Value, node: ast.AST) -> Iteration | None:
        if isinstance(value, Record):
            return Iteration(value, value.kind in ("gradients", "variables"))
        if isinstance(value, Object) and value.kind == "variable":
            return Iteration(value, True)
        return None

    def truth(self, run: Run, value: Value) -> bool | None:
        if isinstance(value, Library):
            # a constant of a module that is not read may be false
            return True if value.key.partition(".")[0] in MODELLED or "." not in value.key else None
        if isinstance(value, Object):
            return None if value.kind == "variable" else True
        return True if isinstance(value, Record) and value.kind in ("policy", "gradients", "variables") else None

    def has_attribute(self, run: Run, value: Value, name: str, node: ast.AST) -> bool | None:
        if (isinstance(value, Object) and self.role(value) == "optimizer") or isinstance(value, Unknown):
            answer = None if self.meant and name in HALVES else optimizers.has_method(self, run, value, name)
            if name in optimizers.LOST_IN_KERAS_3 or name in optimizers.NEW_IN_KERAS_3:
                run.emit(AttributeTested(node, value, name, answer, optimizers.state_of(self, run, value, node)))
            return answer
        if isinstance(value, Library):
            found = None if self.meant else optimizers.class_has(self, value, name)
            return environment.has_name(self.generation, value, name) if found is None else found
        return None

    def is_instance(self, run: Run, value: Value, of: Value) -> bool | None:
        return type_tests.is_instance(self, run, value, of)

    def enter(self, run: Run, value: Value, node: ast.AST) -> Value | None:
        if isinstance(value, Object) and value.kind == "tape":
            return tapes.enter_tape(self, run, value, node)
        if isinstance(value, Object) and value.kind == "tape pause":
            return tapes.enter_pause(run, value, node)
        if isinstance(value, Object) and value.kind == "device":
            return arrays.enter_device(run, value)
        return replicas.enter(run, value, node)

    def exit(self, run: Run, value: Value, node: ast.AST) -> None:
        if isinstance(value, Object) and value.kind == "tape":
            tapes.exit_tape(self, run, value, node)
        elif isinstance(value, Object) and value.kind == "tape pause":
            tapes.exit_pause(run, value, node)
        elif isinstance(value, Object) and value.kind == "device":
            arrays.exit_device(run, value)
        else:
            replicas.leave(run, value, node)

    def widen(self, initial: Value, learnt: Value) -> Value | None:
        return widening.widen(initial, learnt)


def _is_in_own(run: Run, name: str) -> bool:
    """Whether a method of that name is running: what it calls by its own name is what it wraps."""
    return any(getattr(one, "name", None) == name for one in run.stack)


def _defined_by_project(run: Run, name: str) -> bool:
    return any(isinstance(cls, Class) and name in cls.box.cells for cls in run.classes.values())
