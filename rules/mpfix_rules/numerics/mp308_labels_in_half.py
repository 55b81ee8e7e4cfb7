"""MP308: class ids in a half dtype."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.labels import EXACT, HalfLabels, half_labels
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.label_casts import whole_numbers

USES = {
    "loss": "a loss takes them for class ids here",
    "embedding": "an embedding looks them up here",
    "dataset": "they become the labels of a dataset here",
}
IDS = {"loss": "class ids", "embedding": "ids", "dataset": "labels of a sparse loss"}


@rule("MP308", "labels-in-half", severity=Severity.ERROR, words=("cast",), half=True, fixable=True)
def labels_in_half(program: Program) -> Iterator[Finding]:
    """Casts of class ids, and of ids of embeddings, to half."""
    found: dict[object, list[HalfLabels]] = {}
    for one in half_labels(program):
        found.setdefault(one.cast, []).append(one)
    for same in found.values():
        first = same[0]
        yield Finding(
            first.cast,
            f"{IDS[first.to]} in {first.dtype}: beyond {EXACT[first.dtype]} neighbours become one",
            evidence=tuple(Evidence(one.place, USES[one.to]) for one in same if one.place != one.cast),
            guard=first.guard,
            fix=whole_numbers(program, first.cast),
        )
