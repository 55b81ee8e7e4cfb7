"""MP610: a gradient taken while a tape still records."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import GradientTaken
from mpfix.frameworks.tape_uses import RecordedBackward, guard_of, recorded_backwards
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix_rules.repairs.tape_blocks import leave_block


@rule(
    "MP610",
    "gradient-inside-tape",
    severity=Severity.WARNING,
    words=("GradientTape",),
    fixable=True,
)
def gradient_inside_tape(program: Program) -> Iterator[Finding]:
    """Backward passes that a tape records although nobody differentiates them."""
    worst: dict[Place, RecordedBackward] = {}
    for found in sorted(recorded_backwards(program), key=_rank):
        worst.setdefault(found.place, found)
    for backward in worst.values():
        yield Finding(
            backward.place,
            f"the gradient is taken while a tape records: {_harm(backward)}",
            evidence=(Evidence(backward.recorder.opened.place, "this tape still records"),),
            guard=guard_of(backward.gradient, backward.recorder),
            severity=Severity.NOTE if backward.harmless else None,
            fix=leave_block(program, backward),
        )


def _rank(backward: RecordedBackward) -> tuple[bool, bool]:
    """The one that does most harm first: a call may lead to several gradients."""
    event = backward.gradient.event
    return backward.harmless, isinstance(event, GradientTaken) and not event.recorders


def _harm(backward: RecordedBackward) -> str:
    if not backward.harmless:
        return "the backward pass is recorded too, and kept until the tape is gone"
    event = backward.gradient.event
    assert isinstance(event, GradientTaken)
    return "harmless in a traced function" if event.recorders else "harmless, this tape closes itself"
