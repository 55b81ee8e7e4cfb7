"""MP206: one half of loss scaling is missing, stands where it has no effect, or belongs to another optimizer."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.steps import Step, late_scalings, scaled_beside, training_steps
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import FALSE_VALUE, NONE, TRUE_VALUE, Constant, Object
from mpfix_rules.repairs.pairs import Fault, repaired_pair, scaled_inside
from mpfix_rules.repairs.training_step import loss_name, optimizer_name, scaled_name

TOO_LARGE = "updates are 32768 times too large"
TOO_SMALL = "updates are 32768 times too small"


@rule("MP206", "half-scaled-pair", severity=Severity.ERROR, words=("scale_loss", "_scaled_", "unscale"), fixable=True)
def half_scaled_pair(program: Program) -> Iterator[Finding]:
    """Steps in which the two halves of loss scaling do not fit."""
    for step in training_steps(program):
        for fault, place, cause, message in _faults(program, step):
            fix, reason = repaired_pair(program, step, fault, cause)
            yield Finding(
                place,
                message,
                evidence=(Evidence(cause, _CAUSES[fault]),),
                guard=step.guard,
                fix=fix,
                unfixable_reason=reason,
            )
    yield from _scaled_too_late(program)


def _scaled_too_late(program: Program) -> Iterator[Finding]:
    for late in late_scalings(program):
        fix, reason = scaled_inside(program, late.gradient, late.scaling)
        yield Finding(
            late.scaling,
            f"`{loss_name(late.scaling)}` is scaled after the tape has closed: no gradient reaches a variable",
            evidence=(Evidence(late.opened, "the tape records in this block only"),),
            guard=late.guard,
            fix=fix,
            unfixable_reason=reason,
        )


_CAUSES = {
    Fault.NOT_UNSCALED: "the loss is scaled here",
    Fault.NEVER_SCALED: "the gradients are those of a loss that nobody scaled",
    Fault.OTHER_LOSS: "this scaled loss is not differentiated",
    Fault.OTHER_OPTIMIZER: "the loss is scaled here",
}


def _faults(program: Program, step: Step) -> Iterator[tuple[Fault, Place, Place, str]]:
    if step.is_minimize or step.of("scaled again") != NONE or step.of("hand") != NONE:
        return
    if step.of("scaled") == NONE:
        yield from _unscaled_faults(program, step)
    elif (scaled_at := step.place("scaled at")) is not None and not _raises(program, step):
        yield from _scaled_faults(program, step, scaled_at)


def _raises(program: Program, step: Step) -> bool:
    """`scale_loss` does not exist on Keras 2, nothing that scales on a bare optimizer of Keras 2."""
    if program.generation == 2 and step.of("scaled method") == Constant("scale_loss"):
        return True
    return step.of("scaled wrapped") == FALSE_VALUE


def _unscaled_faults(program: Program, step: Step) -> Iterator[tuple[Fault, Place, Place, str]]:
    unscaled_at = step.place("unscaled at")
    beside = scaled_beside(program, step)
    if beside is not None and step.wrapped is not False and (program.generation == 3 or unscaled_at is not None):
        names = f"`{loss_name(step.gradient)}` is differentiated, not the scaled `{scaled_name(program, beside.place)}`"
        yield Fault.OTHER_LOSS, step.gradient, beside.place, f"{names}: {TOO_SMALL}"
    elif unscaled_at is not None and beside is None:
        message = f"`get_unscaled_gradients` divides gradients of a loss that was never scaled: {TOO_SMALL}"
        yield Fault.NEVER_SCALED, unscaled_at, step.gradient, message


def _scaled_faults(program: Program, step: Step, scaled_at: Place) -> Iterator[tuple[Fault, Place, Place, str]]:
    scaler, applier = step.of("scaled"), step.event.optimizer
    by_hand = step.of("divided by hand") != NONE
    if step.of("scaled late") == TRUE_VALUE:
        return  # told where the gradient is taken, whatever becomes of it
    if scaler == applier:
        as_keras_2 = program.generation == 2 or step.of("scaled method") == Constant("get_scaled_loss")
        if as_keras_2 and step.of("unscaled") == NONE and not by_hand:
            message = f"the gradients still carry the loss scale: {TOO_LARGE}"
            yield Fault.NOT_UNSCALED, step.applied, scaled_at, message
    elif step.wrapped is False and isinstance(scaler, Object) and not by_hand and not _is_as_good(step):
        yield Fault.OTHER_OPTIMIZER, step.applied, scaled_at, _other_optimizer(step, scaled_at)


def _is_as_good(step: Step) -> bool:
    """Whether the bare optimizer does what the wrapper would: one with a static scale applies what overflows too."""
    return step.of("unscaled") != NONE and step.of("scaled static") == TRUE_VALUE


def _other_optimizer(step: Step, scaled_at: Place) -> str:
    harm = TOO_LARGE if step.of("unscaled") == NONE else "an overflow is applied instead of skipped"
    return f"scaled by `{optimizer_name(step, scaled_at)}` but applied by the bare `{optimizer_name(step)}`: {harm}"
