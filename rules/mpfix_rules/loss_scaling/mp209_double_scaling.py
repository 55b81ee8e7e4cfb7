"""MP209: a loss scale that multiplies or divides once too often."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.double_scales import DoubleScale, Excess, Nested, double_scales, nested_wrappers
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.excess_scales import scaled_once, unwrapped
from mpfix_rules.repairs.training_step import loss_name

TOO_LARGE = "updates are 32768 times too large"
TOO_SMALL = "updates are 32768 times too small"

_FIRST = {
    Excess.SCALED_TWICE: "it is scaled for the first time here",
    Excess.MINIMIZED: "the loss is scaled here",
    Excess.UNSCALED_TWICE: "they are unscaled here",
    Excess.BY_HAND: "gradients are divided by the loss scale here",
}


@rule(
    "MP209",
    "double-scaling",
    severity=Severity.ERROR,
    words=("apply", "minimize", "LossScaleOptimizer"),
    fixable=True,
)
def double_scaling(program: Program) -> Iterator[Finding]:
    """Wrappers around wrappers, and steps that scale or unscale twice."""
    for nested in nested_wrappers(program):
        yield _of_wrappers(program, nested)
    for found in double_scales(program):
        fix, reason = scaled_once(program, found)
        yield Finding(
            found.place,
            _message(program, found),
            evidence=(Evidence(found.first, _first(program, found)),),
            guard=found.step.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _of_wrappers(program: Program, nested: Nested) -> Finding:
    harm = "`TypeError`" if program.generation == 2 else f"each divides by its scale, {TOO_SMALL}"
    fix, reason = unwrapped(program, nested)
    return Finding(
        nested.place,
        f"a loss scale optimizer is put around another one: {harm}",
        evidence=(Evidence(nested.inner, "the optimizer is wrapped here already"),),
        guard=nested.guard,
        fix=fix,
        unfixable_reason=reason,
    )


def _message(program: Program, found: DoubleScale) -> str:
    method = found.step.event.method
    match found.excess:
        case Excess.SCALED_TWICE:
            return f"`{loss_name(found.place)}` is scaled already: {TOO_LARGE}"
        case Excess.MINIMIZED:
            return f"`minimize` scales a loss that is scaled already: {TOO_LARGE}"
        case Excess.BY_HAND:
            return f"the scale made by hand is taken back by hand, and `{method}` divides besides: {TOO_SMALL}"
    if program.generation == 2:
        return f"the gradients are unscaled already: {TOO_SMALL}"
    return f"`{method}` of Keras 3 unscales gradients that are unscaled by hand: {TOO_SMALL}"


def _first(program: Program, found: DoubleScale) -> str:
    if found.excess is Excess.UNSCALED_TWICE and program.generation == 3:
        return "they are unscaled again here"
    return _FIRST[found.excess]
