"""MP104: a policy object that is made and dropped."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import PolicyMade
from mpfix.frameworks.policy_facts import is_called, may_be_half, trained_layers, used_policies
from mpfix.frameworks.policy_order import MIXED
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.policy_calls import set_made_policy


@rule("MP104", "policy-never-set", severity=Severity.ERROR, words=("Policy",), half=True, fixable=True)
def policy_never_set(program: Program) -> Iterator[Finding]:
    """Mixed policies that nothing gets, in programs that are float32 throughout."""
    layers = trained_layers(program)
    if not layers or may_be_half(program):
        return
    for case in program.cases(PolicyMade, "policy.name"):
        name = case.constant("policy.name")
        if name not in MIXED or case.place in used_policies(program) or not is_called(program, case.occurrence):
            continue
        fix, reason = set_made_policy(program, case.place)
        yield Finding(
            case.place,
            f"the policy `{name}` is made and never set: every layer stays float32",
            evidence=(Evidence(layers[0].place, "built in float32"),),
            guard=case.guard,
            fix=fix,
            unfixable_reason=reason,
        )
