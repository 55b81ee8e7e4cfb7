"""MP220: hyperparameters that are set on a loss scale optimizer, where nothing reads them."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.optimizers import REWRITES
from mpfix.frameworks.stores import AttributeSet
from mpfix.frameworks.wrapper_arguments import FIXED_WHEN_BUILT, LIVE, is_unseen
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Case, Program, cases_of
from mpfix.semantic.values import TRUE_VALUE, Object
from mpfix_rules.repairs.inner_attributes import set_inside

STATE = ("wrapped", "wrapped at", "automatic", "policy", "inner", "clips")


@rule(
    "MP220",
    "attribute-set-on-wrapper",
    severity=Severity.ERROR,
    words=tuple(sorted(LIVE | FIXED_WHEN_BUILT)),
    fixable=True,
)
def attribute_set_on_wrapper(program: Program) -> Iterator[Finding]:
    """Clips, decay and the like that the inner optimizer never hears of."""
    for occurrence in program.happened(AttributeSet):
        for case in cases_of(occurrence, *(f"state.{name}" for name in STATE), allow_unknown=True):
            if not _is_ignored(program, case):
                continue
            fix, reason = set_inside(program, case)
            yield Finding(
                case.place,
                f"`{case.event.name}` of a loss scale optimizer is never read: the inner optimizer updates the weights",
                evidence=tuple(_evidence(case)),
                guard=case.guard,
                fix=fix,
                unfixable_reason=reason,
            )


def _is_ignored(program: Program, case: Case[AttributeSet]) -> bool:
    name, inner = case.event.name, case.value("state.inner")
    if name not in LIVE | FIXED_WHEN_BUILT or case.value("state.wrapped") != TRUE_VALUE:
        return False
    if case.event.optimizer.key in REWRITES or case.event.optimizer.cls is not None or is_unseen(inner):
        return False
    if program.generation == 3:
        return True
    # around a legacy optimizer of Keras 2 the wrapper hands attributes on; `use_ema` raises in the next update
    return isinstance(inner, Object) and ".legacy." not in inner.key and name != "use_ema"


def _evidence(case: Case[AttributeSet]) -> Iterator[Evidence]:
    is_automatic = case.value("state.automatic") == TRUE_VALUE
    policy, wrapped = case.at("state.policy"), case.at("state.wrapped at")
    if policy is not None and is_automatic:
        yield Evidence(policy, "under this policy compile wraps the optimizer")
    if wrapped is not None:
        yield Evidence(wrapped, "compile wraps the optimizer here" if is_automatic else "the optimizer is wrapped here")
