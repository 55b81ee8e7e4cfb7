"""What loops know of framework values that change from one iteration to the next."""

from __future__ import annotations

from mpfix.frameworks import sums
from mpfix.semantic.values import NONE, Record, Unknown, Value, widened


def widen(initial: Value, learnt: Value) -> Value | None:
    """A record that changes in a loop keeps the properties that every iteration leaves alone."""
    first, last = widened(initial), widened(learnt)
    if isinstance(last, Record) and last.kind == "gradients":
        if isinstance(first, Record) and first.kind == "gradients":
            return _agreeing(first, last)
        if sums.is_zero(first) or first == NONE or isinstance(first, Unknown):
            return last
    if isinstance(first, Record) and isinstance(last, Record) and first.kind == last.kind:
        return _agreeing(first, last)
    if isinstance(first, Record) and first.kind == "gradients" and (sums.is_zero(last) or last == NONE):
        return first
    return last if sums.are_made_alike(first, last) else None


def _agreeing(first: Record, last: Record) -> Record:
    names = sorted(set(first.properties) | set(last.properties))
    kept = {
        name: first.get(name) if first.get(name) == last.get(name) else Unknown(("varies", name, last.place), name)
        for name in names
    }
    return Record(last.kind, last.place, kept)
