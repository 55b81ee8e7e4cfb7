"""MP310: probabilities made in half precision and cast to float32 afterwards."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.blends import PROBABILITIES
from mpfix.frameworks.heads import HiddenLogits, hidden_logits
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import Object
from mpfix_rules.repairs.casts import cast_before_softmax

NOTHING = "it changes nothing, Keras 3 casts here itself"
HIDES = "it brings no digit back and hides the logits from the loss"


@rule(
    "MP310",
    "cast-after-softmax",
    severity=Severity.ERROR,
    words=tuple(sorted(PROBABILITIES)),
    half=True,
    fixable=True,
)
def cast_after_softmax(program: Program) -> Iterator[Finding]:
    """Casts between a half softmax and the loss."""
    found = hidden_logits(program)
    heads = frozenset(one.layer for one in found if isinstance(one.layer, Object))
    for cast in dict.fromkeys(one.cast for one in found):
        same = [one for one in found if one.cast == cast]
        first = same[0]
        yield Finding(
            cast,
            f"the cast comes after a {first.dtype} `{first.activation}`: {_harm(program, same)}",
            evidence=(Evidence(first.maker, f"`{first.activation}` runs in {first.dtype} here"),),
            guard=first.guard,
            fix=cast_before_softmax(program, first.cast, first.maker, heads),
        )


def _harm(program: Program, found: list[HiddenLogits]) -> str:
    if program.generation == 3 and all(form in ("compile", "class") for one in found for form in one.forms):
        return NOTHING
    return HIDES
