"""Uses of positions in half that need them exact: index arithmetic, a cast back to whole numbers, angles."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.frameworks.events import Cast
from mpfix.frameworks.half_facts import half_operations
from mpfix.frameworks.labels import EXACT
from mpfix.frameworks.training import HALF
from mpfix.record import record
from mpfix.semantic.guards import Guard
from mpfix.semantic.program import Program, cases_of, fact
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, TRUE_VALUE, At, Constant, Record, Value, widened

WHOLE = frozenset(["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
ANGLES = ("sin", "cos")
ANGLE_LIMIT = {"float16": 256, "bfloat16": 32}
"""Up to this position the sine of its angle is off by 0.1 at most."""


@record
class PositionUse:
    """Positions in `dtype` that `how` needs exact: `index`, `cast` or `angle`; `made` is what put them into half."""

    place: Place
    made: Place
    guard: Guard
    dtype: str
    how: str
    policy: Value


@fact
def position_uses(program: Program) -> tuple[PositionUse, ...]:
    """Where positions in half, that are not known to be few, are used as whole numbers, or as angles."""
    return tuple(dict.fromkeys((*_operations(program), *_casts(program))))


def _operations(program: Program) -> Iterator[PositionUse]:
    for one in half_operations(program, "FloorDiv", "Mod"):
        # `i // 2` is the pair of a feature, and nobody has thousands of those
        if not one.is_right and one.number != 2 and _passes(one.tensor, EXACT[one.dtype]):
            yield PositionUse(one.place, _made(one.tensor, one.place), one.guard, one.dtype, "index", one.policy)
    for one in half_operations(program, "tanh"):
        is_angle = one.key.rpartition(".")[2] in ANGLES and one.tensor.get("rated") == TRUE_VALUE
        if is_angle and _passes(one.tensor, ANGLE_LIMIT[one.dtype]):
            yield PositionUse(one.place, _made(one.tensor, one.place), one.guard, one.dtype, "angle", one.policy)


def _casts(program: Program) -> Iterator[PositionUse]:
    """Positions that were in half and become whole numbers again."""
    for occurrence in program.happened(Cast):
        for case in cases_of(occurrence, "operand.dtype", "dtype", "operand"):
            tensor, dtype = widened(case.value("operand")), case.constant("operand.dtype")
            if dtype not in HALF or case.constant("dtype") not in WHOLE or not isinstance(tensor, Record):
                continue
            if _passes(tensor, EXACT[dtype]):
                yield PositionUse(case.place, _made(tensor, case.place), case.guard, dtype, "cast", NONE)


def _passes(tensor: Record, limit: int) -> bool:
    """Whether the positions in a tensor are not known to be below a limit."""
    found = tensor.get("positions")
    return isinstance(found, Constant) and isinstance(found.value, float) and found.value > limit


def _made(tensor: Record, otherwise: Place) -> Place:
    """What put the positions into half; a layer that did so by autocast has no place, their use has one."""
    found = tensor.get("positions at")
    return found.place if isinstance(found, At) else otherwise
