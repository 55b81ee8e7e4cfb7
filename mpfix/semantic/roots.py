"""A component from start to end: each root in its own store, then what no root reached."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from mpfix.semantic.budget import Cut, Limits, OutOfSteps
from mpfix.semantic.calls import call, instantiate
from mpfix.semantic.guards import TRUE
from mpfix.semantic.imports import run_module_body
from mpfix.semantic.library import LibraryModel
from mpfix.semantic.project import Project
from mpfix.semantic.root_traces import RootTrace, RootTraces, trace_of
from mpfix.semantic.run import Occurrence, Recurrence, Run, deep_recursion
from mpfix.semantic.shared_imports import SharedImports
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.templates import heirs_to_run
from mpfix.semantic.values import Arguments, Bound, Class, Function, ModuleValue, Object, Value

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

_CALLED = re.compile(r"(?<!def )\b([^\W\d]\w*)\(")
"""A name that is called; text is enough, since it only decides who runs first."""

MAX_ROUNDS = 4
"""Functions found while unreached functions run are run in turn, this many times."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that happened in a component, roots first, then the last pass."""

    occurrences: tuple[Occurrence, ...]
    recurrences: tuple[Recurrence, ...]
    cuts: tuple[Cut, ...]
    steps: int
    """Steps that were taken; what was known already took none."""


def interpret_component(
    modules: Sequence[Module],
    library: Callable[[], LibraryModel],
    limits: Limits,
    *,
    reuse: bool = True,
    project: Project | None = None,
    known: RootTraces | None = None,
) -> Trace:
    """Run every root of a component, then what none of them reached.

    Without a `project` each module is a root, and imports of other files are outside names. What `known` roots did is
    taken as it is, as long as their modules are the same.
    """
    roots = project.roots if project is not None else tuple(modules)
    budget = _Budget(limits, sum(len(module.document.text.splitlines()) for module in modules), len(roots))
    everything = frozenset(modules)

    def fresh(limits: Limits) -> Run:
        run = Run(library(), limits, reuse=reuse, project=project)
        run.library.start(run)
        return run

    shared = SharedImports(fresh, project, roots, budget.for_imports())
    gathered = _Gathered()
    with deep_recursion():
        # what no root imports while it runs (a registry's modules, say) is run as if somebody did
        for module in dict.fromkeys((*roots, *modules)):
            if module in gathered.executed and module not in roots:
                continue
            name = "__main__" if module in roots else module.name
            trace = known.find(module, name, everything) if known is not None else None
            run = None
            if trace is None:
                run = shared.run_for(module, budget.for_root())
                trace = _run_root(run, module, name)
                shared.leave(module)
                gathered.steps += trace.steps
                if known is not None and len(roots) > 1:
                    known.keep(module, name, trace)
            budget.spend(trace.steps)
            gathered.add(trace, run if project is None else None)
        unreached = gathered.reached - gathered.cut_functions
        seen = tuple(gathered.occurrences)
        parts = [tuple(modules)] if project is not None else [(module,) for module in modules]
        for part in parts:
            # the only root of a file has left the store that its body would leave once more
            run = gathered.alone.get(part[0]) or _run_again(fresh(limits), part)
            _last_pass(run, part, unreached, seen)
            gathered.add(trace_of(run), None)
            gathered.steps += run.steps
    if known is not None:
        known.complete()
    return gathered.trace()


@dataclass(slots=True)
class _Budget:
    """How many steps each root may take: a component's cost is linear in its lines, and a large one ends in time."""

    limits: Limits
    lines: int
    roots: int
    spent: int = 0

    @property
    def whole(self) -> int:
        """The steps of all roots together."""
        limits = self.limits
        return min(limits.component_steps + limits.line_steps * self.lines, limits.component_most)

    def for_imports(self) -> Limits:
        """The limits of what is imported once for many roots."""
        return replace(self.limits, root_steps=self.whole)

    def for_root(self) -> Limits:
        """The limits of the next root: four times its share of what is left, so that the first do not take it all."""
        limits = self.limits
        share = max(4 * (self.whole - self.spent) // max(self.roots, 1), limits.spare_steps)
        return limits if share >= limits.root_steps else replace(limits, root_steps=share)

    def spend(self, steps: int) -> None:
        """A root has run."""
        self.spent += steps
        self.roots -= 1


@dataclass(slots=True)
class _Gathered:
    """What the runs of a component did, so far."""

    occurrences: list[Occurrence] = field(default_factory=list)
    recurrences: list[Recurrence] = field(default_factory=list)
    cuts: dict[tuple[str, Place], Cut] = field(default_factory=dict)
    executed: set[Module] = field(default_factory=set)
    reached: set[ast.AST] = field(default_factory=set)
    cut_functions: set[ast.AST] = field(default_factory=set)
    alone: dict[Module, Run] = field(default_factory=dict)
    """The runs of modules that stand alone."""
    steps: int = 0

    def add(self, trace: RootTrace, alone: Run | None) -> None:
        self.occurrences += trace.occurrences
        self.recurrences += trace.recurrences
        self.cuts.update(trace.cuts)
        self.executed |= trace.executed
        self.reached |= trace.called
        self.cut_functions |= trace.cut_functions
        if alone is not None:
            self.alone.update(dict.fromkeys(trace.executed, alone))

    def trace(self) -> Trace:
        return Trace(tuple(self.occurrences), tuple(self.recurrences), tuple(self.cuts.values()), self.steps)


def _run_root(run: Run, module: Module, name: str) -> RootTrace:
    before = len(run.instances)
    _run_module(run, module, name)
    left = [owner for owner in islice(run.instances, before, None) if owner in run.made_in_state]
    if left:
        _use_objects(run, module, left)
    _finish(run, module)
    return trace_of(run)


def _use_objects(run: Run, module: Module, owners: Sequence[ast.AST]) -> None:
    """Call what nobody called of the objects that a root made in a state of its own, as a later line of it might.

    They count as unreached all the same: how others use them is seen in the last pass.
    """
    called, cut = set(run.called), dict(run.cut_functions)
    made = [run.instances[owner] for owner in owners]
    spent, run.steps = run.steps, 0
    try:
        for function in [one for instance in made for one in _methods(run, instance)]:
            if function.node not in run.called:
                _reach(run, function)
                run.called.add(function.node)
                _restart(run, module)
    except OutOfSteps:
        run.cut("steps of a root", module.tree)
        _restart(run, module)
    run.steps += spent
    run.called, run.cut_functions = called, cut


def _methods(run: Run, instance: Object) -> list[Function]:
    """The public methods of the class of an object."""
    classes = instance.cls.mro() if instance.cls is not None else ()
    functions = (run.functions.get(node) for cls in classes for node in cls.node.body)
    return [function for function in functions if function is not None and not function.name.startswith("_")]


def _finish(run: Run, module: Module) -> None:
    """The library's own conclusions, with the steps of a root of their own."""
    spent, run.steps = run.steps, 0
    try:
        run.library.finish(run)
    except OutOfSteps:
        run.cut("steps of a root", module.tree)
        _restart(run, module)
    run.steps += spent
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
    run.store.forget_calls()
    del run.store.journals[run.store.kept_journals :]
    run.muted = run.trying = 0
    run.unrolled = 1
    run.expression_depth = 0
    run.exits.clear()


def _run_again(run: Run, modules: tuple[Module, ...]) -> Run:
    """The module bodies again, without events, each with the policy of a fresh process."""
    run.is_repeated = True
    for module in modules:
        run.library.start(run)
        run.muted, run.pending = 1, run.effects.copy()
        _run_module(run, module, "__main__" if len(modules) == 1 else module.name)
    run.is_repeated, run.pending = False, {}
    return run


def _last_pass(run: Run, modules: tuple[Module, ...], reached: set[ast.AST], seen: tuple[Occurrence, ...]) -> None:
    """Every function and class that no root reached."""
    _restart(run, modules[0])
    run.occurrences, run.recurrences, run.cuts = [], [], {}
    run.steps = run.store.overflows = 0
    run.limits = replace(run.limits, calm_steps=0)
    if all(node in reached for node in run.functions):
        return
    run.contexts.clear()
    run.spent.clear()
    run.memo.clear()
    run.dear_bodies.clear()
    run.called = set(reached)
    run.cut_functions.clear()
    waiting = [function for node, function in run.functions.items() if node not in run.called]
    _reach_all(run, [function for function in waiting if run.library.comes_first(function)], seen)
    seen = (*seen, *run.occurrences)
    named = _called_names(modules)
    for _ in range(MAX_ROUNDS):
        waiting = [function for node, function in run.functions.items() if node not in run.called]
        if not waiting:
            break
        # what others call has been called with their arguments by then, what tests call under the policies of the rest;
        # methods, such as a layer's `call`, are the library's to call, which knows more of the arguments than the text
        waiting.sort(key=lambda one: (run.library.is_test(one), one.owner is None and one.name in named))
        _reach_all(run, waiting, seen)
    _run_templates(run, reached, seen)
    _finish(run, modules[0])


def _called_names(modules: tuple[Module, ...]) -> frozenset[str]:
    """The names that are called somewhere, as the text tells: `name(` where it does not follow `def`."""
    return frozenset(name for module in modules for name in _CALLED.findall(module.document.text))


def _run_templates(run: Run, reached: set[ast.AST], seen: tuple[Occurrence, ...]) -> None:
    """Template methods that no root reached, once more: on an object of each heir that takes them as they are.

    What does not end within a few steps is as if it had not run.
    """
    limits, run.limits = run.limits, replace(run.limits, root_steps=run.limits.spare_steps)
    for function in [one for node, one in run.functions.items() if node not in reached]:
        for heir in heirs_to_run(run, function):
            run.library.start_last_pass(run, seen, function)
            run.contexts.clear()
            run.spent.clear()
            occurred, recurred, undo = len(run.occurrences), len(run.recurrences), run.library.mark()
            if not _guarded(run, function, heir):
                del run.occurrences[occurred:], run.recurrences[recurred:]
                undo()
    run.limits = limits


def _reach_all(run: Run, functions: Sequence[Function], seen: tuple[Occurrence, ...]) -> None:
    """Call functions that nothing has reached yet, each in the state that `seen` gives: none after another one."""
    for function in functions:
        if function.node not in run.called:
            if run.library.comes_first(function):
                # a program of its own: how often others called the same functions does not count
                run.contexts.clear()
                run.spent.clear()
            run.library.start_last_pass(run, seen, function)
            _guarded(run, function)


def _guarded(run: Run, function: Function, heir: Class | None = None) -> bool:
    """Call a function with the steps of a root: it is called for itself, as one; a method perhaps for an heir.

    False where it ran out of them.
    """
    earlier, run.steps, ended = run.steps, 0, True
    try:
        if heir is None:
            _reach(run, function)
        else:
            run.module = function.module
            _reach_on(run, function, heir, _receiver(run, heir, function))
    except OutOfSteps:
        ended = False
        if heir is None:
            run.cut("steps of a root", function.node)
    run.steps += earlier
    run.called.add(function.node)
    _restart(run, function.module)
    return ended


def _reach(run: Run, function: Function) -> None:
    """Call one function as somebody outside might."""
    run.module = function.module
    owner = function.owner
    if owner is None:
        call(run, function, _nothing(), function.node)
        return
    receiver = _receiver(run, owner, function)
    if function.node not in run.called:
        _reach_on(run, function, owner, receiver)


def _reach_on(run: Run, function: Function, owner: Class, receiver: Object) -> None:
    """Call a method of an object, or of its class, as somebody outside might."""
    bound: Value = function
    if "staticmethod" not in function.marks:
        bound = Bound(function, owner if "classmethod" in function.marks else receiver)
    if not run.library.reach(run, function, receiver):
        call(run, bound, _nothing(), function.node)


def _receiver(run: Run, owner: Class, function: Function) -> Object:
    """An instance to call a method on: one of the class that the program made, or of an heir that takes the method."""
    made = run.instances.get(owner.node) or run.heirs.get(owner.node)
    if made is not None and not _takes(made, function):
        made = next((one for one in run.instances.values() if _takes(one, function)), made)
    if made is None:
        instantiate(run, owner, _nothing(), owner.node)
        made = run.instances[owner.node]
    return made


def _takes(instance: Object, function: Function) -> bool:
    """Whether the class of an instance has a method as its owner wrote it, and not one of its own instead."""
    for cls in instance.cls.mro() if instance.cls is not None else ():
        if function.owner is not None and cls.node is function.owner.node:
            return True
        if any(isinstance(node, FUNCTIONS) and node.name == function.name for node in cls.node.body):
            return False
    return False


def _nothing() -> Arguments:
    return Arguments(open_positional=True, open_keywords=True)
