"""Operands of one operation in different dtypes, one of them half: what fixed the other one, and why it is half."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mpfix.frameworks.dtypes import FLOATS, HALVES, NumberTensor, source
from mpfix.frameworks.operations import DtypesMet
from mpfix.frameworks.policies import COMPUTE_DTYPES
from mpfix.record import record
from mpfix.semantic.guards import Guard, conjoin
from mpfix.semantic.program import Case, Program, alternatives, fact
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, TRUE_VALUE, At, Choice, Constant, Object, Record, Value


@record
class Clash:
    """An operation on a half tensor and one whose dtype something fixed.

    `how` says what did (`cast`, `default`, `literal`, `number`, `floatx`, `self.dtype`, `variable`), `maker` where;
    both are None where nobody knows. `policy` is where the half dtype was decided.
    """

    case: Case[DtypesMet]
    half: Value
    fixed: Value
    half_dtype: str
    fixed_dtype: str
    how: str | None
    maker: Place | None
    policy: Record | None
    source: Record | None = None
    """The `dtype source` that `how` and `maker` are of."""

    @property
    def place(self) -> Place:
        """The operation."""
        return self.case.place

    @property
    def guard(self) -> Guard:
        """Under which condition both dtypes are those."""
        return self.case.guard

    @property
    def promotes(self) -> bool:
        """Whether float32 comes out instead of an error."""
        return self.case.event.promotes

    @property
    def in_call(self) -> bool:
        """Whether it happens in the `call` of a layer or model."""
        return isinstance(self.case.event.scope, Object)


@fact
def clashes_in_layers(program: Program) -> tuple[tuple[Clash, ...], ...]:
    """Clashes in the `call` of layers and models and between layers of functional models, by what fixed the dtype."""
    found: dict[tuple[Place, str], list[Clash]] = {}
    for clash in dtype_clashes(program):
        if clash.policy is None or clash.maker is None or clash.how is None or not _is_in_model(clash):
            continue
        if _is_meant_in_half(clash):
            found.setdefault((clash.maker, clash.how), []).append(clash)
    return tuple(tuple(same) for same in found.values())


def _is_in_model(clash: Clash) -> bool:
    half = clash.half
    return clash.in_call or (isinstance(half, Record) and half.get("symbolic") == TRUE_VALUE)


def _is_meant_in_half(clash: Clash) -> bool:
    """Whether the half side is what a layer may compute in; in one of float32 it is the half side that has strayed."""
    return not clash.in_call or clash.half_dtype in _computed_in(clash)


@fact
def clashes_of_uncast_weights(program: Program) -> tuple[Clash, ...]:
    """Clashes with weights that their layer was told not to cast, on Keras 2: on Keras 3 float32 comes out.

    One for each operation.
    """
    if program.generation != 2:
        return ()
    found: dict[Place, Clash] = {}
    for clash in dtype_clashes(program):
        is_weight = isinstance(clash.fixed, Object) and clash.fixed.key == "weight"
        # in a layer that computes in half any other weight would have been cast
        if is_weight and clash.in_call and not clash.promotes and _computes_in(clash, clash.half_dtype):
            found.setdefault(clash.place, clash)
    return tuple(found.values())


def _computes_in(clash: Clash, dtype: str) -> bool:
    found = _computed_in(clash)
    return bool(found) and all(one == dtype for one in found)


def _computed_in(clash: Clash) -> list[object]:
    """What the policy of the layer computes in, in each case; None where nobody knows."""
    names = alternatives(clash.policy.get("name"), clash.guard) if clash.policy is not None else []
    return [COMPUTE_DTYPES.get(one.value, one.value) if isinstance(one, Constant) else None for _, one in names]


@fact
def clashes_in_losses(program: Program) -> tuple[Clash, ...]:
    """Clashes outside of layers, of what a model gave with something in float32: one for each operation."""
    found: dict[Place, Clash] = {}
    for clash in dtype_clashes(program):
        half = clash.half
        if clash.policy is None or clash.promotes or not isinstance(half, Record) or _is_in_model(clash):
            continue
        if isinstance(half.get("model"), (Object, Choice)) and not _comes_too_late(program, clash):
            found.setdefault(clash.place, clash)
    return tuple(found.values())


def followers(program: Program, first: Clash) -> tuple[Clash, ...]:
    """Clashes that nobody reaches because of an earlier one, but for those of what is repaired there."""
    found: dict[Place, Clash] = {}
    for clash in dtype_clashes(program):
        if clash.place != first.place and (first.place in _made_at(clash) or found.keys() & _made_at(clash)):
            found.setdefault(clash.place, clash)
    return tuple(found.values())


def _comes_too_late(program: Program, clash: Clash) -> bool:
    """Whether an operand is the result of an operation that raises an error itself."""
    makers = _made_at(clash)
    earlier = (one for one in dtype_clashes(program) if one.place in makers and not one.promotes)
    return any(one.guard <= clash.guard for one in earlier)


def _made_at(clash: Clash) -> frozenset[Place]:
    """The operations on several dtypes that gave the operands."""
    found = [one.get("clash at") for one in (clash.half, clash.fixed) if isinstance(one, Record)]
    return frozenset(one.place for value in found for _, one in alternatives(value) if isinstance(one, At))


@fact
def dtype_clashes(program: Program) -> tuple[Clash, ...]:
    """Every operation on a half tensor and one in float32 or float64, in order."""
    return tuple(_clashes(program))


def _clashes(program: Program) -> Iterator[Clash]:
    for case in program.cases(DtypesMet, "left_dtype", "right_dtype"):
        left, right = case.constant("left_dtype"), case.constant("right_dtype")
        if _give_way(program, case):
            continue
        if left in HALVES and right in FLOATS and right not in HALVES and not _may_be(case.event.right_dtype, left):
            yield from _clash(program, case, case.event.left, case.event.right, left, right)
        elif right in HALVES and left in FLOATS and left not in HALVES and not _may_be(case.event.left_dtype, right):
            yield from _clash(program, case, case.event.right, case.event.left, right, left)


def _give_way(program: Program, case: Case[DtypesMet]) -> bool:
    """Whether a variable of Keras 3 is a side of an operator: it takes the dtype of the tensor (measured).

    Functions of TensorFlow raise for it as for any other.
    """
    sides = (case.event.left, case.event.right)
    is_operator = "." not in case.event.operation
    return (
        program.generation == 3
        and is_operator
        and any(isinstance(one, Object) and one.key in ("weight", "keras.Variable") for one in sides)
    )


def _may_be(dtype: Value, half: str) -> bool:
    """Whether the program chooses the dtype by a flag of its own, half among them: it may go with the policy."""
    return isinstance(dtype, Choice) and any(one == Constant(half) for _, one in dtype)


def _clash(
    program: Program, case: Case[DtypesMet], half: Value, fixed: Value, half_dtype: str, fixed_dtype: str
) -> Iterator[Clash]:
    policy = case.event.policy
    record = policy if isinstance(policy, Record) and policy.kind == "policy" else None
    by = _source(fixed)
    if by == NONE:
        yield Clash(case, half, fixed, half_dtype, fixed_dtype, None, None, record)
        return
    for guard, one in alternatives(by, case.guard):
        narrower = conjoin(case.guard, guard)
        if narrower is None or not isinstance(one, Record):
            continue
        for more, how in alternatives(one.get("how"), narrower):
            joined = conjoin(narrower, more)
            if joined is not None and isinstance(how, Constant):
                narrowed = replace(case, guard=joined)
                yield Clash(narrowed, half, fixed, half_dtype, fixed_dtype, how.value, one.place, record, one)


def _source(fixed: Value) -> Value:
    if isinstance(fixed, Record):
        return fixed.get("dtype by")
    if isinstance(fixed, NumberTensor):
        return fixed.source
    return source("variable", fixed.place) if isinstance(fixed, Object) else NONE
