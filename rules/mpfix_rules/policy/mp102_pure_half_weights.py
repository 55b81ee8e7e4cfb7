"""MP102: weights in pure float16 where mixed precision was meant."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import ModelCalled, Predicted
from mpfix.frameworks.policy_order import PureHalf, pure_halves
from mpfix.frameworks.training import trains
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.policies import mixed_instead

FRESH = "weights and updates become float16 and the loss is not scaled: updates below 1/2048 of a weight vanish"
BESIDE = "beside a mixed policy it rounds the learning rate (and on Keras 3 losses and metrics) to float16"
LATE = {
    2: "layers keep their policy, the learning rate becomes float16",
    3: "layers keep float32, losses, metrics and the learning rate become float16: momentum and Adam end in NaN",
}


@rule("MP102", "pure-half-weights", severity=Severity.ERROR, words=("float16",), half=True, fixable=True)
def pure_half_weights(program: Program) -> Iterator[Finding]:
    """float16 for everything, as if it were mixed precision."""
    if not trains(program) and program.happened(Predicted, ModelCalled):
        return  # a program that only predicts may store half weights
    for found in pure_halves(program):
        severity, message, note = _told(program, found)
        fix, reason = mixed_instead(program, found)
        yield Finding(
            found.place,
            message,
            evidence=(Evidence(found.reason, note),) if found.reason is not None else (),
            guard=found.guard,
            severity=severity,
            fix=fix,
            unfixable_reason=reason,
        )


def _told(program: Program, found: PureHalf) -> tuple[Severity, str, str]:
    if found.how == "fresh":
        return Severity.ERROR, FRESH, "its weights are float16"
    if found.how == "beside":
        return Severity.WARNING, BESIDE, "the mixed policy is set here"
    severity = Severity.ERROR if program.generation == 3 else Severity.WARNING
    return severity, LATE[program.generation], "made before"
