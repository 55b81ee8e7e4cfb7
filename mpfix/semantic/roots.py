"""A component from start to end: each root in its own store, then what no root reached."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mpfix.semantic.budget import Cut, Limits, OutOfSteps
from mpfix.semantic.calls import call, instantiate
from mpfix.semantic.guards import TRUE
from mpfix.semantic.imports import run_module_body
from mpfix.semantic.library import LibraryModel
from mpfix.semantic.project import Project
from mpfix.semantic.run import Occurrence, Recurrence, Run, deep_recursion
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import Arguments, Bound, Class, Function, ModuleValue, Object, Value

MAX_ROUNDS = 4
"""Functions found while unreached functions run are run in turn, this many times."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that happened in a component, roots first, then the last pass."""

    occurrences: tuple[Occurrence, ...]
    recurrences: tuple[Recurrence, ...]
    cuts: tuple[Cut, ...]
    steps: int


def interpret_component(
    modules: Sequence[Module],
    library: Callable[[], LibraryModel],
    limits: Limits,
    *,
    reuse: bool = True,
    project: Project | None = None,
) -> Trace:
    """Run every root of a component, then what none of them reached.

    Without a `project` each module is a root, and imports of other files are outside names.
    """
    gathered = _Gathered()
    reached: set[ast.AST] = set()
    cut_functions: set[ast.AST] = set()
    alone: dict[Module, Run] = {}
    with deep_recursion():
        executed: set[Module] = set()
        roots = project.roots if project is not None else modules
        # what no root imports while it runs (a registry's modules, say) is run as if somebody did
        for module in dict.fromkeys((*roots, *modules)):
            if module in executed and module not in roots:
                continue
            run = _run_root(module, library(), limits, reuse, project, "__main__" if module in roots else module.name)
            gathered.add(run)
            executed.update(run.module_frames)
            reached |= run.called
            cut_functions |= set(run.cut_functions)
            if project is None:
                alone[module] = run
        seen = tuple(gathered.occurrences)
        parts = [tuple(modules)] if project is not None else [(module,) for module in modules]
        for part in parts:
            # the only root of a file has left the store that its body would leave once more
            known = alone.get(part[0])
            run = known if known is not None else _run_again(part, library(), limits, reuse, project)
            _last_pass(run, part, reached - cut_functions, seen)
            gathered.add(run)
    return gathered.trace()


@dataclass(slots=True)
class _Gathered:
    """What the runs of a component did, so far."""

    occurrences: list[Occurrence] = field(default_factory=list)
    recurrences: list[Recurrence] = field(default_factory=list)
    cuts: dict[tuple[str, Place], Cut] = field(default_factory=dict)
    steps: int = 0

    def add(self, run: Run) -> None:
        self.occurrences += run.occurrences
        self.recurrences += run.recurrences
        self.cuts.update(run.cuts)
        self.steps += run.steps

    def trace(self) -> Trace:
        return Trace(tuple(self.occurrences), tuple(self.recurrences), tuple(self.cuts.values()), self.steps)


def _run_root(
    module: Module, library: LibraryModel, limits: Limits, reuse: bool, project: Project | None, name: str
) -> Run:
    run = Run(library, limits, reuse=reuse, project=project)
    library.start(run)
    _run_module(run, module, name)
    _finish(run, module)
    return run


def _finish(run: Run, module: Module) -> None:
    run.library.finish(run)
    if run.store.overflows:
        run.module = module
        run.cut("alternatives of a value", module.tree)


def _run_module(run: Run, module: Module, name: str) -> None:
    """Run a module that nobody has run yet."""
    if module in run.module_frames:
        return
    run.module = module
    value = ModuleValue(module, run.store.new_box(TRUE))
    try:
        run_module_body(run, module, value, name=name)
    except OutOfSteps:
        run.cut("steps of a root", module.tree)
        _restart(run, module)
    run.path, run.module = TRUE, module


def _restart(run: Run, module: Module) -> None:
    """Leave whatever was running when a bound ended it."""
    run.path, run.module, run.chain, run.loops = TRUE, module, (), ()
    run.stack.clear()
    run.store.footprints.clear()
    run.store.journals.clear()
    run.muted = run.trying = 0
    run.expression_depth = 0
    run.exits.clear()


def _run_again(
    modules: tuple[Module, ...], library: LibraryModel, limits: Limits, reuse: bool, project: Project | None
) -> Run:
    """A fresh store and the module bodies again, without events."""
    run = Run(library, limits, reuse=reuse, project=project)
    library.start(run)
    for module in modules:
        run.muted = 1
        _run_module(run, module, "__main__" if len(modules) == 1 else module.name)
    return run


def _last_pass(run: Run, modules: tuple[Module, ...], reached: set[ast.AST], seen: tuple[Occurrence, ...]) -> None:
    """Every function and class that no root reached."""
    _restart(run, modules[0])
    run.occurrences, run.recurrences, run.cuts = [], [], {}
    run.steps = run.store.overflows = 0
    if all(node in reached for node in run.functions):
        return
    run.contexts.clear()
    run.memo.clear()
    run.called = set(reached)
    run.cut_functions.clear()
    run.library.start_last_pass(run, seen)
    for _ in range(MAX_ROUNDS):
        waiting = [function for node, function in run.functions.items() if node not in run.called]
        if not waiting:
            break
        for function in waiting:
            if function.node not in run.called:
                _guarded(run, function)
    _finish(run, modules[0])


def _guarded(run: Run, function: Function) -> None:
    try:
        _reach(run, function)
    except OutOfSteps:
        run.cut("steps of a root", function.node)
        run.called.add(function.node)
        run.steps = 0
    run.called.add(function.node)
    _restart(run, function.module)


def _reach(run: Run, function: Function) -> None:
    """Call one function as somebody outside might."""
    run.module = function.module
    owner = function.owner
    if owner is None:
        call(run, function, _nothing(), function.node)
        return
    receiver = _receiver(run, owner)
    if function.node in run.called:
        return
    bound: Value = function
    if "staticmethod" not in function.marks:
        bound = Bound(function, owner if "classmethod" in function.marks else receiver)
    if not run.library.reach(run, function, receiver):
        call(run, bound, _nothing(), function.node)


def _receiver(run: Run, owner: Class) -> Object:
    """An instance to call a method on: one that the program made, of the class or a subclass, else a new one."""
    made = run.instances.get(owner.node)
    if not made:
        for node, instances in run.instances.items():
            cls = run.classes.get(node)
            if isinstance(cls, Class) and owner in cls.mro() and instances:
                return instances[0]
        instantiate(run, owner, _nothing(), owner.node)
        made = run.instances.get(owner.node)
    assert made
    return made[0]


def _nothing() -> Arguments:
    return Arguments(open_positional=True, open_keywords=True)
