"""MP111: float16 as the dtype of a layer with weights."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.diagnostic import Effect, Severity
from mpfix.frameworks.events import LayerBuilt
from mpfix.frameworks.policy_facts import policy_names
from mpfix.frameworks.policy_order import training_beside
from mpfix.frameworks.variable_scopes import may_have_other_weights
from mpfix.rewriting.edits import RemoveArgument
from mpfix.rule import Evidence, Finding, FixIntent, rule
from mpfix.semantic.program import Case, Program, alternatives
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import TRUE_VALUE, Constant, Record
from mpfix_rules.repairs.policy_calls import unsafe

PURE = frozenset({"float16", "half"})
NO_POLICY = "no mixed policy is in force: without its `dtype` the layer would be float32"
SHARED = "the same call makes layers of other dtypes"


@rule("MP111", "half-layer-dtype", severity=Severity.ERROR, words=("dtype",), half=True, fixable=True)
def half_layer_dtype(program: Program) -> Iterator[Finding]:
    """Layers whose weights are float16, beside something that trains."""
    for case in program.cases(LayerBuilt, "policy.name", "policy.explicit"):
        is_own = case.value("policy.explicit") == TRUE_VALUE and case.event.layer.cls is None
        if not is_own or not case.event.trains or case.constant("policy.name") not in PURE:
            continue
        training = training_beside(program, case.occurrence, case.guard)
        if training is None or may_have_other_weights(program, case.event.key):
            continue
        mixed = _mixed_policy(case)
        fix, reason = _without_dtype(program, case.place) if mixed is not None else (None, NO_POLICY)
        kind = case.event.key.rpartition(".")[2]
        yield Finding(
            case.place,
            f"the weights of `{kind}` are float16: updates below 1/2048 of a weight vanish",
            evidence=(
                Evidence(mixed, "this policy would keep them float32")
                if mixed is not None
                else Evidence(training.place, "they are trained here"),
            ),
            guard=case.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _mixed_policy(case: Case[LayerBuilt]) -> Place | None:
    """Where the mixed policy was set that is in force besides."""
    for _, policy in alternatives(case.event.ambient, case.guard):
        if not isinstance(policy, Record) or policy.get("default") == TRUE_VALUE:
            continue
        if any(name == Constant("mixed_float16") for _, name in alternatives(policy.get("name"), case.guard)):
            return policy.place
    return None


def _without_dtype(program: Program, place: Place) -> tuple[FixIntent | None, str | None]:
    call = place.node
    if not isinstance(call, ast.Call) or not any(one.arg == "dtype" for one in call.keywords):
        return None, "the `dtype` stands elsewhere"
    made = [one.event for one in program.happened(LayerBuilt) if one.place == place]
    names = {name for one in made if isinstance(one, LayerBuilt) for name in policy_names(one.policy)}
    if not names <= PURE:
        return None, SHARED
    title = "Leave the dtype to the policy"
    return unsafe(title, Effect.CHANGES_TRAINING, place.module, RemoveArgument(call, "dtype")), None
