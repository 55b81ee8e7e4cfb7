"""MP606: a persistent tape from which one gradient is taken."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.diagnostic import Applicability, Effect, Severity
from mpfix.frameworks.events import TapeOpened
from mpfix.frameworks.surroundings import is_traced
from mpfix.frameworks.tape_uses import Recording, guard_of, is_deleted, recordings, taken_once
from mpfix.rewriting.edits import ModuleEdits, RemoveArgument
from mpfix.rule import Evidence, Finding, FixIntent, rule
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Constant


@rule(
    "MP606",
    "persistent-tape-habit",
    severity=Severity.WARNING,
    words=("GradientTape",),
    fixable=True,
)
def persistent_tape_habit(program: Program) -> Iterator[Finding]:
    """Tapes made persistent for one gradient."""
    uses: dict[Place, list[Recording]] = {}
    for recording in recordings(program):
        uses.setdefault(recording.tape.place, []).append(recording)
    for place, entries in uses.items():
        if all(_is_persistent(entry) and taken_once(program, entry) for entry in entries):
            yield _finding(program, place, entries)


def _is_persistent(recording: Recording) -> bool:
    event = recording.opened.event
    return isinstance(event, TapeOpened) and event.persistent == Constant(True)


def _finding(program: Program, place: Place, entries: list[Recording]) -> Finding:
    recording = entries[0]
    gradient = recording.gradients[0]
    lasting = "it keeps every activation until the tape is gone"
    severity = None
    if is_traced(program, recording.opened):
        lasting, severity = "in a traced function it changes nothing", Severity.NOTE
    elif is_deleted(program, recording):
        lasting, severity = "it keeps every activation until it is deleted", Severity.NOTE
    return Finding(
        place,
        f"the tape is persistent for a single gradient: {lasting}",
        evidence=(Evidence(gradient.place, "the only gradient is taken here"),),
        guard=guard_of(gradient, recording),
        severity=severity,
        fix=_fix(place),
    )


def _fix(place: Place) -> FixIntent | None:
    call = place.node
    if not isinstance(call, ast.Call):
        return None
    by_name = any(keyword.arg == "persistent" for keyword in call.keywords)
    if not by_name and not call.args:
        return None
    argument: int | str = "persistent" if by_name else 0
    return FixIntent(
        "Make it an ordinary tape",
        Applicability.SAFE,
        Effect.BITWISE_EQUAL,
        lambda: (ModuleEdits(place.module, (RemoveArgument(call, argument),)),),
    )
