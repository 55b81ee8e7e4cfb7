"""MP106: mixed_float16 on a TPU."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.diagnostic import Effect, Severity
from mpfix.frameworks.events import PolicySet, StrategyMade
from mpfix.frameworks.policy_facts import is_called, policy_names, set_at
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.guards import Guard, conjoin
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Record
from mpfix_rules.repairs.places import parents
from mpfix_rules.repairs.policy_calls import rename_policy, unsafe

WRONG, RIGHT = "mixed_float16", "mixed_bfloat16"


@rule(
    "MP106",
    "policy-for-wrong-device",
    severity=Severity.WARNING,
    words=("TPUStrategy", "float16"),
    half=True,
    fixable=True,
)
def policy_for_wrong_device(program: Program) -> Iterator[Finding]:
    """mixed_float16 where a TPU strategy is made, in programs that never speak of bfloat16."""
    if _knows_bfloat16(program):
        return
    yield from _uncalled(program)
    for made in program.cases(StrategyMade, "policy", "policy.name"):
        policy = made.value("policy")
        if not isinstance(policy, Record) or set_at(policy, made.guard) not in _settings(program):
            continue
        if made.event.key.endswith("TPUStrategy") and made.constant("policy.name") == WRONG:
            # on which condition a TPU is found is not the user's choice: the condition of the policy counts
            policy = policy.having({}, set_at(policy, made.guard))
            yield _finding(program, policy, made.place, _settings(program)[policy.place])
    for case in program.cases(PolicySet, "policy", "policy.name", "tpu"):
        tpu = case.at("tpu")
        if tpu is not None and case.constant("policy.name") == WRONG:
            yield _finding(program, case.value("policy"), tpu, case.guard)


def _uncalled(program: Program) -> Iterator[Finding]:
    """Strategies in classes that nobody makes by name: any policy that the program sets may be in force."""
    for made in program.cases(StrategyMade):
        if not _is_of_class(program, made.occurrence) or not made.event.key.endswith("TPUStrategy"):
            continue
        for case in program.cases(PolicySet, "policy", "policy.name"):
            is_apart = conjoin(made.guard, case.guard) is None
            if case.constant("policy.name") == WRONG and is_called(program, case.occurrence) and not is_apart:
                yield _finding(program, case.value("policy"), made.place, case.guard)


def _is_of_class(program: Program, occurrence: Occurrence) -> bool:
    """Whether something happens in a class that nobody here calls by its name."""
    first = occurrence.chain[0].node if occurrence.chain else None
    if is_called(program, occurrence) or first is None:
        return False
    return isinstance(first, ast.ClassDef) or isinstance(parents(program).get(first), ast.ClassDef)


def _finding(program: Program, policy: object, strategy: Place, guard: Guard) -> Finding:
    assert isinstance(policy, Record)
    renamed = rename_policy(policy, RIGHT)
    is_certain = _guard_of(program, strategy) <= _settings(program)[policy.place]
    fix = None
    if renamed is not None and is_certain:
        fix = unsafe(f"Use the policy `{RIGHT}`", Effect.CHANGES_TRAINING, *renamed)
    return Finding(
        policy.place,
        f"`{WRONG}` on a TPU: its units compute in bfloat16, float16 only costs range and time",
        evidence=(Evidence(strategy, "the strategy for TPUs is made here"),),
        guard=guard,
        fix=fix,
        unfixable_reason=None if fix else "the device that is found has to decide about the policy too",
    )


@fact
def _settings(program: Program) -> dict[Place, Guard]:
    """Where policies are set, and on which condition."""
    return {one.place: one.guard for one in program.happened(PolicySet)}


def _guard_of(program: Program, strategy: Place) -> Guard:
    return next(one.guard for one in program.happened(StrategyMade) if one.place == strategy)


@fact
def _knows_bfloat16(program: Program) -> bool:
    """Whether the program sets a bfloat16 policy anywhere: it chooses by the device."""
    names = (name for event in program.events(PolicySet) for name in policy_names(event.policy))
    return any(name is not None and "bfloat16" in name for name in names)
