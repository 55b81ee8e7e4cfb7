"""The one store: boxes of guarded cells, frames, and the record of what a call read and wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mpfix.semantic.alternatives import Alternatives, collapsed, write
from mpfix.semantic.condensing import condensed, joined_contents, loses_something
from mpfix.semantic.guards import TRUE, Guard, conjoin
from mpfix.semantic.syntax import Module
from mpfix.semantic.values import Choice, Class, Function, ModuleValue, Unknown, Value

Cells = Alternatives[Value]


class Box:
    """A set of named cells: variables of a frame, attributes of an object, properties of a framework object.

    Guards of its cells are relative to `base`, the path condition at its birth.
    """

    __slots__ = ("base", "cells", "serial")

    def __init__(self, serial: int, base: Guard) -> None:
        self.serial, self.base = serial, base
        self.cells: dict[str, Cells] = {}


class Frame:
    """A running body: a module, class, function or comprehension."""

    __slots__ = (
        "box",
        "function",
        "kind",
        "module",
        "nonlocals",
        "on_yield",
        "outer",
        "owner",
        "returns",
        "stars",
        "yields",
    )

    def __init__(
        self, kind: str, box: Box, module: Module, outer: Frame | None, function: Function | None = None
    ) -> None:
        self.kind, self.box, self.module, self.outer, self.function = kind, box, module, outer, function
        self.returns: list[tuple[Guard, Value]] = []
        self.yields: list[Value] = []
        self.nonlocals: dict[str, Box] = {}
        self.stars: list[str | ModuleValue] = []
        self.owner: Class | None = None
        """The class whose body this frame runs."""
        self.on_yield: Callable[[Value], None] | None = None


@dataclass(slots=True)
class Footprint:
    """What a call read of older boxes before writing it, and what it wrote to them."""

    born: int
    reads: dict[tuple[int, str], tuple[Box, str, Cells | None]] = field(default_factory=dict)
    writes: dict[tuple[int, str], tuple[Box, str]] = field(default_factory=dict)


class Store:
    """Reads and writes of cells, with the footprints of running calls and the journals of loops being learnt."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.serial = 0
        self.overflows = 0
        self.footprints: list[Footprint] = []
        self.born = -1
        """The last box that was there when the innermost call began; none outside of calls."""
        self.journals: list[dict[tuple[int, str], tuple[Box, str, Cells | None]]] = []
        self.kept_journals = 0
        """How many of the journals outlive what is being run."""

    def new_box(self, base: Guard) -> Box:
        """A fresh box; serials grow in program order."""
        self.serial += 1
        return Box(self.serial, base)

    def begin_call(self) -> Footprint:
        """A call begins: what it reads and writes of boxes that are there already is noted until it ends."""
        self.born = self.serial
        self.footprints.append(Footprint(self.born))
        return self.footprints[-1]

    def end_call(self) -> None:
        """The innermost call ends."""
        self.footprints.pop()
        self.born = self.footprints[-1].born if self.footprints else -1

    def forget_calls(self) -> None:
        """No call is running."""
        self.footprints.clear()
        self.born = -1

    def read(self, box: Box, name: str) -> Cells | None:
        """The alternatives of a cell, None when it was never written."""
        cells = box.cells.get(name)
        if box.serial <= self.born:
            key = (box.serial, name)
            for footprint in reversed(self.footprints):
                if box.serial > footprint.born:
                    break  # the calls around it began even earlier
                footprint.reads.setdefault(key, (box, name, cells))
        return cells

    def replace(self, box: Box, name: str, cells: Cells | None) -> None:
        """Set a cell's alternatives as they are; None removes it."""
        key = (box.serial, name)
        old = box.cells.get(name)
        for journal in self.journals:
            journal.setdefault(key, (box, name, old))
        for footprint in reversed(self.footprints):
            if box.serial > footprint.born:
                break
            footprint.reads.setdefault(key, (box, name, old))
            footprint.writes[key] = (box, name)
        if cells is None:
            box.cells.pop(name, None)
        else:
            box.cells[name] = cells

    def write(self, box: Box, name: str, value: Value, path: Guard, *, literals: int = 6) -> None:
        """Write under a path condition: the value, or each alternative of a choice under its own guard."""
        relative = path - box.base if box.base else path
        if not relative and type(value) is not Choice:
            self.replace(box, name, ((TRUE, value),))
            return
        cells = self.read(box, name) or ()
        entries = value.alternatives if isinstance(value, Choice) else ((TRUE, value),)
        for guard, entry in reversed(entries):
            full = conjoin(relative, guard - box.base, literals)
            if full is None:
                continue
            cells = write(cells, full, entry)
            if len(cells) > self.limit:
                cells = self._fewer(cells, Unknown(("overflow", box.serial, name), name, cut=True), literals)
        self.replace(box, name, cells)

    def _fewer(self, cells: Cells, unknown: Unknown, literals: int) -> Cells:
        """As many alternatives of a cell as it may keep."""
        found = condensed(cells, self.limit, unknown, literals)
        if found is not None:
            return found
        rest = cells[max(self.limit - 1, 0) :]
        joined = joined_contents([value for _, value in rest]) if unknown.text == "content" else None
        if joined is None:
            self.note_lost(rest)
            return collapsed(cells, self.limit, unknown)
        self.overflows += joined[1]
        return collapsed(cells, self.limit, joined[0])

    def note_lost(self, alternatives: Alternatives[Value]) -> None:
        """The bound on alternatives was hit, if it made unknown what was not."""
        self.overflows += loses_something(alternatives)

    def rollback(self, journal: dict[tuple[int, str], tuple[Box, str, Cells | None]]) -> None:
        """Undo every write a journal saw."""
        for box, name, old in journal.values():
            self.replace(box, name, old)
