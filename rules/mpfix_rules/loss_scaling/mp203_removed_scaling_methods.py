"""MP203: methods and attributes of the loss scale optimizer that Keras 3 lost."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import ScalingMethodUsed
from mpfix.frameworks.steps import is_dead_use
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Case, Program, cases_of
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import TRUE_VALUE, At, Object, Unknown
from mpfix_rules.repairs.removed_methods import modernised

HALVES = frozenset({"get_scaled_loss", "get_unscaled_gradients"})
WORDS = (
    "get_scaled_loss",
    "get_unscaled_gradients",
    "minimize",
    "compute_gradients",
    "loss_scale",
    "dynamic",
    "_optimizer",
)


@rule("MP203", "removed-scaling-methods", severity={3: Severity.ERROR}, words=WORDS, fixable=True)
def removed_scaling_methods(program: Program) -> Iterator[Finding]:
    """Names of the Keras 2 wrapper, used where Keras 3 runs them."""
    for occurrence in program.happened(ScalingMethodUsed):
        for case in cases_of(occurrence, *(f"state.{name}" for name in _STATE), allow_unknown=True):
            if not _is_lost(case) or is_dead_use(program, occurrence):
                continue
            fix, reason = modernised(program, case)
            yield Finding(
                case.place,
                _message(case.event.name),
                evidence=tuple(_evidence(case)),
                guard=case.guard,
                fix=fix,
                unfixable_reason=reason,
            )


_STATE = ("wrapped", "automatic", "policy", "wrapped at", "made at")


def _is_lost(case: Case[ScalingMethodUsed]) -> bool:
    event = case.event
    if event.name in HALVES:
        return True
    if event.name == "minimize":
        return isinstance(event.optimizer, Object) and event.optimizer.key.startswith("keras.")
    return case.value("state.wrapped") == TRUE_VALUE


def _message(name: str) -> str:
    message = f"`{name}` does not exist on Keras 3: AttributeError in the first step"
    return f"{message}, `apply_gradients` unscales by itself" if name == "get_unscaled_gradients" else message


def _evidence(case: Case[ScalingMethodUsed]) -> Iterator[Evidence]:
    receiver = case.event.optimizer
    if isinstance(receiver, Unknown):
        place = _parameter(case, receiver)
        if place is not None:
            yield Evidence(place, "the optimizer comes in here")
        return
    policy, wrapped, made = (_place(case, name) for name in ("policy", "wrapped at", "made at"))
    automatic = case.value("state.automatic") == TRUE_VALUE
    if policy is not None and automatic:
        yield Evidence(policy, "under this policy compile wraps the optimizer")
    if wrapped is not None:
        yield Evidence(wrapped, "compile wraps the optimizer here" if automatic else "the optimizer is wrapped here")
    elif made is not None:
        yield Evidence(made, "the optimizer is made here")


def _place(case: Case[ScalingMethodUsed], name: str) -> Place | None:
    value = case.value(f"state.{name}")
    return value.place if isinstance(value, At) else None


def _parameter(case: Case[ScalingMethodUsed], receiver: Unknown) -> Place | None:
    """The parameter that brings an optimizer nobody knows."""
    if receiver.origin[0] != "parameter":
        return None
    _, function, name = receiver.origin
    spec = function.args
    parameters: list[ast.arg] = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
    return next((Place(case.place.module, one) for one in parameters if one.arg == name), None)
