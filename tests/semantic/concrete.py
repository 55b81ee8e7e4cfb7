"""Abstract values and guards under one assignment of flags, and what the program really does under it."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

from mpfix.semantic.guards import Equal, Every, Guard, Lost
from mpfix.semantic.run import Occurrence
from mpfix.semantic.values import Choice, Constant, Object, Sequence, Unknown

Flags = tuple[bool, ...]
Shows = list[tuple[int, object]]


class Opaque(Exception):
    """Nobody knows: a value that the flags do not decide."""


def really_shown(source: str, flags: Flags) -> Shows:
    """Runs the program: line and value of each `lib.show`."""
    shows: Shows = []
    library = types.ModuleType("lib")
    library.show = lambda value: shows.append((sys._getframe(1).f_lineno, value))  # type: ignore[attr-defined]
    given = types.SimpleNamespace(**{f"f{index}": flag for index, flag in enumerate(flags)})
    library.args = lambda: given  # type: ignore[attr-defined]
    sys.modules["lib"] = library
    try:
        exec(compile(source, "x.py", "exec"), {"__name__": "__main__"})
    except SystemExit:
        pass
    finally:
        del sys.modules["lib"]
    return shows


def said_to_be_shown(occurrences: list[Occurrence], flags: Flags) -> Shows:
    """Line and value of each `lib.show` that the interpreter says happens under the flags."""
    return [
        (occurrence.place.line, value_of(occurrence.event.values[0], flags))  # type: ignore[attr-defined]
        for occurrence in occurrences
        if holds(occurrence.guard, flags)
    ]


def holds(guard: Guard, flags: Flags) -> bool:
    """Whether every literal of a guard does."""
    return all(is_true(condition, flags) is held for condition, held in sorted(guard, key=str))


def is_true(condition: object, flags: Flags) -> bool:
    """Whether a condition is true."""
    match condition:
        case Every(guard=guard):
            return holds(guard, flags)
        case Lost():
            return holds(condition.dropped, flags) and (condition.before is None or is_true(condition.before, flags))
        case Equal(subject=subject, constant=constant):
            return value_of(subject, flags) == constant
        case Unknown(origin=("raised", *_)):
            return False
    return bool(value_of(condition, flags))


def value_of(value: object, flags: Flags) -> object:
    """The Python value of an abstract one."""
    match value:
        case Constant(value=constant):
            return constant
        case Choice():
            return next(_alternatives(value, flags))
        case Unknown(origin=("attribute", Unknown(), str(name))) if name[1:].isdigit():
            return flags[int(name[1:])]
        case Unknown(origin=("operator", "Add", left, right)):
            return value_of(left, flags) + value_of(right, flags)  # type: ignore[operator]
        case Sequence(items=items, open=False):
            return tuple(value_of(item, flags) for item in items)
        case Object(kind="list"):
            return [value_of(item, flags) for item in _content(value, flags)]
    raise Opaque(repr(value))


def _content(value: Object, flags: Flags) -> tuple[object, ...]:
    for guard, content in value.box.cells.get("content", ()):
        if holds(guard | value.box.base, flags):
            if isinstance(content, Sequence) and not content.open:
                return content.items
            break
    raise Opaque(str(value))


def _alternatives(value: Choice, flags: Flags) -> Iterator[object]:
    for guard, one in value:
        if holds(guard, flags):
            yield value_of(one, flags)
    raise Opaque("no alternative holds")
