"""MP103: TensorFlow's graph rewrite switched on in Keras training."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import Applied, Compiled, LayerBuilt, OptimizerBuilt, PolicySet, RewriteSwitched
from mpfix.frameworks.policy_order import MIXED, is_together
from mpfix.frameworks.releases import needs_first_releases
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.guards import Guard, conjoin
from mpfix.semantic.program import Case, Program, fact
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, TRUE_VALUE, Object, Record
from mpfix_rules.repairs.policy_calls import NOT_ALONE, deleted, policy_instead


@rule("MP103", "legacy-amp-switch", severity=Severity.WARNING, words=("auto_mixed_precision",), fixable=True)
def legacy_amp_switch(program: Program) -> Iterator[Finding]:
    """Rewrites beside a policy, and alone where nothing scales a loss."""
    beside = {finding.place: finding for finding in _beside_policy(program)}
    yield from beside.values()
    for case in program.cases(RewriteSwitched, "on"):
        if case.constant("on") is True and case.place not in beside:
            finding = _alone(program, case)
            if finding is not None:
                yield finding


def _beside_policy(program: Program) -> Iterator[Finding]:
    switches = {one.place: one.event for one in program.happened(RewriteSwitched)}
    for case in program.cases(RewriteSwitched, "on", "policy", "policy.name", "policy.default"):
        policy = case.value("policy")
        if case.constant("on") is not True or case.constant("policy.name") not in MIXED:
            continue
        if isinstance(policy, Record) and case.value("policy.default") != TRUE_VALUE:
            yield _beside(program, case.event, case.place, policy.place, case.guard)
    for later in program.cases(PolicySet, "policy.name", "rewrite"):
        switch = later.at("rewrite")
        event = switches.get(switch) if switch is not None else None
        if switch is not None and isinstance(event, RewriteSwitched) and later.constant("policy.name") in MIXED:
            yield _beside(program, event, switch, later.place, later.guard)


def _beside(program: Program, event: RewriteSwitched, place: Place, policy: Place, guard: Guard) -> Finding:
    fix, reason = deleted(program, place, "Delete the switch") if event.alone else (None, NOT_ALONE)
    return Finding(
        place,
        f"`{event.option}` beside a mixed precision policy: both put casts into the same layers",
        evidence=(Evidence(policy, "the policy is set here"),),
        guard=guard,
        fix=fix,
        unfixable_reason=reason,
    )


def _alone(program: Program, case: Case[RewriteSwitched]) -> Finding | None:
    # in the containers of TensorFlow 1 that have the variable, it makes every optimizer scale the loss
    if _wraps(program) or needs_first_releases(case.place.module):
        return None
    for trained in _bare_trainings(program):
        guard = conjoin(case.guard, trained.guard)
        if guard is None or not is_together(program, case.occurrence, trained.occurrence):
            continue
        package = next((one.event.package for one in program.cases(LayerBuilt) if one.event.package), "")
        instead = policy_instead(program, case.place, package) if case.event.alone else (None, NOT_ALONE)
        return Finding(
            case.place,
            f"`{case.event.option}` puts float16 into the graph and scales no loss: small gradients become 0",
            evidence=(Evidence(trained.place, "this optimizer scales no loss"),),
            guard=guard,
            fix=instead[0],
            unfixable_reason=instead[1],
        )
    return None


@fact
def _wraps(program: Program) -> bool:
    """Whether the program wraps an optimizer by hand."""
    return any(getattr(one.event, "inner", NONE) != NONE for one in program.happened(OptimizerBuilt))


def _bare_trainings(program: Program) -> Iterator[Case[Compiled] | Case[Applied]]:
    """Trainings of Keras with an optimizer that surely scales no loss."""
    for case in program.cases(Compiled, "wrapped"):
        if case.constant("wrapped") is False:
            yield case
    for applied in program.cases(Applied, "wrapped", "optimizer"):
        optimizer = applied.value("optimizer")
        is_keras = isinstance(optimizer, Object) and optimizer.key.startswith("keras.")
        if applied.constant("wrapped") is False and is_keras:
            yield applied
