"""MP207: gradients are clipped, measured or disturbed while they carry the loss scale."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import Clipped
from mpfix.frameworks.steps import Step, is_known_optimizer, may_hold_the_scale, touched, training_steps
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.guards import conjoin
from mpfix.semantic.program import Program
from mpfix.semantic.values import NONE
from mpfix_rules.repairs.clips import unscaled_before

CLIP = "clips gradients that still carry the loss scale: the threshold acts at 1/32768"
NORM = "reads a norm that is 32768 times too large: the gradients still carry the loss scale"
NOISE = "adds noise that the loss scale divides by 32768"
WORDS = ("clip", "norm", "random")


@rule("MP207", "clip-while-scaled", severity=Severity.ERROR, words=WORDS, fixable=True)
def clip_while_scaled(program: Program) -> Iterator[Finding]:
    """What acts on gradients before the loss scale is taken out."""
    for step in training_steps(program):
        if not _is_right_otherwise(program, step):
            continue
        for case in touched(program, step):
            if case.value("gradients.unscaled") != NONE or may_hold_the_scale(case.value("threshold")):
                continue
            fix, reason = unscaled_before(program, step, case)
            yield Finding(
                case.place,
                _message(case.event),
                evidence=tuple(_evidence(program, step)),
                guard=conjoin(case.guard, step.guard),
                fix=fix,
                unfixable_reason=reason,
            )


def _is_right_otherwise(program: Program, step: Step) -> bool:
    """Whether a wrapped step scales and unscales as its generation wants it."""
    if not (step.wrapped and step.scales_itself and is_known_optimizer(step.event.optimizer)) or step.is_minimize:
        return False
    if program.generation == 3:
        return not step.asked_as_keras_2
    return step.of("unscaled") == step.event.optimizer and step.of("unscaled again") == NONE


def _message(event: Clipped) -> str:
    if event.how == "noise":
        return NOISE
    return NORM if "norm" in event.how.rpartition(".")[2] and "clip" not in event.how else CLIP


def _evidence(program: Program, step: Step) -> Iterator[Evidence]:
    scaled_at, unscaled_at = step.place("scaled at"), step.place("unscaled at")
    if scaled_at is not None:
        yield Evidence(scaled_at, "the loss is scaled here")
    if program.generation == 2 and unscaled_at is not None:
        yield Evidence(unscaled_at, "the gradients are unscaled only here")
    else:
        yield Evidence(step.applied, "the gradients are unscaled only in here")
