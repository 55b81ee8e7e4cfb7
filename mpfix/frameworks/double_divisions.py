"""Losses over a number whose gradients, added up, are divided by the same number once more."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING

from mpfix.frameworks.events import Divided, GradientTaken
from mpfix.record import record
from mpfix.semantic.guards import Guard, conjoin, is_maybe
from mpfix.semantic.library import Event
from mpfix.semantic.program import Case, Program, alternatives, cases_of, fact
from mpfix.semantic.run import Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import FALSE_VALUE, NONE, At, Library, Record, Unknown, Value

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

PATHS = tuple(
    f"gradients.{name}"
    for name in ("accumulator", "taken", "divided", "divided at", "divided again", "divided again at")
)
MAX_DEPTH = 6


@record
class UnknownDivided(Event):
    """Something that nobody knows, a loss perhaps, was divided while a tape was open."""

    of: Unknown
    by: Value


@record
class DoubleDivision:
    """A loss that is divided at `first`, and its gradients by the same at `second`."""

    first: Place
    second: Place
    guard: Guard


def note_divided(lib: KerasLibrary, run: Run, name: str, operands: tuple[Value, ...], node: ast.AST) -> None:
    """`unknown / number` outside of the models themselves."""
    if name != "Div" or not isinstance(operands[0], Unknown) or lib.nesting(run):
        return
    if isinstance(operands[1], Unknown) and lib.recording(run):
        run.emit(UnknownDivided(node, operands[0], operands[1]))


@fact
def double_divisions(program: Program) -> tuple[DoubleDivision, ...]:
    """The divisions of losses that come again behind the tape, each once."""
    found: dict[Place, DoubleDivision] = {}
    for occurrence in program.happened(Divided):
        for case in cases_of(occurrence, *PATHS, allow_unknown=True):
            by, taken = _divisor(case), case.value("gradients.taken")
            if by is None or not isinstance(taken, At) or case.value("gradients.accumulator") == NONE:
                continue
            for first, guard in _divided_before(program, taken.place, by, case.guard):
                found.setdefault(first, DoubleDivision(first, occurrence.place, guard))
    return tuple(found.values())


def _divisor(case: Case[Divided]) -> Unknown | None:
    """What the gradients are divided by, where it is a number of steps as far as that can be told."""
    for name in ("divided again", "divided"):
        at, by = case.value(f"gradients.{name} at"), case.value(f"gradients.{name}")
        if at == At(case.place):
            return by if isinstance(by, Unknown) and not _counts_replicas(by) else None
    return None


def _counts_replicas(value: Hashable, depth: int = 0) -> bool:
    """Whether a number may be that of the replicas: both losses and gradients are divided by it."""
    match value:
        case Library(key=key):
            return key.rpartition(".")[2] in ("size", "local_size")
        case Unknown(origin=("attribute", _, "num_replicas_in_sync")):
            return True
        case Unknown() if depth < MAX_DEPTH:
            return any(_counts_replicas(one, depth + 1) for one in value.origin[1:])
    return False


def _divided_before(program: Program, taken: Place, by: Unknown, guard: Guard) -> Iterator[tuple[Place, Guard]]:
    """Where the loss of gradients was divided by the same, with when that is so."""
    for occurrence in program.happened(GradientTaken):
        if occurrence.place != taken:
            continue
        assert isinstance(occurrence.event, GradientTaken)
        for extra, target in alternatives(occurrence.event.target, occurrence.guard):
            joined = conjoin(guard, extra)
            place = _place_of_division(program, target, by)
            if place is not None and joined is not None and not is_maybe(joined):
                yield place, joined


def _place_of_division(program: Program, target: Value, by: Unknown) -> Place | None:
    if isinstance(target, Record) and target.get("of") == NONE:
        at, is_mean = target.get("divided at"), target.get("vector") == FALSE_VALUE and target.get("summed") == NONE
        return at.place if is_mean and isinstance(at, At) and target.get("divided") == by else None
    loss = target.get("of") if isinstance(target, Record) else target
    if not isinstance(loss, Unknown) or loss.origin[:2] != ("operator", "Div") or loss.origin[3] != by:
        return None
    divisions = program.happened(UnknownDivided)
    return next((one.place for one in divisions if _is_division(one.event, loss)), None)


def _is_division(event: Event, loss: Unknown) -> bool:
    return isinstance(event, UnknownDivided) and event.of == loss.origin[2] and event.by == loss.origin[3]
