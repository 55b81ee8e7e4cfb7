"""MP101: the policy is set after the model was made."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.policy_order import LatePolicy, late_policies
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.policies import policy_first

MODEL = "the policy comes too late: the model was built in float32 and stays float32, without loss scaling"
MOST = 3
"""Places that a finding names at most."""


@rule("MP101", "policy-after-model", severity=Severity.ERROR, half=True, fixable=True)
def policy_after_model(program: Program) -> Iterator[Finding]:
    """Half policies that come too late for a model that is trained."""
    found = late_policies(program)
    for place in dict.fromkeys(one.policy.place for one in found):
        late = [one for one in found if one.policy.place == place]
        models = [one for one in late if one.is_whole] or late
        fix, reason = policy_first(program, models[0].policy.occurrence, models)
        built = list(dict.fromkeys(one.built.place for one in models))[:MOST]
        yield Finding(
            place,
            MODEL if models[0].is_whole else _part(models[0]),
            evidence=tuple(Evidence(one, "built before, in float32") for one in built),
            guard=models[0].guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _part(late: LatePolicy) -> str:
    name = late.made.key.rpartition(".")[2] or late.made.key
    what = "a part of the model" if late.made.kind in ("model", "instance") else f"`{name}`"
    return f"the policy comes too late for {what}: it stays float32 inside the mixed model"
