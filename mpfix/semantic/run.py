"""One run of a root: the state of the interpreter and what every part of it uses."""

from __future__ import annotations

import ast
import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from mpfix.record import record
from mpfix.semantic import exits, guards
from mpfix.semantic.alternatives import all_equal, has_neighbours, project, remaining, without_repeats
from mpfix.semantic.budget import Cut, Limits, OutOfSteps
from mpfix.semantic.condensing import condensed
from mpfix.semantic.exits import Exit
from mpfix.semantic.guards import TRUE, Guard, conjoin
from mpfix.semantic.library import Event, LibraryModel
from mpfix.semantic.store import Box, Cells, Frame, Store
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Choice,
    Constant,
    Function,
    Library,
    Loop,
    LoopKey,
    ModuleValue,
    Object,
    Record,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from mpfix.semantic.calls import Contexts, Result
    from mpfix.semantic.project import Project

RECURSION_LIMIT = 20_000


UNWRITTEN = Constant("never written")
"""Stands for the part of a cell that was never written."""


@record
class Occurrence:
    """An event as it happened: under which path condition, in which loops, called from where."""

    event: Event
    place: Place
    guard: Guard
    loops: tuple[LoopKey, ...]
    chain: tuple[Place, ...]
    function: ast.AST | None = None
    """The innermost function whose body it stands in; None at module level."""
    order: int = 0


@record
class Recurrence:
    """A cell that varies in a loop: what it held before, and what an iteration leaves in it."""

    loop: LoopKey
    box: int
    name: str
    initial: Value
    next: Value
    guard: Guard


class Run:
    """The interpreter's state during one root. `path` is the path condition in force."""

    def __init__(
        self, library: LibraryModel, limits: Limits, *, reuse: bool = True, project: Project | None = None
    ) -> None:
        self.library, self.limits, self.reuse, self.project = library, limits, reuse, project
        self.imported: dict[object, ModuleValue] = {}
        """Modules of the project that are (being) imported, by module or folder."""
        self.store = Store(limits.alternatives)
        self.path: Guard = TRUE
        self.steps = 0
        self.muted = 0
        self.expression_depth = 0
        self.occurrences: list[Occurrence] = []
        self.recurrences: list[Recurrence] = []
        self.cuts: dict[tuple[str, Place], Cut] = {}
        self.times_cut = 0
        self.places: dict[ast.AST, Place] = {}
        """The last place of each node: most are asked for several times."""
        self.stack: list[ast.AST] = []
        self.chain: tuple[Place, ...] = ()
        self.loops: tuple[LoopKey, ...] = ()
        self.unrolled = 1
        """How often the unrolled loops around run what is being run."""
        self.dear_bodies: dict[ast.AST, int] = {}
        """The steps that the body of a loop took that was too dear to be unrolled."""
        self.module: Module | None = None
        self.called: set[ast.AST] = set()
        self.cut_functions: dict[ast.AST, Function] = {}
        self.functions: dict[ast.AST, Function] = {}
        self.classes: dict[ast.AST, Value] = {}
        self.instances: dict[ast.AST, Object] = {}
        """The first instance of each class."""
        self.made_in_state: set[ast.AST] = set()
        """Classes whose first instance was made after the program changed the library's global state."""
        self.heirs: dict[ast.AST, Object] = {}
        """The first instance of each class or of one that inherits from it."""
        self.trying = 0
        """How many `try` bodies with handlers are being run."""
        self.setters: set[str] = set()
        """Names that some class sets through a property."""
        self.pools: dict[tuple[Place, str, tuple[Place, ...]], list[Object]] = {}
        """Objects by site, kind and where its function was called from: helpers that make layers are told apart."""
        self.contexts: dict[ast.AST, Contexts] = {}
        self.spent: Counter[ast.AST] = Counter()
        """Steps that the calls of a function took, those of what it called included."""
        self.memo: dict[object, list[Result]] = {}
        self.reused = 0
        self.objects_made = 0
        self.exits: list[Exit] = []
        """Paths that ended in what is being run, oldest first; whoever ends with them takes them out."""
        self.unknown_boxes: dict[Value, Box] = {}
        self.globals = self.store.new_box(TRUE)
        self.module_frames: dict[Module, Frame] = {}
        self.is_repeated = False
        """Whether several modules are started here, each as in a process of its own."""
        self.effects: dict[Module, dict[str, Cells]] = {}
        """What the bodies of repeated modules did to the global state."""
        self.pending: dict[Module, dict[str, Cells]] = {}
        """The effects of those that the program being repeated has not imported yet: its import has them again."""
        self.assignments: dict[Module, Counter[str]] = {}

    # -- time and bounds

    def step(self) -> None:
        """Count one step."""
        self.steps += 1
        if self.steps > self.limits.root_steps:
            raise OutOfSteps

    def cut(self, bound: str, node: ast.AST) -> None:
        """Note that a bound was hit."""
        place = self.place(node)
        self.times_cut += 1
        self.cuts.setdefault((bound, place), Cut(bound, place))

    def place(self, node: ast.AST) -> Place:
        """The node in the module that is being run."""
        known = self.places.get(node)
        if known is None or known.module is not self.module:
            assert self.module is not None
            known = self.places[node] = Place(self.module, node)
        return known

    # -- events

    def emit(self, event: Event) -> None:
        """Something happened at `event.node` on the current path."""
        if self.muted:
            return
        function = self.stack[-1] if self.stack else None
        self.occurrences.append(
            Occurrence(
                event, self.place(event.node), self.path, self.loops, self.chain, function, len(self.occurrences)
            )
        )

    # -- paths and alternatives

    def under(self, guard: Guard) -> Guard | None:
        """The current path with more literals; None where that cannot be."""
        return conjoin(self.path, guard, self.limits.path_literals)

    def under_from(self, path: Guard, guard: Guard) -> Guard | None:
        """As `under`, from another path condition."""
        return conjoin(path, guard, self.limits.path_literals)

    def each_first(self, value: Value) -> Value:
        """The first alternative that can hold here; other values as they are."""
        value = self.restrict(value)
        return value.alternatives[0][1] if isinstance(value, Choice) else value

    def on_path(self, path: Guard) -> AbstractContextManager[None]:
        """Run something under another path condition."""
        return _OnPath(self, path)

    def pick(self, cells: Cells | None, otherwise: Callable[[], Value | None] | None = None) -> Value | None:
        """The value of a cell on the current path; None when it holds nothing here.

        `otherwise` gives what Python finds where the cell was never written: asked only when that can be.
        """
        if not cells:
            return otherwise() if otherwise is not None else None
        if not cells[0][0] or cells[0][0] <= self.path:
            return cells[0][1]
        if otherwise is None:
            return self.merge_flat(remaining(cells, self.path), trimmed=True)
        found = project((*cells, (TRUE, UNWRITTEN)), self.path)
        if found and found[-1][1] is UNWRITTEN:
            guard, _ = found.pop()
            path = self.under(guard)
            if path is not None:
                with self.on_path(path):
                    rest = otherwise()
                if rest is not None:
                    found.append((guard, rest))
        return self.merge(found)

    def merge(self, alternatives: Sequence[tuple[Guard, Value]]) -> Value | None:
        """One value for alternatives under guards, first match first; None for no alternatives."""
        for _, value in alternatives:
            if type(value) is Choice:
                break
        else:
            return self.merge_flat(alternatives)
        if len(alternatives) > 1 and all_equal(alternatives):
            return alternatives[0][1]
        flat: list[tuple[Guard, Value]] = []
        for guard, value in alternatives:
            if isinstance(value, Choice):
                for inner, entry in value.alternatives:
                    both = conjoin(guard, inner, self.limits.guard_literals)
                    if both is not None:
                        flat.append((both, entry))
            else:
                flat.append((guard, value))
        return self.merge_flat(flat)

    def merge_flat(self, flat: Sequence[tuple[Guard, Value]], *, trimmed: bool = False) -> Value | None:
        """As `merge`, for alternatives none of which is a choice; `trimmed` if none repeats what those before leave."""
        if not flat:
            return None
        first = flat[0][1]
        if all_equal(flat):
            return first
        if isinstance(first, Record) and all(isinstance(v, Record) and v.kind == first.kind for _, v in flat):
            return self.merge_records([(guard, value) for guard, value in flat if isinstance(value, Record)])
        if len(flat) > self.limits.alternatives:
            unknown = Unknown(("alternatives", first), str(first), cut=True)
            fewer = condensed(tuple(flat), self.limits.alternatives, unknown, self.limits.guard_literals)
            if fewer is None:
                self.store.note_lost(tuple(flat))
                return unknown
            flat, trimmed = fewer, False
        if isinstance(first, Library) and all(isinstance(value, Library) for _, value in flat):
            found = self.library.merge(tuple(value for _, value in flat))
            if found is not None:
                return found
        kept = flat if trimmed and not has_neighbours(flat) else without_repeats(flat)
        return Choice(tuple(kept)) if len(kept) > 1 else kept[0][1]

    def merge_records(self, flat: list[tuple[Guard, Record]]) -> Record:
        """One record whose properties have the alternatives."""
        names = sorted({name for _, record in flat for name in record.properties})
        merged = {name: self.merge([(guard, record.get(name)) for guard, record in flat]) or NONE for name in names}
        return Record(flat[0][1].kind, flat[0][1].place, merged)

    def each(self, value: Value, do: Callable[[Value], Value]) -> Value:
        """Apply a function to a value, or to each alternative of a choice under its guard; the results merged."""
        if type(value) is not Choice:
            return do(value)
        results: list[tuple[Guard, Value]] = []
        saved, mark = self.path, len(self.exits)
        for guard, entry in project(value.alternatives, saved):
            path = self.under_from(saved, guard)
            if path is None:
                continue
            inner, self.path = len(self.exits), path
            try:
                result = do(entry)
            finally:
                self.path = saved
            if len(self.exits) == inner or exits.left_of(self, path, inner) is not None:
                results.append((guard, result))
        if len(self.exits) > mark:
            exits.narrow(self, saved, mark)
        return self.merge(results) or Unknown(("never",), "nothing")

    def restrict(self, value: Value) -> Value:
        """A value as seen on the current path: alternatives that cannot hold here are gone."""
        if isinstance(value, Choice):
            return self.merge_flat(remaining(value.alternatives, self.path), trimmed=True) or value
        return value

    # -- objects and properties

    def new_object(self, kind: str, node: ast.AST, *, key: str = "") -> Object:
        """A fresh mutable object of this site, for this call; from the fourth on one stands for the rest."""
        pool = self.pools.setdefault((self.place(node), f"{kind} {key}", self.chain[-1:]), [])
        if len(pool) >= self.limits.objects_per_site:
            pool[-1].summary = True
            return pool[-1]
        self.objects_made += 1
        box = self.store.new_box(self.path)
        made = Object(box.serial, kind, self.place(node), box, key=key)
        pool.append(made)
        return made

    def get(self, owner: Object, name: str) -> Value:
        """A property of an object on the current path; the constant None when it was never set."""
        cells = self.store.read(owner.box, name)
        return (self.pick(cells) if cells else None) or NONE

    def set(self, owner: Object, name: str, value: Value) -> None:
        """Set a property of an object on the current path; weakly where one object stands for several."""
        if owner.summary and self.store.read(owner.box, name):
            if self.get(owner, name) == value:
                return  # all of them agree
            value = Unknown(("summary", owner.serial, name), name, cut=True)
        self.store.write(owner.box, name, value, self.path, literals=self.limits.guard_literals)

    def get_global(self, name: str) -> Value | None:
        """A global property of the framework, such as the policy; None when it was never set."""
        cells = self.store.read(self.globals, name)
        return self.pick(cells) if cells else None

    def set_global(self, name: str, value: Value) -> None:
        """Set a global property on the current path."""
        self.store.write(self.globals, name, value, self.path, literals=self.limits.guard_literals)

    def enter_global(self, name: str, value: Value) -> Cells | None:
        """Set a global property until `leave_global`, which needs what this gives."""
        before = self.store.read(self.globals, name)
        self.set_global(name, value)
        return before

    def leave_global(self, name: str, before: Cells | None) -> None:
        """Put a global property back as it was, with all its alternatives: written again, they would only grow."""
        self.store.replace(self.globals, name, before)

    def property(self, value: Value, name: str) -> Value:
        """A property of a record or object on the current path; None (the constant) where there is none."""

        def read(entry: Value) -> Value:
            if isinstance(entry, Loop):
                return read(entry.widened)
            if isinstance(entry, Record):
                return self.restrict(entry.get(name))
            if isinstance(entry, Object):
                return self.get(entry, name)
            if isinstance(entry, Unknown):
                return entry
            return NONE

        return self.each(value, read)

    def unknown(self, node: ast.AST, text: str = "") -> Unknown:
        """The unknown of a site."""
        return Unknown(("site", self.place(node)), text)

    def cut_value(self, node: ast.AST, text: str = "") -> Unknown:
        """The unknown of a site that a bound cut off."""
        return Unknown(("cut", self.place(node)), text, cut=True)

    # -- shorthands that models use

    def call(self, function: Value, arguments: Arguments, node: ast.AST) -> Value:
        """Call a value, as the program would."""
        from mpfix.semantic.calls import call

        return call(self, function, arguments, node)

    def contained(self) -> AbstractContextManager[None]:
        """Around a call that a library makes: whatever it does, the caller goes on."""
        return exits.contained(self)

    def attribute(self, value: Value, name: str, node: ast.AST) -> Value:
        """`value.name`, as the program would read it."""
        from mpfix.semantic.expressions import attribute

        return attribute(self, value, name, node)


class _OnPath:
    """`Run.on_path`; a generator would cost several times as much."""

    __slots__ = ("path", "run")

    def __init__(self, run: Run, path: Guard) -> None:
        self.run, self.path = run, path

    def __enter__(self) -> None:
        self.run.path, self.path = self.path, self.run.path

    def __exit__(self, *_: object) -> None:
        self.run.path = self.path


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Room for the interpreter's own recursion, whose depth its bounds limit; no pauses to collect what still lives."""
    saved, collects = sys.getrecursionlimit(), gc.isenabled()
    sys.setrecursionlimit(max(saved, RECURSION_LIMIT))
    gc.disable()
    try:
        yield
    finally:
        guards.forget()
        sys.setrecursionlimit(saved)
        if collects:
            gc.enable()
