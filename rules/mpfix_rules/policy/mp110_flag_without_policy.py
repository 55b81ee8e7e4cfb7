"""MP110: loss scaling without any half precision."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import OptimizerBuilt, RewriteSwitched
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.optimizers import WRAPPERS
from mpfix.frameworks.policies import READERS
from mpfix.frameworks.policy_facts import may_be_half, trained_layers
from mpfix.frameworks.training import trains
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import Object

HALF = re.compile(r"float16|fp16|half", re.IGNORECASE)
ABOUT_PRECISION = re.compile(r"polic|precision|amp|fp16", re.IGNORECASE)
KERAS = ("keras", "tensorflow", "tf_keras")


@rule("MP110", "flag-without-policy", severity=Severity.WARNING, words=("LossScaleOptimizer",))
def flag_without_policy(program: Program) -> Iterator[Finding]:
    """Optimizers that a flag wraps, in a program in which nothing can be half."""
    if not trained_layers(program) or not trains(program) or _may_be_half(program):
        return
    made = {getattr(one.event, "optimizer", None): one.guard for one in program.happened(OptimizerBuilt)}
    for case in program.cases(OptimizerBuilt, "inner"):
        inner = case.value("inner")
        if case.event.key not in WRAPPERS or not isinstance(inner, Object):
            continue
        if case.guard - made.get(inner, case.guard):
            yield Finding(
                case.place,
                "the optimizer is wrapped for mixed precision, but nothing here sets a half precision policy: "
                "training stays float32",
                evidence=(Evidence(inner.place, "the optimizer is made here"),),
                guard=case.guard,
                unfixable_reason="where the policy has to be set depends on where the models are built",
            )


def _may_be_half(program: Program) -> bool:
    if may_be_half(program) or program.happened(RewriteSwitched):
        return True
    if any(HALF.search(module.document.text) for module in program.modules):
        return True
    keys = {canonical(use.qualified).name for module in program.names for use in module.names.uses}
    outside = (key for key in keys if key.partition(".")[0] not in KERAS)
    return bool(keys & set(READERS)) or any(ABOUT_PRECISION.search(key) for key in outside)
