"""Updates with zeros in place of gradients while a window of micro batches is not full."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.frameworks.events import Applied
from mpfix.frameworks.windows import between_windows
from mpfix.record import record
from mpfix.semantic.guards import Guard
from mpfix.semantic.program import Case, Program, cases_of, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, TRUE_VALUE, Constant, Object, Record, Unknown, Value

MOVING = frozenset({"adam", "adamw", "adamax", "nadam", "lion", "lamb"})
"""Optimizers with a momentum: the weights move on with gradients of zero."""

DECAYING = frozenset({"rmsprop", "adadelta"})
"""Optimizers whose mean of squares shrinks with gradients of zero, so that the next update is larger."""


@record
class ZeroUpdate:
    """An update between windows whose gradients are `zeros`.

    `optimizer` is the class of what applies them; None for one that is chosen elsewhere. `moves` is whether weights
    change all the same.
    """

    case: Case[Applied]
    guard: Guard
    zeros: Place
    optimizer: str | None
    moves: bool

    @property
    def apart(self) -> bool:
        """Whether the zeros come from another module than the update."""
        return self.zeros.module is not self.case.place.module


@fact
def zero_updates(program: Program) -> tuple[ZeroUpdate, ...]:
    """Updates by optimizers with a state that get zeros in the iterations between windows."""
    return tuple(
        one for occurrence in program.happened(Applied) for one in _zero_updates(program, list(_cases(occurrence)))
    )


def _cases(occurrence: Occurrence) -> Iterator[Case[Applied]]:
    paths = ("gradients", "gradients.zeros", "optimizer", "state.inner", "state.momentum")
    yield from cases_of(occurrence, *paths, allow_unknown=True)


def _zero_updates(program: Program, cases: list[Case[Applied]]) -> Iterator[ZeroUpdate]:
    if all(_is_zero(case) for case in cases):
        return
    for case in cases:
        between = between_windows(program, case.occurrence, case.guard)
        zeros = case.value("gradients")
        name = _name(case)
        remembers = name is not None or _is_chosen_elsewhere(case)
        if _is_zero(case) and between and isinstance(zeros, Record) and remembers:
            yield ZeroUpdate(case, case.guard - between, zeros.place, name, (name or "").lower() not in DECAYING)
            return


def _is_zero(case: Case[Applied]) -> bool:
    return case.value("gradients.zeros") == TRUE_VALUE


def _optimizer(case: Case[Applied]) -> Value:
    """What applies the zeros, without the loss scale around it."""
    inner = case.value("state.inner")
    return inner if isinstance(case.value("optimizer"), Object) and inner != NONE else case.value("optimizer")


def _is_chosen_elsewhere(case: Case[Applied]) -> bool:
    """Whether the step takes whatever optimizer it is given: of all there are, plain SGD alone has no state."""
    optimizer = _optimizer(case)
    return isinstance(optimizer, Unknown) and not optimizer.cut


def _name(case: Case[Applied]) -> str | None:
    """The class of an optimizer that remembers earlier gradients; None for others and where nobody knows."""
    optimizer = _optimizer(case)
    name = optimizer.key.rpartition(".")[2] if isinstance(optimizer, Object) and optimizer.cls is None else ""
    if name.lower() in MOVING | DECAYING:
        return name
    return name if name.lower() == "sgd" and _is_positive(case.value("state.momentum")) else None


def _is_positive(value: Value) -> bool:
    return isinstance(value, Constant) and isinstance(value.value, (int, float)) and value.value > 0
