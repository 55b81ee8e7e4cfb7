"""The program as rules see it: everything that happened, as cases without alternatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from mpfix.semantic.alternatives import project
from mpfix.semantic.budget import Cut
from mpfix.semantic.guards import TRUE, Guard, conjoin, is_maybe
from mpfix.semantic.library import Event
from mpfix.semantic.names import NamesResult
from mpfix.semantic.run import Occurrence, Recurrence
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import NONE, At, Choice, Constant, Object, Record, Unknown, Value, widened

E = TypeVar("E", bound=Event)
T = TypeVar("T")


@dataclass(frozen=True)
class ModuleNames:
    """A module with what its outside names mean."""

    module: Module
    names: NamesResult


@dataclass(frozen=True)
class Case(Generic[E]):
    """One consistent combination of alternatives of an event's fields, with the guard under which it holds."""

    event: E
    occurrence: Occurrence
    guard: Guard
    fields: Mapping[str, Value]

    @property
    def place(self) -> Place:
        """Where it happened."""
        return self.occurrence.place

    def value(self, path: str) -> Value:
        """The value of a field that was asked for."""
        return self.fields[path]

    def constant(self, path: str) -> Any:
        """The Python constant of a field; None where it is none."""
        value = self.fields[path]
        return value.value if isinstance(value, Constant) else None

    def at(self, path: str) -> Place | None:
        """The place a field holds; None where it holds none."""
        value = self.fields[path]
        return value.place if isinstance(value, (At, Record, Object)) else None


@dataclass(frozen=True)
class Program:
    """What a component does under one Keras generation."""

    modules: tuple[Module, ...]
    generation: int
    occurrences: tuple[Occurrence, ...]
    recurrences: tuple[Recurrence, ...]
    cuts: tuple[Cut, ...]
    names_in: Callable[[Module], NamesResult] = field(repr=False, compare=False)
    """What the outside names of a module mean."""
    generations: tuple[int, ...] = ()
    """The generations that the component is judged for, this one among them."""
    steps: int = 0
    """Steps of the interpreter that it took to see it."""
    again: Callable[[], Program] | None = field(default=None, repr=False, compare=False)
    """The program as its author meant it: tests of what this generation lost may be true in it."""
    _facts: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def names(self) -> tuple[ModuleNames, ...]:
        """The modules with what their outside names mean."""
        return tuple(ModuleNames(module, self.names_in(module)) for module in self.modules)

    def happened(self, *kinds: type[E]) -> tuple[Occurrence, ...]:
        """Occurrences of events of these kinds, in order."""
        found: tuple[Occurrence, ...] | None = self._facts.get(kinds)
        if found is None:
            found = tuple(occurrence for occurrence in self.occurrences if isinstance(occurrence.event, kinds))
            self._facts[kinds] = found
        return found

    def events(self, kind: type[E]) -> tuple[E, ...]:
        """The events of a kind, in order, without where and when they happened."""
        return tuple(one.event for one in self.occurrences if isinstance(one.event, kind))

    def cases(self, kind: type[E], *paths: str) -> Iterator[Case[E]]:
        """Each event of a kind in each combination of alternatives of the fields named.

        A path is a field of the event, or `field.property` of a record in it. A case with an unknown field, or whose
        guard lost a literal to a bound, is left out.
        """
        for occurrence in self.happened(kind):
            yield from cases_of(occurrence, *paths)


def cases_of(occurrence: Occurrence, *paths: str, allow_unknown: bool = False) -> Iterator[Case[Any]]:
    """The cases of one occurrence; with `allow_unknown` also those with unknown fields."""
    yield from _combine(occurrence, paths, 0, occurrence.guard, {}, allow_unknown)


def _combine(
    occurrence: Occurrence,
    paths: tuple[str, ...],
    index: int,
    guard: Guard,
    chosen: dict[str, Value],
    allow_unknown: bool,
) -> Iterator[Case[Any]]:
    if is_maybe(guard):
        return
    if index == len(paths):
        yield Case(occurrence.event, occurrence, guard, dict(chosen))
        return
    for extra, value in _field(occurrence, paths[index], guard):
        if isinstance(value, Unknown) and not allow_unknown:
            continue
        narrower = conjoin(guard, extra)
        if narrower is not None:
            yield from _combine(occurrence, paths, index + 1, narrower, {**chosen, paths[index]: value}, allow_unknown)


def _field(occurrence: Occurrence, path: str, guard: Guard) -> Iterator[tuple[Guard, Value]]:
    """The alternatives of a field under a guard."""
    head, _, tail = path.partition(".")
    value = getattr(occurrence.event, head)
    if not isinstance(value, Value):
        yield TRUE, Constant(value)
        return
    for extra, one in alternatives(value, guard):
        if not tail:
            yield extra, one
            continue
        one = widened(one)
        narrower = conjoin(guard, extra)
        if narrower is None:
            continue
        if isinstance(one, Record):
            for more, inner in alternatives(one.get(tail), narrower):
                joined = conjoin(extra, more)
                if joined is not None:
                    yield joined, inner
        elif isinstance(one, Unknown):
            yield extra, one
        else:
            yield extra, NONE


def alternatives(value: Value, guard: Guard = TRUE) -> list[tuple[Guard, Value]]:
    """The alternatives of a value that are possible under a guard."""
    if isinstance(value, Choice):
        return project(value.alternatives, guard)
    return [(TRUE, value)]


def fact(compute: Callable[[Program], T]) -> Callable[[Program], T]:
    """A function of a program that is computed once for each program."""

    def cached(program: Program) -> T:
        if compute not in program._facts:
            program._facts[compute] = compute(program)
        found: T = program._facts[compute]
        return found

    cached.__name__, cached.__doc__, cached.__module__ = compute.__name__, compute.__doc__, compute.__module__
    return cached
