"""Variables that are no weights of their layer: trained in half without a float32 copy, or assigned half tensors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mpfix.frameworks.dtypes import HALVES, may_be_half
from mpfix.frameworks.half_statistics import WeightAssigned
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.guards import Guard
from mpfix.semantic.library import Event
from mpfix.semantic.program import Case, Program, fact
from mpfix.semantic.run import Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Object, Record, Value

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


@record
class VariableKept(Event):
    """A layer or model keeps a variable, maybe in half, as an attribute or in a list that is one."""

    variable: Object
    dtype: Value
    trainable: Value
    policy: Value


@record
class HalfWeight:
    """A trainable variable in half of a layer whose weights are in float32."""

    maker: Place
    guard: Guard
    dtype: str
    policy: Record


def note_kept(lib: KerasLibrary, run: Run, owner: Object, value: Value, node: ast.AST) -> None:
    """An attribute of an object was stored."""
    if lib.role(owner) not in ("layer", "model"):
        return
    for variable in _variables(run, value):
        dtype = run.get(variable, "dtype")
        if may_be_half(dtype):
            run.emit(VariableKept(node, variable, dtype, run.get(variable, "trainable"), run.get(owner, "policy")))


def _variables(run: Run, value: Value) -> Iterator[Object]:
    content = list_content(run, value) if isinstance(value, Object) and value.kind == "list" else None
    for one in content.items if content is not None else (value,):
        if isinstance(one, Object) and one.key == "tensorflow.Variable":
            yield one


@fact
def half_weights(program: Program) -> tuple[HalfWeight, ...]:
    """Trainable variables in half under a mixed policy, once for each that is made; Keras 3 trains none of them."""
    if program.generation != 2:
        return ()
    found: dict[Place, HalfWeight] = {}
    for case in program.cases(VariableKept, "dtype", "trainable", "policy.name", "policy"):
        dtype, policy = case.constant("dtype"), case.value("policy")
        is_mixed = str(case.constant("policy.name")).startswith("mixed_")
        if dtype in HALVES and case.constant("trainable") is True and is_mixed and isinstance(policy, Record):
            maker = case.event.variable.place
            found.setdefault(maker, HalfWeight(maker, case.guard, dtype, policy))
    return tuple(found.values())


@fact
def half_assignments(program: Program) -> tuple[Case[WeightAssigned], ...]:
    """Variables of TensorFlow in float32 that `call` assigns a half tensor, once for each place."""
    found: dict[Place, Case[WeightAssigned]] = {}
    for case in program.cases(WeightAssigned, "own", "given"):
        # a weight casts what it is given
        if case.event.weight.key == "tensorflow.Variable" and case.constant("given") in HALVES:
            found.setdefault(case.place, case)
    return tuple(found.values())
