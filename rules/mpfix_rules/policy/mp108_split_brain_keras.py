"""MP108: the policy of one Keras package, the layers of another."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import LayerBuilt, PolicySet
from mpfix.frameworks.policy_facts import trained_layers
from mpfix.frameworks.policy_order import MIXED
from mpfix.frameworks.training import trains
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.guards import conjoin
from mpfix.semantic.program import Program
from mpfix_rules.repairs.policy_calls import set_in_package


@rule("MP108", "split-brain-keras", severity=Severity.ERROR, words=("keras",), half=True, fixable=True)
def split_brain_keras(program: Program) -> Iterator[Finding]:
    """Half policies told to a package from which no layer comes."""
    homes = {getattr(one.event, "home", "") for one in program.happened(LayerBuilt)}
    layers = trained_layers(program)
    if len(homes) != 1 or "" in homes or not layers or not trains(program):
        return
    (home,) = homes
    told = {getattr(one.event, "home", "") for one in program.happened(PolicySet)}
    if told & {home, ""}:
        return
    package = getattr(layers[0].event, "package", "")
    for case in program.cases(PolicySet, "policy.name"):
        guard = conjoin(case.guard, layers[0].guard)
        if case.constant("policy.name") not in MIXED or guard is None:
            continue
        fix, reason = set_in_package(program, case.place, package)
        yield Finding(
            case.place,
            f"the policy of `{case.event.package}` does not reach layers of `{package}`: they stay float32",
            evidence=(Evidence(layers[0].place, f"built from `{package}`"),),
            guard=case.guard,
            fix=fix,
            unfixable_reason=reason,
        )
