"""MP509: a sum of gradients that nobody uses."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.accumulation import Sum, is_used, sums
from mpfix.frameworks.steps import is_unreached
from mpfix.frameworks.windows import updates
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import At, Record

REASON = "whether the sum should be applied or the sum should go is for its author to say"


@rule("MP509", "accumulator-never-applied", severity=Severity.ERROR, words=("gradient",))
def accumulator_never_applied(program: Program) -> Iterator[Finding]:
    """Sums of gradients that are never applied, nor given to anything else."""
    for found in sums(program).values():
        if program.cuts or not _is_in_sight(found) or is_used(program, found):
            continue
        occurrence, gradients = next(found.added())
        yield Finding(
            occurrence.place,
            "the sum of the gradients is never applied: the weights do not see it",
            evidence=tuple(_evidence(program, found, gradients)),
            guard=occurrence.guard,
            unfixable_reason=REASON,
        )


def _is_in_sight(found: Sum) -> bool:
    """Whether a root builds the sum up, in a loop: a caller that is not seen may use it as well."""
    return all(o.loops and not is_unreached(o) for o in found.adds) and any(True for _ in found.added())


def _evidence(program: Program, found: Sum, gradients: Record) -> Iterator[Evidence]:
    taken = gradients.get("taken")
    places = [one.occurrence.place for one in updates(program) if isinstance(taken, At) and one.taken == taken.place]
    if places:
        yield Evidence(places[0], "the gradients of one micro batch are applied here")
    elif found.place is not None:
        yield Evidence(found.place, "the accumulator is made here")
    elif isinstance(taken, At):
        yield Evidence(taken.place, "the gradients are taken here")
