"""MP110: loss scaling without any half precision."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import OptimizerBuilt, RewriteSwitched
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.optimizers import WRAPPERS
from mpfix.frameworks.policies import READERS
from mpfix.frameworks.policy_facts import may_be_half, trained_layers
from mpfix.frameworks.surroundings import scope_around, statements_around
from mpfix.frameworks.training import trains
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Object

HALF = re.compile(r"float16|fp16", re.IGNORECASE)
ABOUT_PRECISION = re.compile(r"(^|[._])(polic(y|ies)|precision|amp|fp16)([._]|$)", re.IGNORECASE)
OTHERS = ("keras", "tensorflow", "tf_keras", "sklearn", "tensorflow_addons")
"""Packages in whose names that word means something else, or that are read as they are."""


MESSAGE = "a flag wraps the optimizer for mixed precision, but nothing sets a half precision policy: all stays float32"
REASON = "where the policy has to be set depends on where the models are built"


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
            evidence = (Evidence(inner.place, "the optimizer is made here"),)
            yield Finding(case.place, MESSAGE, evidence=evidence, guard=case.guard, unfixable_reason=REASON)
    for call, test in _never_wrapped(program):
        evidence = (Evidence(test, "the flag is asked here"),)
        yield Finding(call, MESSAGE, evidence=evidence, unfixable_reason=REASON)


def _never_wrapped(program: Program) -> Iterator[tuple[Place, Place]]:
    """Calls that wrap an optimizer behind a flag that is off wherever the program asks, with the question."""
    wrapped = {one.place for one in program.happened(OptimizerBuilt)}
    for part in program.names:
        for use in part.names.uses:
            call = Place(part.module, use.call) if use.call is not None else None
            if call is None or call in wrapped or canonical(use.qualified).name not in WRAPPERS:
                continue
            around = statements_around(scope_around(program, call), call.node)
            branch = around[-2] if len(around) > 1 else None
            if isinstance(branch, ast.If) and around[-1] in branch.body and _is_flag(branch.test):
                yield call, Place(part.module, branch.test)


def _is_flag(test: ast.expr) -> bool:
    """Whether a question is a plain name or attribute: nothing but a choice of the user."""
    while isinstance(test, ast.Attribute):
        test = test.value
    return isinstance(test, ast.Name)


def _may_be_half(program: Program) -> bool:
    if may_be_half(program) or program.happened(RewriteSwitched):
        return True
    if any(HALF.search(module.document.text) for module in program.modules):
        return True
    keys = {canonical(use.qualified).name for module in program.names for use in module.names.uses}
    outside = (key for key in keys if key.partition(".")[0] not in OTHERS)
    return bool(keys & set(READERS)) or any(ABOUT_PRECISION.search(key) for key in outside)
