"""How tapes are used: the gradients taken from each, whether it stays where it is, and what records what."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.frameworks.events import GradientsGiven, GradientTaken, TapeGiven, TapeOpened
from mpfix.frameworks.surroundings import (
    FunctionNode,
    function_around,
    functions_by_module,
    is_traced,
    scope_around,
)
from mpfix.record import record
from mpfix.semantic.guards import Guard, is_maybe, relative
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import Object, Record

TAPE_METHODS = frozenset(
    {"gradient", "jacobian", "batch_jacobian", "watch", "watched_variables", "reset", "stop_recording"}
)
TAKING = frozenset({"gradient", "jacobian", "batch_jacobian"})
FILLING = frozenset({"append", "extend", "insert", "add", "update"})


@record
class Recording:
    """One entry into a tape's block, with the gradients that are taken from it until the tape is opened again."""

    opened: Occurrence
    tape: Object
    gradients: tuple[Occurrence, ...]


def guard_of(gradient: Occurrence, recording: Recording) -> Guard:
    """When a gradient is taken; where a bound took literals from the tape's guard, what it says beyond that one.

    Whether the tape is ever opened is not what the two have to do with each other.
    """
    opened = recording.opened.guard
    return relative(gradient.guard, opened) if is_maybe(opened) else gradient.guard


@fact
def recordings(program: Program) -> tuple[Recording, ...]:
    """Every entry into a tape's block, in order."""
    found: list[tuple[Occurrence, Object, list[Occurrence]]] = []
    latest: dict[Object, int] = {}
    for occurrence in program.happened(TapeOpened, GradientTaken):
        event = occurrence.event
        if isinstance(event, TapeOpened):
            latest[event.tape] = len(found)
            found.append((occurrence, event.tape, []))
        elif isinstance(event, GradientTaken) and isinstance(event.tape, Object) and event.tape in latest:
            found[latest[event.tape]][2].append(occurrence)
    return tuple(Recording(opened, tape, tuple(gradients)) for opened, tape, gradients in found)


def taken_once(program: Program, recording: Recording) -> Occurrence | None:
    """The gradient that surely is the only one taken from a tape; None where there may be others, or none."""
    if len(recording.gradients) != 1:
        return None
    gradient = recording.gradients[0]
    assert isinstance(gradient.event, GradientTaken)
    same_loops = gradient.loops == recording.opened.loops
    once = same_loops and not gradient.event.again and not _is_repeated(program, recording.opened, gradient)
    return gradient if once and stays(program, recording) else None


def _is_repeated(program: Program, opened: Occurrence, gradient: Occurrence) -> bool:
    """Whether a library may call the function that takes the gradient, or a comprehension repeats it."""
    links = gradient.chain[len(opened.chain) :] if gradient.chain[: len(opened.chain)] == opened.chain else ()
    for call, place in zip(links, (*links[1:], gradient.place), strict=False):
        function = function_around(program, place)
        if not _calls_by_name(call.node, function):
            return True
    return any(_in_comprehension(scope_around(program, place), place.node) for place in (*links, gradient.place))


def _calls_by_name(call: ast.AST, function: FunctionNode | None) -> bool:
    """Whether a call names the function that it runs, which is therefore no callback."""
    if not isinstance(call, ast.Call) or not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    return (_name(call.func) or "").lstrip(".") == function.name or function.name == "__call__"


def _in_comprehension(scope: ast.AST, node: ast.AST) -> bool:
    kinds = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    return any(
        isinstance(one, kinds) and any(inner is node for inner in ast.walk(one) if inner is not one.generators[0].iter)
        for one in ast.walk(scope)
    )


def stays(program: Program, recording: Recording) -> bool:
    """Whether a tape is used under its own name only: not stored, not returned, not given to unknown code."""
    if recording.tape in given_tapes(program) or recording.tape.summary:
        return False
    place = recording.opened.place
    name = tape_name(program, place)
    return name is not None and _is_kept(program, name, place.module, scope_around(program, place), 3)


@fact
def given_tapes(program: Program) -> frozenset[Object]:
    """Tapes that code outside the project gets hold of."""
    return frozenset(o.event.tape for o in program.happened(TapeGiven) if isinstance(o.event, TapeGiven))


def tape_name(program: Program, place: Place) -> str | None:
    """The name or attribute that a `with` gives to the tape it opens at `place`, or opens by."""
    for node in ast.walk(scope_around(program, place)):
        if isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if item.context_expr is place.node:
                    return _name(item.optional_vars or item.context_expr)
    return None


def is_deleted(program: Program, recording: Recording) -> bool:
    """Whether the tape's name is deleted somewhere in the function that opens it."""
    name = tape_name(program, recording.opened.place)
    scope = scope_around(program, recording.opened.place)
    targets = (target for node in ast.walk(scope) if isinstance(node, ast.Delete) for target in node.targets)
    return any(_name(target) == name for target in targets)


def _name(node: ast.AST | None) -> str | None:
    """A variable's name, an attribute's name with a dot before it; None for other expressions."""
    if isinstance(node, ast.Name):
        return node.id
    return f".{node.attr}" if isinstance(node, ast.Attribute) else None


def _is_kept(program: Program, name: str, module: Module, scope: ast.AST, depth: int) -> bool:
    """Whether every use of a name keeps the tape where it is, also in the functions that it is passed to."""
    if name.startswith("."):
        scope = module.tree
    return all(_keeps(program, module, parent, child, depth) for parent, child in _uses(scope, name))


def _uses(scope: ast.AST, name: str) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Each read of a name with the node around it; functions that bind the name themselves are left out."""
    pending: list[tuple[ast.AST, ast.AST]] = [(scope, scope)]
    while pending:
        around, parent = pending.pop()
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, FunctionNode) and _binds(child, name):
                continue
            pending.append((parent, child))
            if _name(child) == name and isinstance(getattr(child, "ctx", None), ast.Load):
                yield (around if isinstance(parent, ast.keyword) else parent), child


def _binds(function: FunctionNode, name: str) -> bool:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    if any(one is not None and one.arg == name for one in every):
        return True
    return any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in ast.walk(function))


def _keeps(program: Program, module: Module, parent: ast.AST, use: ast.AST, depth: int) -> bool:
    if isinstance(parent, ast.Attribute):
        return parent.attr in TAPE_METHODS
    if isinstance(parent, ast.Call) and depth:
        found = [one for one in functions_by_module(program).get(module, ()) if _calls_by_name(parent, one)]
        parameters = [(one, _parameter(parent, use, one)) for one in found]
        return bool(found) and all(
            name is not None and _is_kept(program, name, module, one, depth - 1) for one, name in parameters
        )
    return isinstance(parent, ast.withitem)


def _parameter(call: ast.Call, argument: ast.AST, function: FunctionNode) -> str | None:
    """The parameter of a function that a call passes an argument to."""
    for keyword in call.keywords:
        if keyword.value is argument:
            return keyword.arg
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    if isinstance(call.func, ast.Attribute) and names[:1] in (["self"], ["cls"]):
        names = names[1:]
    position = next((index for index, one in enumerate(call.args) if one is argument), len(names))
    return names[position] if position < len(names) else None


# -- backward passes that are recorded


@record
class RecordedBackward:
    """A gradient taken while `recorder` records: `place` is where the recorder's block is left too late."""

    gradient: Occurrence
    recorder: Recording
    place: Place
    harmless: bool
    """Only the tape's own block is open and the tape closes itself, or the code is traced."""


@fact
def recorded_backwards(program: Program) -> tuple[RecordedBackward, ...]:
    """Gradients taken inside the block of a tape that records, where nobody differentiates them again."""
    return tuple(one for recording in recordings(program) for one in _recorded(program, recording))


def _recorded(program: Program, recording: Recording) -> Iterator[RecordedBackward]:
    for gradient in recording.gradients:
        assert isinstance(gradient.event, GradientTaken)
        recorder = _recorder(program, recording, gradient)
        if recorder is None or _is_second_order(program, recorder, gradient):
            continue
        depth = len(recorder.opened.chain)
        if gradient.chain[:depth] != recorder.opened.chain:
            continue
        place = gradient.chain[depth] if len(gradient.chain) > depth else gradient.place
        harmless = not gradient.event.recorders or is_traced(program, gradient)
        yield RecordedBackward(gradient, recorder, place, harmless)


def _recorder(program: Program, own: Recording, gradient: Occurrence) -> Recording | None:
    """The recording that takes up a backward pass; an ordinary tape's own, where no other does."""
    event = gradient.event
    assert isinstance(event, GradientTaken)
    if not event.recorders:
        return own if getattr(event.inside, "value", False) is True else None
    tape = own.tape if own.tape in event.recorders else event.recorders[-1]
    earlier = [one for one in recordings(program) if one.tape == tape and one.opened.order < gradient.order]
    return earlier[-1] if earlier else None


def _is_second_order(program: Program, recorder: Recording, gradient: Occurrence) -> bool:
    """Whether the gradient may be differentiated again, or goes into unknown code while a tape records."""
    given = (o.event.gradients for o in program.happened(GradientsGiven) if isinstance(o.event, GradientsGiven))
    if any(isinstance(one, Record) and getattr(one.get("taken"), "place", None) == gradient.place for one in given):
        return True
    depth = len(recorder.opened.chain)
    marked: set[ast.AST] = {gradient.place.node}
    for place in reversed((*gradient.chain[depth:], gradient.place)):
        scope = scope_around(program, place)
        marked = {place.node} if place is not gradient.place else marked
        names = _tainted(scope, marked)
        if _is_differentiated(program, scope, marked, names):
            return True
        if not _returns(scope, marked, names):
            return False
    return False


def _tainted(scope: ast.AST, marked: set[ast.AST]) -> frozenset[str]:
    """Names that may hold something computed from marked nodes, whatever the order of the statements."""
    names: frozenset[str] = frozenset()
    flows = [flow for node in ast.walk(scope) for flow in _flows(node)]
    while True:
        found = set(names)
        for target, value in flows:
            if _reads(value, marked, names):
                found |= set(_stored(target))
        if found == names:
            return names
        names = frozenset(found)


def _flows(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """What a statement writes to, and what it writes there."""
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        yield node.target, node.iter
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FILLING:
        yield from ((node.func.value, argument) for argument in node.args)


def _stored(target: ast.AST) -> Iterator[str]:
    """The names that a target binds; for an item or a container that is filled, the container's."""
    if isinstance(target, (ast.Tuple, ast.List)):
        for one in target.elts:
            yield from _stored(one)
    elif isinstance(target, (ast.Subscript, ast.Starred)):
        yield from _stored(target.value)
    elif (name := _name(target)) is not None:
        yield name


def _reads(node: ast.AST, marked: set[ast.AST], names: frozenset[str]) -> bool:
    return any(one in marked or (_name(one) in names and _name(one) is not None) for one in ast.walk(node))


def _is_differentiated(program: Program, scope: ast.AST, marked: set[ast.AST], names: frozenset[str]) -> bool:
    for node in ast.walk(scope):
        if isinstance(node, ast.Call) and any(_reads(one, marked, names) for one in _targets(program, node)):
            return True
    return False


def _targets(program: Program, call: ast.Call) -> list[ast.expr]:
    """What a call differentiates: the target of a gradient, or anything it passes to a function that takes one."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in TAKING:
        return [*call.args[:1], *(one.value for one in call.keywords if one.arg in ("target", None))]
    if call in calls_that_take(program):
        return [*call.args, *(one.value for one in call.keywords)]
    return []


@fact
def calls_that_take(program: Program) -> frozenset[ast.AST]:
    """Calls of the project's functions during which a gradient is taken."""
    return frozenset(link.node for occurrence in program.happened(GradientTaken) for link in occurrence.chain)


def _returns(scope: ast.AST, marked: set[ast.AST], names: frozenset[str]) -> bool:
    if isinstance(scope, ast.Lambda):
        return _reads(scope.body, marked, names)
    returned = (one.value for one in ast.walk(scope) if isinstance(one, (ast.Return, ast.Yield, ast.YieldFrom)))
    return any(_reads(one, marked, names) for one in returned if one is not None)
