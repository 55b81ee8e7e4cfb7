"""A library without a framework: `lib.show(x)` is an event, everything else outside is unknown."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mpfix.record import record
from mpfix.semantic.budget import Limits
from mpfix.semantic.guards import describe
from mpfix.semantic.library import Event
from mpfix.semantic.roots import Trace, interpret_component
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.syntax import parse_module
from mpfix.semantic.values import NONE, Arguments, Choice, Function, Library, Value
from mpfix.source.document import document_from_bytes


@record
class Shown(Event):
    """`lib.show(values)` was called."""

    values: tuple[Value, ...]


class StubLibrary:
    """Models `lib.show`; answers None to everything else."""

    kept_words: frozenset[object] = frozenset({"float16"})

    def __init__(self) -> None:
        self.reached = -1

    def name(self, qualified: str) -> Value:
        return Library(qualified)

    def star(self, module: str, name: str) -> Value | None:
        return Library(f"{module}.{name}") if module == "lib" and name in ("show", "args") else None

    def start(self, run: Run) -> None:
        run.set_global("mode", NONE)

    def start_last_pass(self, run: Run, occurrences: tuple[Occurrence, ...], function: Function) -> None:
        self.reached = len(occurrences)

    def comes_first(self, *_: object) -> bool:
        return False

    def has_set_state(self, *_: object) -> bool:
        return False

    def is_unset_flag(self, *_: object) -> bool:
        return False

    def is_test(self, *_: object) -> bool:
        return False

    def mark(self) -> Callable[[], None]:
        return lambda: None

    def reach(self, *_: object) -> bool:
        return False

    def attribute(self, run: Run, receiver: Value, name: str, node: ast.AST) -> Value | None:
        return Library(f"{receiver.key}.{name}") if isinstance(receiver, Library) else None

    def store(self, *_: object) -> bool:
        return False

    store_item = store

    def call(self, run: Run, function: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        if isinstance(function, Library) and function.key == "lib.show":
            run.emit(Shown(node, arguments.positional))
            return NONE
        return None

    def _nothing(self, *_: object) -> Any:
        return None

    finish = created = constructed = item = operator = iterate = truth = has_attribute = _nothing
    is_instance = enter = exit = merge = widen = returned = _nothing


def trace(source: str, *, limits: Limits | None = None, reuse: bool = True, last_pass: bool = False) -> Trace:
    """What happens in a program, in its roots alone unless `last_pass` is asked for."""
    libraries: list[StubLibrary] = []

    def make() -> StubLibrary:
        libraries.append(StubLibrary())
        return libraries[-1]

    document = document_from_bytes(textwrap.dedent(source).encode(), Path("x.py"), "x.py")
    found = interpret_component([parse_module(document)], make, limits or Limits(), reuse=reuse)
    ends = [library.reached for library in libraries if library.reached >= 0]
    return found if last_pass or not ends else replace(found, occurrences=found.occurrences[: ends[0]])


def shown(found: Trace) -> list[Occurrence]:
    """The calls of `lib.show`, in order."""
    return [occurrence for occurrence in found.occurrences if isinstance(occurrence.event, Shown)]


def story(source: str, *, last_pass: bool = False, limits: Limits | None = None) -> list[str]:
    """Each `lib.show` in a line: what it shows, the loops it is in, the guard it happens under.

    `lib` and `args` are there: every source starts with `import lib` and `args = lib.args()`.
    """
    text = "import lib\nargs = lib.args()\n" + textwrap.dedent(source)
    lines = []
    for occurrence in shown(trace(text, last_pass=last_pass, limits=limits)):
        values = ", ".join(map(spelled, occurrence.event.values))  # type: ignore[attr-defined]
        loops = " in a loop" * len(occurrence.loops)
        guard = f" if {describe(occurrence.guard)}" if occurrence.guard else ""
        lines.append(f"{values}{loops}{guard}")
    return lines


def spelled(value: Value) -> str:
    """A value for people: alternatives with their guards."""
    if isinstance(value, Choice):
        return " | ".join(f"{one} if {describe(guard)}" if guard else str(one) for guard, one in value)
    return str(value)
