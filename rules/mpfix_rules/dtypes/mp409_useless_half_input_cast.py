"""MP409: an input cast to half by hand that is cast again by the layer that gets it."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Applicability, Effect, Severity
from mpfix.frameworks.cast_uses import UselessCast, useless_casts
from mpfix.rewriting.edits import ModuleEdits
from mpfix.rule import Evidence, Finding, FixIntent, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import TRUE_VALUE, Constant
from mpfix_rules.repairs.casts import drop_cast

NO_POLICY = (
    "the model casts the input back to float32: nothing runs in {dtype}, digits are lost and values from 65520 on "
    "are infinite"
)
SAME = "the first layer casts to {dtype} itself: the cast changes nothing"
TWICE = "the input is rounded twice: the first layer computes in {first}"
WANTED = "the first layer computes in float32: the cast loses digits it wanted"
MIXED = ("mixed_float16", "mixed_bfloat16")


@rule("MP409", "useless-half-input-cast", severity=Severity.WARNING, half=True, words=("cast",), fixable=True)
def useless_half_input_cast(program: Program) -> Iterator[Finding]:
    """Half inputs that buy nothing."""
    for found in useless_casts(program):
        message = _message(found)
        if message is None:
            continue
        place = found.policy.place if found.policy.get("default") != TRUE_VALUE else found.built
        note = "the model is built here" if place == found.built else "the policy is set here"
        yield Finding(
            found.cast,
            message.format(dtype=found.dtype, first=found.first),
            evidence=(Evidence(place, note),),
            guard=found.case.guard,
            fix=_fix(program, found, message),
        )


def _message(found: UselessCast) -> str | None:
    name = found.policy.get("name")
    is_mixed = isinstance(name, Constant) and name.value in MIXED
    if not is_mixed and name != Constant("float32"):
        return None
    if is_mixed and found.case.event.is_inside:
        return None  # what a model's own `call` gets is in half already
    if found.policy.get("explicit") == TRUE_VALUE and not is_mixed:
        return None  # one layer of several is in float32
    if found.first == "float32":
        return WANTED if is_mixed else NO_POLICY
    if not is_mixed:
        return None
    return SAME if found.first == found.dtype else TWICE


def _fix(program: Program, found: UselessCast, message: str) -> FixIntent | None:
    dropped = drop_cast(program, found.cast)
    if dropped is None:
        return None
    is_safe = message is SAME and found.is_float
    return FixIntent(
        "Drop the cast",
        Applicability.SAFE if is_safe else Applicability.UNSAFE,
        Effect.BITWISE_EQUAL if message is SAME else Effect.CHANGES_TRAINING,
        lambda: (ModuleEdits(found.cast.module, (dropped,)),),
    )
