"""Functions that refuse half tensors: no signature or no kernel takes them; rows in `tables/half_kernels.toml`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from mpfix.frameworks import dtypes
from mpfix.frameworks.policies import COMPUTE_DTYPES
from mpfix.frameworks.tables import load_table
from mpfix.record import record
from mpfix.semantic.guards import Guard
from mpfix.semantic.library import Event
from mpfix.semantic.program import Case, Program, alternatives, fact
from mpfix.semantic.run import Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, TRUE_VALUE, Arguments, Constant, Object, Record, Sequence, Value, widened

COMPILING = ("jit_compile", "experimental_compile", "jit_scope", "set_jit", "xla")
"""Words of programs that may compile functions with XLA, which has kernels of its own."""

OTHER_BACKENDS = ("import jax", "from jax", "import torch", "from torch", "set_backend")
"""Words of programs that may run Keras 3 on another library, with kernels of its own."""


@record
class Refusal:
    """A function that refuses half tensors: judged arguments as (name, position), `refuses` and `gives` of its row."""

    arguments: tuple[tuple[str, int], ...]
    refuses: str
    gives: str


@record
class HalfGiven(Event):
    """An argument that may be half was given to a function that refuses it in half.

    `scope` is the layer or model whose `call` runs, None (the constant) outside; `policies` are those that may have
    made it half, the likeliest first. `position` is that of the argument.
    """

    key: str
    argument: str
    position: int
    value: Value
    dtype: Value
    scope: Value
    policies: tuple[Value, ...]


@record
class Refused:
    """A call that raises: `halves` are its arguments in half as (name, position), `dtype` that of the first one.

    `policy` is what put it into half, `is_whole` whether every argument is one tensor, not several in a list or tuple,
    `is_inside` whether it happens in the `call` of a layer or model.
    """

    place: Place
    guard: Guard
    key: str
    gives: str
    halves: tuple[tuple[str, int], ...]
    dtype: str
    policy: Record
    is_inside: bool
    is_whole: bool


@cache
def refusals() -> dict[str, Refusal]:
    """Each function that refuses half tensors, by canonical key."""
    return {
        key: Refusal(tuple(_arguments(text)), row["refuses"], row["gives"])
        for row in load_table("half_kernels")["row"]
        for key, text in row["functions"].items()
    }


def _arguments(text: str) -> Iterator[tuple[str, int]]:
    for one in text.split():
        name, _, position = one.partition(":")
        yield name, int(position)


# -- while the program runs


def note_call(run: Run, key: str, arguments: Arguments, node: ast.AST) -> None:
    """A library function was called."""
    refusal = refusals().get(key)
    if refusal is None or (key.startswith("keras.ops.") and not _is_tensorflow(run)):
        return
    for name, position in refusal.arguments:
        given = arguments.get(position, name)
        for value in dtypes.tensors_in(run, (given,)) if given is not None else ():
            dtype = dtypes.dtype_of(run, value)
            if dtypes.may_be_half(dtype):
                scope = run.get_global(dtypes.SCOPE) or NONE
                policies = tuple(_policies(run, scope, value))
                run.emit(HalfGiven(node, key, name, position, given or NONE, dtype, scope, policies))
                break


def _is_tensorflow(run: Run) -> bool:
    """Whether Keras 3 runs on TensorFlow, as far as the program says: other libraries have kernels of their own."""
    return run.get_global("environment KERAS_BACKEND") in (None, Constant("tensorflow"))


def _policies(run: Run, scope: Value, value: Value) -> Iterator[Value]:
    if isinstance(scope, Object):
        yield run.get(scope, "policy")
    if isinstance(value, Record):
        yield value.get("policy")
    yield run.get_global("policy") or NONE


def result_of(run: Run, key: str, arguments: Arguments, node: ast.AST) -> Value | None:
    """What such a function gives of a tensor that it takes: one of the same dtype; None where that is not known."""
    refusal = refusals().get(key)
    if refusal is None or refusal.gives != "same":
        return None
    given = widened(arguments.get(refusal.arguments[0][1], refusal.arguments[0][0]) or NONE)
    dtype = dtypes.dtype_of(run, given)
    if not isinstance(given, Record) or not isinstance(dtype, Constant) or dtype.value not in dtypes.FLOATS:
        return None
    if dtype.value in dtypes.HALVES:
        return None
    return Record(
        "tensor",
        run.place(node),
        {"dtype": dtype, "dtype by": dtypes.source_of(run, given), "derived": TRUE_VALUE},
    )


# -- facts


@fact
def refused_calls(program: Program) -> tuple[Refused, ...]:
    """Calls that raise because a policy put an argument into half, one for each place."""
    found: dict[Place, list[Refused]] = {}
    for case in program.cases(HalfGiven, "dtype"):
        one = _refused(program, case)
        if one is not None:
            found.setdefault(one.place, []).append(one)
    return tuple(_joined(same) for same in found.values())


def _refused(program: Program, case: Case[HalfGiven]) -> Refused | None:
    event, dtype = case.event, case.constant("dtype")
    if event.key.startswith("keras.ops.") and may_run_elsewhere(program):
        return None
    if not isinstance(dtype, str) or not _is_refused(program, refusals()[event.key].refuses, dtype):
        return None
    policy = _policy(case, dtype)
    if policy is None:
        return None
    is_whole = not any(_is_list(one) for _, one in alternatives(event.value, case.guard))
    return Refused(
        case.place, case.guard, event.key, refusals()[event.key].gives, ((event.argument, event.position),),
        dtype, policy, isinstance(event.scope, Object), is_whole,
    )  # fmt: skip


def _is_list(value: Value) -> bool:
    value = widened(value)
    return isinstance(value, Sequence) or (isinstance(value, Object) and value.kind == "list")


def _is_refused(program: Program, refuses: str, dtype: str) -> bool:
    if dtype == "bfloat16":
        return True
    if dtype != "float16" or refuses == "bfloat16":
        return False
    # `fit` of Keras 3 compiles by itself
    return refuses == "both" or (program.generation == 2 and not may_compile(program))


@fact
def may_compile(program: Program) -> bool:
    """Whether some file speaks of compiling with XLA."""
    return _speaks_of(program, COMPILING)


@fact
def may_run_elsewhere(program: Program) -> bool:
    """Whether some file speaks of another backend than TensorFlow."""
    return _speaks_of(program, OTHER_BACKENDS)


def _speaks_of(program: Program, words: tuple[str, ...]) -> bool:
    texts = (module.document.text.lower() for module in program.modules)
    return any(word in text for text in texts for word in words)


def _policy(case: Case[HalfGiven], dtype: str) -> Record | None:
    """The policy that put the argument into half: one that computes in its dtype."""
    for policy in case.event.policies:
        for _, one in alternatives(policy, case.guard):
            names = alternatives(one.get("name"), case.guard) if isinstance(one, Record) else []
            for _, name in names:
                if isinstance(name, Constant) and COMPUTE_DTYPES.get(name.value, name.value) == dtype:
                    return one if isinstance(one, Record) else None
    return None


def _joined(same: list[Refused]) -> Refused:
    """One call with all of its arguments in half, under the shortest condition."""
    first = min(same, key=lambda one: len(one.guard))
    halves = tuple(dict.fromkeys(half for one in same for half in one.halves))
    return Refused(
        first.place, first.guard, first.key, first.gives, halves, first.dtype, first.policy,
        any(one.is_inside for one in same), all(one.is_whole for one in same),
    )  # fmt: skip
