"""A component from start to end: each root in its own store, then what no root reached."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mpfix.semantic.budget import Cut, Limits, OutOfSteps
from mpfix.semantic.calls import call, instantiate
from mpfix.semantic.guards import TRUE
from mpfix.semantic.library import LibraryModel
from mpfix.semantic.run import Occurrence, Recurrence, Run, deep_recursion
from mpfix.semantic.statements import execute_block
from mpfix.semantic.store import Frame
from mpfix.semantic.syntax import Module
from mpfix.semantic.values import Arguments, Bound, Class, Constant, Function, Object, Value

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
    modules: Sequence[Module], library: Callable[[], LibraryModel], limits: Limits, *, reuse: bool = True
) -> Trace:
    """Run every root of a component, then what none of them reached."""
    occurrences: list[Occurrence] = []
    recurrences: list[Recurrence] = []
    cuts: list[Cut] = []
    steps = 0
    reached: set[ast.AST] = set()
    cut_functions: set[ast.AST] = set()
    with deep_recursion():
        for module in modules:
            run = _run_root(module, library(), limits, reuse)
            occurrences += run.occurrences
            recurrences += run.recurrences
            cuts += run.cuts.values()
            steps += run.steps
            reached |= run.called
            cut_functions |= set(run.cut_functions)
        for module in modules:
            run = _last_pass(module, library(), limits, reuse, reached - cut_functions, tuple(occurrences))
            occurrences += run.occurrences
            recurrences += run.recurrences
            cuts += run.cuts.values()
            steps += run.steps
    unique = {(cut.bound, cut.place): cut for cut in cuts}
    return Trace(tuple(occurrences), tuple(recurrences), tuple(unique.values()), steps)


def _run_root(module: Module, library: LibraryModel, limits: Limits, reuse: bool) -> Run:
    run = Run(library, limits, reuse=reuse)
    library.start(run)
    _run_module(run, module)
    library.finish(run)
    return run


def _run_module(run: Run, module: Module) -> None:
    frame = Frame("module", run.store.new_box(TRUE), module, None)
    run.module_frames[module] = frame
    run.module = module
    run.store.write(frame.box, "__name__", Constant("__main__"), TRUE)
    try:
        execute_block(run, module.tree.body, frame)
    except OutOfSteps:
        run.cut("steps of a root", module.tree)
        _restart(run, module)
    run.ended = False


def _restart(run: Run, module: Module) -> None:
    """Leave whatever was running when a bound ended it."""
    run.path, run.module, run.chain, run.loops = TRUE, module, (), ()
    run.stack.clear()
    run.store.footprints.clear()
    run.store.journals.clear()
    run.muted = 0
    run.expression_depth = 0
    run.ended = False


def _last_pass(
    module: Module,
    library: LibraryModel,
    limits: Limits,
    reuse: bool,
    reached: set[ast.AST],
    seen: tuple[Occurrence, ...],
) -> Run:
    """A fresh store, the module body again without events, then every function and class that no root reached."""
    run = Run(library, limits, reuse=reuse)
    library.start(run)
    run.muted = 1
    _run_module(run, module)
    if all(node in reached for node in run.functions):
        run.cuts.clear()
        return run
    _restart(run, module)
    run.contexts.clear()
    run.memo.clear()
    run.cuts.clear()
    run.called = set(reached)
    run.cut_functions.clear()
    run.steps = 0
    library.start_last_pass(run, seen)
    for _ in range(MAX_ROUNDS):
        waiting = [function for node, function in run.functions.items() if node not in run.called]
        if not waiting:
            break
        for function in waiting:
            if function.node not in run.called:
                _guarded(run, module, function)
    library.finish(run)
    return run


def _guarded(run: Run, module: Module, function: Function) -> None:
    try:
        _reach(run, function)
    except OutOfSteps:
        run.cut("steps of a root", function.node)
        run.called.add(function.node)
        run.steps = 0
    run.called.add(function.node)
    _restart(run, module)


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
