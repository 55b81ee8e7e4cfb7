"""MP311: positions and indices in a half dtype, used as whole numbers or as angles."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.labels import EXACT
from mpfix.frameworks.position_uses import PositionUse, position_uses
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix_rules.repairs.heads import policy_evidence

INDEX = "indices in {}: beyond {} neighbours become one, and what they point at is another element"
ANGLE = "positions in {}: their angles are rounded too, and beyond {} neighbours become one"
USES = {
    "index": "rows and columns are computed of them here",
    "cast": "they become whole numbers again here",
    "angle": "the sine or cosine of their angles is taken here",
}
MEETS = "what they meet must be in float32 as well"


@rule("MP311", "half-index", severity=Severity.ERROR, half=True)
def half_index(program: Program) -> Iterator[Finding]:
    """Positions in half, once for each place that put them there."""
    found: dict[Place, list[PositionUse]] = {}
    for one in position_uses(program):
        found.setdefault(one.made, []).append(one)
    for made, uses in found.items():
        first = uses[0]
        is_angle = all(one.how == "angle" for one in uses)
        yield Finding(
            made,
            (ANGLE if is_angle else INDEX).format(first.dtype, EXACT[first.dtype]),
            severity=Severity.WARNING if is_angle else Severity.ERROR,
            evidence=(*policy_evidence(first.policy, first.guard), *_evidence(made, uses)),
            guard=first.guard,
            unfixable_reason=MEETS,
        )


def _evidence(made: Place, uses: list[PositionUse]) -> Iterator[Evidence]:
    seen = {made}
    for one in uses:
        if one.place not in seen:
            seen.add(one.place)
            yield Evidence(one.place, USES[one.how])
