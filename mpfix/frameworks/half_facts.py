"""Operations on tensors that are in half precision for sure, as rules ask for them."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.frameworks.dtypes import NumberTensor
from mpfix.frameworks.events import LayerReady
from mpfix.frameworks.half_values import HalfComputed, number_of
from mpfix.frameworks.policies import COMPUTE_DTYPES
from mpfix.frameworks.training import HALF
from mpfix.record import record
from mpfix.semantic.guards import Guard
from mpfix.semantic.program import Case, Program, alternatives, cases_of, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, At, Class, Constant, Object, Record, Sequence, Value, widened

FLOAT16_INFINITE = 65520.0
"""The first number that is infinite in float16."""
FLOAT16_ZERO = 2.0**-25
"""Numbers up to this one are 0 in float16."""
FLOAT16_VARIANCE = 1e-6
"""Numbers up to this one do not keep a float16 variance away from 0: the gradient of its root is infinite."""

MAX_MAKERS = 3
"""Places that make a layer, as findings inside its class name them."""

Makers = tuple[tuple[Place, str], ...]
"""Places that make a layer, each with the name of the layer's class."""


@record
class HalfOperation:
    """An operation on a tensor of `dtype`, float16 or bfloat16; `other` is its other operand, None where it has none.

    `computed` is the operation that made the tensor, `policy` the one that it is in half by, as far as is known;
    `is_right` whether the tensor is the second operand. `makers` are the first places of other modules that make the
    layers in whose `call` it stands, each with the name of its class.
    """

    place: Place
    guard: Guard
    how: str
    key: str
    tensor: Record
    dtype: str
    computed: str | None
    policy: Value
    other: Value
    is_right: bool
    axis: Value
    function: object = None
    makers: Makers = ()

    @property
    def number(self) -> float | None:
        """The other operand, where it is a plain number."""
        return number_of(self.other)

    @property
    def put_at(self) -> Place | None:
        """What put the number that the other operand is into half: a cast, or a maker with a dtype."""
        other = widened(self.other)
        if isinstance(other, NumberTensor):
            return other.source.place if isinstance(other.source, Record) else None
        by = other.get("dtype by") if isinstance(other, Record) and other.get("of") != NONE else NONE
        return by.place if isinstance(by, Record) else None

    def text(self, name: str) -> str | None:
        """A word that the tensor remembers."""
        value = self.tensor.get(name)
        return value.value if isinstance(value, Constant) and isinstance(value.value, str) else None


def half_operations(program: Program, *kinds: str) -> Iterator[HalfOperation]:
    """The operations of these kinds on half tensors, in order."""
    return (one for one in _operations(program) if one.how in kinds)


@fact
def _operations(program: Program) -> tuple[HalfOperation, ...]:
    found: dict[HalfOperation, None] = {}
    makers = _makers(program)
    for occurrence in program.happened(HalfComputed):
        for side, other in (("left", "right"), ("right", "left")):
            for one in _of_side(occurrence, side, other, tuple(makers.get(occurrence.place, ()))):
                found.setdefault(one)
    return tuple(found)


def _makers(program: Program) -> dict[Place, dict[tuple[Place, str], None]]:
    """The first places that make the layers in whose `call` an operation stands, where it does not show them itself."""
    found: dict[Place, dict[tuple[Place, str], None]] = {}
    for occurrence in program.happened(HalfComputed):
        scope = occurrence.event.scope if isinstance(occurrence.event, HalfComputed) else NONE
        if not isinstance(scope, Object) or scope.cls is None:
            continue
        known = found.setdefault(occurrence.place, {})
        for place in (scope.place, *_half_layers(program).get(scope.cls, ())):
            if place.module is not occurrence.place.module and len(known) < MAX_MAKERS:
                known.setdefault((place, scope.cls.name))
    return found


@fact
def _half_layers(program: Program) -> dict[Class, list[Place]]:
    """Where layers of the project's classes are made under a policy that computes in half."""
    found: dict[Class, list[Place]] = {}
    for occurrence in program.happened(LayerReady):
        event = occurrence.event
        assert isinstance(event, LayerReady)
        if event.layer.cls is None or not isinstance(event.policy, Record):
            continue
        names = alternatives(event.policy.get("name"), occurrence.guard)
        if any(isinstance(one, Constant) and COMPUTE_DTYPES.get(one.value, one.value) in HALF for _, one in names):
            found.setdefault(event.layer.cls, []).append(occurrence.place)
    return found


def _of_side(occurrence: Occurrence, side: str, other: str, makers: Makers) -> Iterator[HalfOperation]:
    event = occurrence.event
    assert isinstance(event, HalfComputed)
    paths = (side, f"{side}.dtype", f"{side}.policy", f"{side}.computed", other)
    for case in cases_of(occurrence, *paths, allow_unknown=True):
        tensor, dtype = widened(case.value(side)), case.constant(f"{side}.dtype")
        if isinstance(tensor, Record) and tensor.kind == "tensor" and dtype in HALF:
            computed, policy = case.constant(f"{side}.computed"), _policy(case, side, dtype)
            yield HalfOperation(
                case.place, case.guard, event.how, event.key, tensor, dtype, computed, policy, case.value(other),
                side == "right", event.axis, occurrence.function, makers,
            )  # fmt: skip


def _policy(case: Case[HalfComputed], side: str, dtype: str) -> Value:
    """The policy that a tensor is in half by: its own, else the global one where that computes in its dtype."""
    for policy in (case.value(f"{side}.policy"), widened(case.event.policy)):
        names = alternatives(policy.get("name"), case.guard) if isinstance(policy, Record) else []
        if any(isinstance(one, Constant) and COMPUTE_DTYPES.get(one.value, one.value) == dtype for _, one in names):
            return policy
    return NONE


def rounds_to_one(number: float, dtype: str) -> bool:
    """Whether a number below 1 is 1 in a half dtype."""
    return 1.0 > number >= 1.0 - (2.0**-12 if dtype == "float16" else 2.0**-9)


SQUARES = frozenset({"square", "abs", "Mult", "Pow"})
"""Operations before a sum that show that it runs over elements: products, squares, distances."""


def is_large_sum(one: HalfOperation) -> bool:
    """Whether a sum runs over a whole tensor of pixels or tokens, or over products of the elements of one."""
    if one.tensor.get("loss at") != NONE or one.tensor.get("reduced") != NONE or _axes(one.axis) < MANY_AXES:
        return False
    has_unknown_axes = one.tensor.get("rank") == NONE and one.tensor.get("short") == NONE
    return has_many_axes(one) or (has_unknown_axes and one.computed in SQUARES)


def is_large_count(one: HalfOperation) -> bool:
    """Whether a count runs over two axes or more of a tensor that has more, or is one of pixels or tokens."""
    return _axes(one.axis) >= MANY_AXES and (one.axis != NONE or has_many_axes(one))


def is_large_event(one: HalfOperation) -> bool:
    """Whether a log-likelihood is summed over the pixels and channels of an image."""
    return _axes(one.axis) >= IMAGE_RANK


def has_many_axes(one: HalfOperation) -> bool:
    """Whether a tensor is known to be one of pixels or tokens."""
    rank = one.tensor.get("rank")
    return isinstance(rank, Constant) and isinstance(rank.value, int) and rank.value >= IMAGE_RANK


MANY_AXES = 2
IMAGE_RANK = 3


def _axes(axis: Value) -> int:
    """How many axes a reduction runs over: all of them where it names none."""
    axis = widened(axis)
    if axis == NONE:
        return MANY_AXES
    return len(axis.items) if isinstance(axis, Sequence) and not axis.open else 1


def divisors_of_squares(program: Program) -> Iterator[tuple[Place, HalfOperation]]:
    """Where float16 squares are summed or averaged whose root something is divided by, with the division."""
    seen: set[Place] = set()
    for one in half_operations(program, "Div", "Mult", "reciprocal"):
        place = one.tensor.get("variance at")
        if one.dtype != "float16" or not isinstance(place, At) or one.number is not None or place.place in seen:
            continue
        is_root = one.computed == "rsqrt" if one.how == "Mult" else one.computed in ("sqrt", "Pow")
        if is_root and (one.how != "Div" or one.is_right):
            seen.add(place.place)
            yield place.place, one
