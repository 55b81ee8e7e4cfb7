"""Policies: what sets them, what reads them, and the compute dtype they give."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mpfix.frameworks.events import FloatxSet, PolicyMade, PolicySet
from mpfix.frameworks.generation import LEGACY_SWITCH
from mpfix.frameworks.handlers import Functions
from mpfix.semantic.alternatives import project
from mpfix.semantic.guards import TRUE, Equal, Every, Guard
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Constant,
    Library,
    Loop,
    Record,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

COMPUTE_DTYPES = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16", "half": "float16"}
DTYPES = frozenset({"float16", "bfloat16", "float32", "float64", "half"})
TENSOR_DTYPES = DTYPES | {
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "string",
    "complex64", "complex128",
}  # fmt: skip
DTYPE_MODULES = frozenset({"tensorflow", "tensorflow.dtypes", "tensorflow.compat.v1", "numpy", "jax.numpy"})
WIPED = ("wiped at", "wiped", "wiped name")
"""Of a default policy: where the session was cleared that had another one, where that was set, and its name."""

POLICY_NAMES = DTYPES | {"mixed_float16", "mixed_bfloat16"}

SETTERS = (
    "keras.mixed_precision.set_global_policy",
    "keras.mixed_precision.set_dtype_policy",
    "keras.mixed_precision.set_policy",
    "keras.mixed_precision.experimental.set_policy",
    "keras.mixed_precision.experimental.set_global_policy",
)
MAKERS = (
    "keras.mixed_precision.Policy",
    "keras.mixed_precision.DTypePolicy",
    "keras.mixed_precision.experimental.Policy",
)
READERS = (
    "keras.mixed_precision.global_policy",
    "keras.mixed_precision.dtype_policy",
    "keras.mixed_precision.experimental.global_policy",
)


def policy_record(run: Run, name: Value, node: ast.AST, **properties: Value) -> Record:
    """A policy value; `name` is a constant of `POLICY_NAMES` or unknown."""
    return Record("policy", run.place(node), {"name": name, **properties})


def as_policy(run: Run, value: Value | None, node: ast.AST) -> Value:
    """What a `dtype=` or policy argument means: a policy record, None for "the global one", or an unknown."""
    if value is None:
        return NONE
    return run.each(value, lambda one: _as_policy(run, one, node))


def _as_policy(run: Run, value: Value, node: ast.AST) -> Value:
    if isinstance(value, Constant) and value.value is None:
        return NONE
    if isinstance(value, Record) and value.kind == "policy":
        return value
    if isinstance(value, Constant) and isinstance(value.value, str):
        return policy_record(run, value, node)
    if isinstance(value, Unknown):
        told = _told_by_tests(run, value)
        return value if told == value else run.each(told, lambda one: policy_record(run, one, node))
    return Unknown(("policy", value), str(value))


def _told_by_tests(run: Run, name: Unknown) -> Value:
    """A name nobody knows, as each of the policies that the path has compared it with: by an `assert`, say."""
    names = sorted({one for one in _compared_with(run.path, name) if one in POLICY_NAMES})
    if not names or name.cut:
        return name
    told: list[tuple[Guard, Value]] = [(frozenset({(Equal(name, one), True)}), Constant(one)) for one in names]
    return run.merge(project((*told, (TRUE, name)), run.path)) or name


def _compared_with(guard: Guard, subject: Unknown) -> Iterator[str]:
    for condition, _ in guard:
        if isinstance(condition, Every):
            yield from _compared_with(condition.guard, subject)
        elif isinstance(condition, Equal) and condition.subject == subject and isinstance(condition.constant, str):
            yield condition.constant


def compute_dtype(run: Run, policy: Value) -> Value:
    """The dtype that a layer of the policy computes in; unknown where the policy is."""

    def read(one: Value) -> Value:
        if isinstance(one, Record) and one.kind == "policy":
            return run.each(one.get("name"), lambda name: _compute(name))
        return Unknown(("compute dtype", one), f"compute dtype of {one}")

    return run.each(policy, read)


def _compute(name: Value) -> Value:
    if isinstance(name, Constant):
        return Constant(COMPUTE_DTYPES.get(name.value, name.value))
    return Unknown(("compute dtype", name), f"compute dtype of {name}")


def home_of(lib: KerasLibrary, run: Run, package: str) -> str:
    """The package whose state a Keras package uses: `tf.keras` is one of the other two; empty where nobody knows."""
    if package in ("keras", "tf_keras"):
        return package
    if package != "tensorflow.keras":
        return ""
    legacy = run.get_global(f"environment {LEGACY_SWITCH}")
    if isinstance(legacy, Constant):
        return "tf_keras" if str(legacy.value).lower() in ("1", "true") else "keras"
    return "keras" if lib.generation == 3 and legacy is None else ""


def _set_policy(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    given = next(
        (arguments.get(0, name) for name in ("policy", "dtype_policy", "name") if arguments.get(0, name)), None
    )
    policy = as_policy(run, given, node) if given is not None else run.unknown(node)
    if policy == NONE:
        policy = policy_record(run, Constant("float32"), node)

    def placed(one: Value) -> Value:
        # several policies on different conditions are one record in the end, with one place
        return one.having({"set at": At(run.place(node))}, run.place(node)) if isinstance(one, Record) else one

    policy = run.each(policy, placed)
    before = run.get_global("policy") or NONE
    run.set_global("policy", policy)
    run.set_global("policy set", At(run.place(node)))
    home = home_of(lib, run, function.package)
    tpu, rewrite = run.get_global("tpu") or NONE, run.get_global("rewrite") or NONE
    run.emit(PolicySet(node, policy, function.package, before, home, tpu, rewrite))
    return NONE


def _make_policy(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    name = arguments.get(0, "name")
    if name is None:
        return run.get_global("policy") if lib.generation == 3 else run.unknown(node)
    made = run.each(
        name,
        lambda one: (
            policy_record(run, one, node, **{"made at": At(run.place(node))})
            if isinstance(one, Constant)
            else _as_policy(run, one, node)
        ),
    )
    run.emit(PolicyMade(node, made))
    return made


def _read_policy(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    if run.get_global("policy read") is None:
        run.set_global("policy read", At(run.place(node)))
    return run.get_global("policy")


def _set_floatx(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    name = arguments.get(0, "value") or arguments.get(0, "floatx") or run.unknown(node)
    fixed = _what_fixed(lib, run)
    run.emit(FloatxSet(node, name, function.package, fixed, run.get_global("policy") or NONE))
    run.set_global("floatx", name)
    if fixed == NONE:
        run.set_global("policy", as_policy(run, name, node))
    return NONE


def _what_fixed(lib: KerasLibrary, run: Run) -> Value:
    """The place that made the policy of layers independent of floatx; None (the constant) where nothing has.

    Keras 2: a policy that was set. Keras 3: also the first layer, or the first look at the policy.
    """
    names = ("policy set", "layer made", "policy read") if lib.generation == 3 else ("policy set",)
    found = (run.get_global(name) for name in names)
    return next((one for one in found if one is not None and one != NONE), NONE)


def _read_floatx(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    from mpfix.frameworks.dtypes import NamedDtype

    found = run.get_global("floatx") or Constant("float32")
    place = run.place(node)
    return run.each(found, lambda one: NamedDtype(one.value, "floatx", place) if isinstance(one, Constant) else one)


def _clear_session(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """Keras 3 puts the global policy back to its default; Keras 2 keeps it."""
    if lib.generation == 3:
        before = run.get_global("policy") or NONE
        lib.start_policy(run, node)
        fresh = run.get_global("policy")
        assert isinstance(fresh, Record)
        run.set_global("policy", run.each(before, lambda one: _wiped(run, one, fresh, node)))
    return NONE


def _wiped(run: Run, before: Value, fresh: Record, node: ast.AST) -> Value:
    """The default policy, which remembers the one that a session's end wiped first."""
    if isinstance(before, Loop):
        before = before.initial
    if not isinstance(before, Record):
        return fresh
    if before.get("default") == TRUE_VALUE:
        kept = {name: before.get(name) for name in WIPED if before.get(name) != NONE}
        return fresh.having(kept)
    return fresh.having(dict(zip(WIPED, (At(run.place(node)), At(before.place), before.get("name")), strict=True)))


FUNCTIONS: Functions = {
    **dict.fromkeys(SETTERS, _set_policy),
    **dict.fromkeys(MAKERS, _make_policy),
    **dict.fromkeys(READERS, _read_policy),
    "keras.backend.set_floatx": _set_floatx,
    "keras.backend.floatx": _read_floatx,
    "keras.backend.clear_session": _clear_session,
    "keras.utils.clear_session": _clear_session,
}


def policy_attribute(lib: KerasLibrary, run: Run, policy: Record, name: str, node: ast.AST) -> Value | None:
    """`policy.name`, `policy.compute_dtype`, `policy.variable_dtype`."""
    if name == "name":
        return policy.get("name")
    if name == "compute_dtype":
        return compute_dtype(run, policy)
    if name == "variable_dtype":
        from mpfix.frameworks.dtypes import variable_dtype_of

        return variable_dtype_of(run, policy, node)
    return None
