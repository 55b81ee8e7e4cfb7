"""MP503: `gradient_accumulation_steps` where Keras does not take it, or with a number that it refuses."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.accumulation_arguments import ARGUMENT, BadAccumulation, bad_accumulations
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import Object
from mpfix_rules.repairs.accumulation_arguments import asked_rightly


@rule("MP503", "bad-accumulation-argument", severity=Severity.ERROR, words=(ARGUMENT,), fixable=True)
def bad_accumulation_argument(program: Program) -> Iterator[Finding]:
    """Accumulation that is asked for in vain."""
    for bad in bad_accumulations(program):
        fix, reason = asked_rightly(program, bad)
        yield Finding(
            bad.place,
            _message(program, bad),
            evidence=tuple(_evidence(bad)),
            guard=bad.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _message(program: Program, bad: BadAccumulation) -> str:
    if bad.fault == "number":
        return f"`{ARGUMENT}={bad.value}` raises: it takes a whole number of at least 2, or None"
    if bad.fault == "ignored":
        return f"optimizers of Keras 2 have no `{ARGUMENT}`: nothing reads it, every micro batch is applied"
    if bad.owner == "optimizer":
        return f"optimizers of Keras 2 have no `{ARGUMENT}`: `TypeError`"
    taker = "the optimizer takes it" if program.generation == 3 else "Keras 2 does not accumulate"
    return f"`{bad.owner}` has no argument `{ARGUMENT}`: `TypeError`; {taker}"


def _evidence(bad: BadAccumulation) -> Iterator[Evidence]:
    if bad.owner != "optimizer" and isinstance(bad.optimizer, Object):
        yield Evidence(bad.optimizer.place, "the optimizer is made here")
