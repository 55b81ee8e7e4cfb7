"""MP210: arguments of older loss scale optimizers that Keras 3 refuses or reads as something else."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.wrapper_arguments import STABLE, WrapperArgument
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Case, Program
from mpfix.semantic.values import FALSE_VALUE, TRUE_VALUE, Constant, Object
from mpfix_rules.repairs.fixed_scales import fixed, left_to_default
from mpfix_rules.repairs.plan import Offer

DYNAMIC = ("dynamic", "auto")


@rule(
    "MP210",
    "stale-scaler-arguments",
    severity={3: Severity.ERROR},
    words=("LossScaleOptimizer",),
    fixable=True,
)
def stale_scaler_arguments(program: Program) -> Iterator[Finding]:
    """`dynamic` and `loss_scale`, by name or by position."""
    for case in program.cases(WrapperArgument, "value"):
        message = _message(case)
        if case.event.key != STABLE or message is None:
            continue
        fix, reason = _repair(program, case)
        inner = case.event.inner
        made = inner.place if isinstance(inner, Object) and _is_fixed(case) else None
        yield Finding(
            case.place,
            message,
            evidence=(Evidence(made, "the optimizer that takes a fixed scale is made here"),) if made else (),
            guard=case.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _message(case: Case[WrapperArgument]) -> str | None:
    """What Keras 3 makes of an argument; None where it understands it."""
    event, value = case.event, case.value("value")
    if event.name == "loss_scale":
        return "`loss_scale` is no argument of Keras 3: the call raises `ValueError`"
    if event.name == "dynamic":
        is_off = value == FALSE_VALUE
        return "`dynamic=False` raises `ValueError`: Keras 3 only scales dynamically" if is_off else None
    if event.position != 1:
        return None
    if value == TRUE_VALUE:
        return "`True` is read as an initial scale of 1: small float16 gradients are not protected"
    if value == FALSE_VALUE:
        return "`False` is read as an initial scale of 0: the first step makes every weight NaN"
    if isinstance(value, Constant) and isinstance(value.value, str):
        return f'`"{value.value}"` is read as the initial scale: `scale_loss` raises `ValueError`'
    return None


def _is_fixed(case: Case[WrapperArgument]) -> bool:
    value = case.value("value")
    is_number = isinstance(value, Constant) and isinstance(value.value, (int, float)) and value != TRUE_VALUE
    return value == FALSE_VALUE or (case.event.name == "loss_scale" and is_number)


def _repair(program: Program, case: Case[WrapperArgument]) -> Offer:
    value = case.value("value")
    if _is_fixed(case):
        return fixed(program, case.event, case.place)
    if value == TRUE_VALUE or (isinstance(value, Constant) and value.value in DYNAMIC):
        return left_to_default(program, case.event, case.place)
    return None, "what the argument means is only known to what made it"
