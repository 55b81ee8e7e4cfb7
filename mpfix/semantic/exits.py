"""Paths that end before the end of a body: by `return`, `raise`, `break`, `continue`, or because nothing returns.

Whoever lets paths end notes them in `run.exits`; a block goes on where none of its exits is taken, a loop, a function
or a `try` takes out those that end with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mpfix.record import record
from mpfix.semantic.guards import Guard, is_maybe, outside, weight
from mpfix.semantic.values import Value

if TYPE_CHECKING:
    from mpfix.semantic.run import Run
    from mpfix.semantic.store import Frame

RETURN, BREAK, CONTINUE, RAISE, STOP = "return", "break", "continue", "raise", "stop"
"""Kinds of exits; `stop` is the end of the program, or a loop that never ends."""


MOST_SAID_BY_ERRORS = 2
"""Literals that a path takes over from errors that were not raised."""


@record
class Exit:
    """A path that ended, and the path condition it ended under.

    `frame` is the body that a `return`, `break` or `continue` stands in; `exception` is what was raised, where known.
    """

    kind: str
    guard: Guard
    frame: Frame | None = None
    exception: Value | None = None


def leave(run: Run, kind: str, frame: Frame | None = None, exception: Value | None = None) -> None:
    """The current path ends here."""
    run.exits.append(Exit(kind, run.path, frame, exception))


def left_of(run: Run, path: Guard, mark: int) -> Guard | None:
    """What the exits since `mark` leave of a path; None for nothing.

    Outside of any `try`, errors that only a tangle of conditions raises, or one that a bound lost, are taken as not
    happening: a check of the arguments says little about what runs after it.
    """
    recent = run.exits[mark:]
    if not recent:
        return path
    exact = outside(path, [one.guard for one in recent], run.limits.path_literals)
    if exact is None or run.trying:
        return exact
    is_lost = is_maybe(exact) and not is_maybe(path)
    if weight(exact - path) <= MOST_SAID_BY_ERRORS and not is_lost:
        return exact
    others = outside(path, [one.guard for one in recent if one.kind != RAISE], run.limits.path_literals)
    return exact if others is None else others


def narrow(run: Run, path: Guard, mark: int) -> bool:
    """Go on where no exit since `mark` was taken; False where nothing is left (the path then stays as it was)."""
    if len(run.exits) == mark:
        run.path = path
        return True
    left = left_of(run, path, mark)
    run.path = path if left is None else left
    return left is not None


def take(run: Run, mark: int, kinds: tuple[str, ...], frame: Frame | None = None) -> list[Exit]:
    """Take out the exits since `mark` of these kinds, those of `frame` only where it is given."""
    recent = run.exits[mark:]
    taken = [one for one in recent if one.kind in kinds and (frame is None or one.frame is frame)]
    if taken:
        run.exits[mark:] = [
            one for one in recent if one.kind not in kinds or (frame is not None and one.frame is not frame)
        ]
    return taken


@contextmanager
def contained(run: Run) -> Iterator[None]:
    """Whatever is called inside, the caller goes on: for code that a library calls."""
    path, mark = run.path, len(run.exits)
    try:
        yield
    finally:
        del run.exits[mark:]
        run.path = path
