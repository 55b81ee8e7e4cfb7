"""Calls: binding of arguments, contexts and their bounds, reuse of results, classes and methods, callbacks."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from mpfix.record import record
from mpfix.semantic.containers import mark_unknown
from mpfix.semantic.exits import RAISE, RETURN, Exit, leave, narrow, take
from mpfix.semantic.guards import TRUE, Guard
from mpfix.semantic.instances import call_method, class_attribute, instantiate
from mpfix.semantic.run import Occurrence, Recurrence, Run
from mpfix.semantic.signatures import is_misfit
from mpfix.semantic.store import Box, Cells, Frame
from mpfix.semantic.texts import is_text, widened_text
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Bound,
    Choice,
    Class,
    Constant,
    Function,
    Library,
    Loop,
    Object,
    Partial,
    Sequence,
    Unknown,
    Value,
    derived,
)

_KEPT_APART = (Object, Function, Bound, Partial)
"""What a choice between keeps its alternatives, however often a function is called."""

_HOLDS_FUNCTIONS = (Function, Bound, Choice)
_SCALARS = (Constant, Unknown)

REMEMBERED_RESULTS = 2
"""How many results with different footprints are kept for one context."""


def call_as_written(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> Value:
    """Call a value as the source does: where the arguments surely do not fit, Python raises and the path ends."""
    if type(function) is Choice:
        if any(is_misfit(run, one, arguments) for _, one in function):
            return run.each(function, lambda one: call_as_written(run, one, _restricted(run, arguments), node))
    elif is_misfit(run, function, arguments):
        leave(run, RAISE, None, Library("builtins.TypeError"))
        return _never(run, function)
    return call(run, function, arguments, node)


def _never(run: Run, function: Value) -> Unknown:
    """What a call gives that raises: the function has a caller all the same, none that makes its body run."""
    missed = function.function if isinstance(function, Bound) else function
    if isinstance(missed, Function):
        run.called.add(missed.node)
    return Unknown(("never",), "nothing")


def call(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> Value:
    """Call a value; for a choice each alternative with the arguments as seen under its guard."""
    run.step()
    if not isinstance(function, Choice):
        return _call_one(run, function, arguments, node)
    if all(isinstance(one, Unknown) for _, one in function):
        # whichever it is that nobody sees, it may call what it is given: once says it all
        made = run.each(function, lambda one: _call_unseen(run, one, _restricted(run, arguments), node))
        call_back(run, arguments, node)
        return made
    return run.each(function, lambda one: _call_one(run, one, _restricted(run, arguments), node))


def _restricted(run: Run, arguments: Arguments) -> Arguments:
    return Arguments(
        tuple(run.restrict(value) for value in arguments.positional),
        tuple((name, run.restrict(value)) for name, value in arguments.keywords),
        arguments.open_positional,
        arguments.open_keywords,
    )


def _call_one(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> Value:
    if type(function) is Loop:
        function = function.widened
    if type(function) is Library or type(function) is Unknown:
        return _call_outside(run, function, arguments, node)
    match function:
        case Function():
            return invoke(run, function, arguments, node)
        case Bound(function=Function() as method, receiver=receiver):
            return invoke(run, method, arguments.after(receiver), node)
        case Partial():
            given = {name for name, _ in arguments.keywords}
            kept = tuple(pair for pair in function.keywords if pair[0] not in given)
            joined = replace(
                arguments, positional=function.positional + arguments.positional, keywords=kept + arguments.keywords
            )
            return call(run, function.function, joined, node)
        case Class():
            return instantiate(run, function, arguments, node)
        case Object(cls=Class()):
            found = call_method(run, function, "__call__", arguments, node)
            if found is not None:
                return found
    return _call_outside(run, function, arguments, node)


def _call_outside(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> Value:
    """A call of a library name, a framework object or an unknown value."""
    from mpfix.semantic.builtins import call_python

    found = call_python(run, function, arguments, node) if not isinstance(function, Unknown) else None
    if found is None:
        found = run.library.call(run, function, arguments, node)
    if found is not None:
        return found
    call_back(run, arguments, node)
    return _made_unseen(run, function, arguments, node)


def _call_unseen(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> Value:
    """As `_call_outside`, for a value that nobody knows, without what it may call."""
    found = run.library.call(run, function, arguments, node)
    return found if found is not None else _made_unseen(run, function, arguments, node)


def _made_unseen(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> Unknown:
    """What a call gives that nobody knows."""
    text = f"{function}()" if not isinstance(function, Unknown) or function.depth < 6 else "()"
    return derived("call", (function, *_plain(arguments), run.place(node)), text)


def _plain(arguments: Arguments) -> tuple[Value, ...]:
    """The arguments that tell one call of an unknown function from another."""
    return tuple([value for value in arguments.values() if isinstance(value, _SCALARS)][:4])


def call_back(run: Run, arguments: Arguments, node: ast.AST) -> tuple[Value, ...]:
    """Functions of the project that somebody unseen received are called with unknown arguments; what they gave."""
    found: list[Value] = []
    for value in arguments.values():
        if not isinstance(value, _HOLDS_FUNCTIONS):
            continue
        for _, target in value if isinstance(value, Choice) else ((TRUE, value),):
            if isinstance(target.function if isinstance(target, Bound) else target, Function):
                found.append(call(run, target, Arguments(open_positional=True, open_keywords=True), node))
    return tuple(found)


# -- classes


# -- functions


@dataclass(slots=True)
class Contexts:
    """How one function was called: the contexts, and the arguments alone (a loop that is learnt repeats calls)."""

    keys: set[object] = field(default_factory=set)
    arguments: set[object] = field(default_factory=set)

    def copy(self) -> Contexts:
        """The same contexts, to grow apart."""
        return Contexts(self.keys.copy(), self.arguments.copy())


@record
class Result:
    """What a call gave and did, to be replayed for equal arguments and unchanged outside cells."""

    reads: tuple[tuple[Box, str, Cells | None], ...]
    writes: tuple[tuple[Box, str, Cells | None], ...]
    occurrences: tuple[Occurrence, ...]
    recurrences: tuple[Recurrence, ...]
    depth: int
    value: Value
    exits: tuple[Exit, ...]


def invoke(run: Run, function: Function, arguments: Arguments, node: ast.AST) -> Value:
    """Run a function's body with arguments, or replay what an equal call did."""
    code = function.node
    if run.stack.count(code) >= run.limits.repeats:
        return _cut_call(run, function, arguments, node, "recursion")
    if len(run.stack) >= run.limits.call_depth:
        return _cut_call(run, function, arguments, node, "call depth")
    contexts = run.contexts.get(code)
    if contexts is None:
        contexts = run.contexts[code] = Contexts()
    key = _key(run, function, arguments)
    if key not in contexts.keys:
        if len(contexts.arguments) >= run.limits.exact_contexts:
            arguments = _widened(run, function, arguments)
            key = _key(run, function, arguments)
        if key not in contexts.keys and _called_too_often(run, code, len(contexts.keys)):
            return _cut_call(run, function, arguments, node, "contexts of a function")
        contexts.keys.add(key)
        contexts.arguments.add(arguments)
    run.called.add(code)
    path, mark = run.path, len(run.exits)
    result = _remembered(run, key) if run.reuse else None
    value = _execute(run, function, arguments, node, key) if result is None else _replay(run, result, node)
    if len(run.exits) > mark:
        narrow(run, path, mark)
    return value


def _remembered(run: Run, key: object) -> Result | None:
    """What an equal call did when all that it read was as it is now."""
    for result in run.memo.get(key, ()):
        if all(box.cells.get(name) is cells for box, name, cells in result.reads):
            return result
    return None


def _key(run: Run, function: Function, arguments: Arguments) -> object:
    return (function.node, function.frame.box.serial, run.path, run.loops, run.muted > 0, run.trying > 0, arguments)


def _called_too_often(run: Run, code: ast.AST, contexts: int) -> bool:
    return (
        contexts >= run.limits.contexts
        and run.spent[code] >= run.limits.function_steps
        and run.steps >= run.limits.calm_steps
    )


def _cut_call(run: Run, function: Function, arguments: Arguments, node: ast.AST, bound: str) -> Value:
    run.cut(bound, node)
    run.cut_functions.setdefault(function.node, function)
    for value in arguments.values():
        for _, one in value if isinstance(value, Choice) else ((TRUE, value),):
            mark_unknown(run, one)
    return run.cut_value(node)


def _execute(run: Run, function: Function, arguments: Arguments, node: ast.AST, key: object) -> Value:
    made, cuts, begun = run.objects_made, run.times_cut, run.steps
    occurred, recurred, depth, left = len(run.occurrences), len(run.recurrences), len(run.chain), len(run.exits)
    footprint = run.store.begin_call()
    try:
        value = _run_body(run, function, arguments, node)
    finally:
        run.store.end_call()
        run.spent[function.node] += run.steps - begun
    if run.reuse and run.objects_made == made and run.times_cut == cuts:
        results = run.memo.setdefault(key, [])
        if len(results) < REMEMBERED_RESULTS:
            results.append(
                Result(
                    tuple(footprint.reads.values()),
                    tuple((box, name, box.cells.get(name)) for box, name in footprint.writes.values()),
                    tuple(run.occurrences[occurred:]),
                    tuple(run.recurrences[recurred:]),
                    depth,
                    value,
                    tuple(run.exits[left:]),
                )
            )
    return value


def _replay(run: Run, result: Result, node: ast.AST) -> Value:
    run.reused += 1
    for box, name, _ in result.reads:
        run.store.read(box, name)
    for box, name, cells in result.writes:
        run.store.replace(box, name, cells)
    chain = (*run.chain, run.place(node))
    for occurrence in result.occurrences:
        moved = chain + occurrence.chain[result.depth + 1 :]
        run.occurrences.append(replace(occurrence, chain=moved, order=len(run.occurrences)))
    run.recurrences.extend(result.recurrences)
    run.exits.extend(result.exits)
    return result.value


def _run_body(run: Run, function: Function, arguments: Arguments, node: ast.AST) -> Value:
    """The value a call returns."""
    frame = _bound_frame(run, function, arguments, node)
    saved = (run.path, run.module, run.chain, run.expression_depth)
    run.chain = (*run.chain, run.place(node))
    run.module, run.expression_depth = function.module, 0
    run.stack.append(function.node)
    try:
        return run_function_body(run, function, frame, saved[0])
    finally:
        run.stack.pop()
        run.path, run.module, run.chain, run.expression_depth = saved


def run_function_body(run: Run, function: Function, frame: Frame, entry: Guard) -> Value:
    """Run the body in a bound frame, entered under `entry`; the value that it returns."""
    from mpfix.semantic.expressions import evaluate
    from mpfix.semantic.statements import execute_block

    if isinstance(function.node, ast.Lambda):
        return evaluate(run, function.node.body, frame)
    mark = len(run.exits)
    falls = execute_block(run, function.node.body, frame)
    take(run, mark, (RETURN,), frame)
    returns = list(frame.returns)
    if falls:
        returns.append((run.path - entry, NONE))
    if frame.yields:
        return Sequence(tuple(dict.fromkeys(frame.yields)), True)
    if "generator" in function.marks:
        return Sequence((), True)
    with run.on_path(entry):
        value = run.merge(returns)
    return value if value is not None else Unknown(("never",), "nothing")


def _bound_frame(run: Run, function: Function, arguments: Arguments, node: ast.AST) -> Frame:
    frame = Frame("function", run.store.new_box(run.path), function.module, function.frame, function)
    for name, value in bind(run, function, arguments, node):
        run.store.write(frame.box, name, value, run.path, literals=run.limits.guard_literals)
    return frame


def bind(run: Run, function: Function, arguments: Arguments, node: ast.AST) -> list[tuple[str, Value]]:
    """Parameters with their values; one that surely is not passed and has no default is unknown too."""
    spec = function.node.args
    positional = [parameter.arg for parameter in spec.posonlyargs + spec.args]
    names = positional + [parameter.arg for parameter in spec.kwonlyargs]
    defaults = dict(function.defaults)
    bound: list[tuple[str, Value]] = []
    for index, name in enumerate(names):
        value = arguments.keyword(name)
        if value is None and index < len(positional) and index < len(arguments.positional):
            value = arguments.positional[index]
        if value is None:
            is_open = arguments.open_keywords or (arguments.open_positional and index < len(positional))
            value = defaults.get(name) if not is_open else None
        bound.append((name, value if value is not None else parameter_unknown(function, name)))
    if spec.vararg:
        rest = arguments.positional[len(positional) :]
        bound.append((spec.vararg.arg, Sequence(rest, arguments.open_positional)))
    if spec.kwarg:
        bound.append((spec.kwarg.arg, _keyword_rest(run, arguments, names, node)))
    return bound


def _keyword_rest(run: Run, arguments: Arguments, names: list[str], node: ast.AST) -> Value:
    from mpfix.semantic.containers import new_dict
    from mpfix.semantic.values import Mapping

    rest = tuple((Constant(name), value) for name, value in arguments.keywords if name not in names)
    return new_dict(run, Mapping(rest, arguments.open_keywords), node)


def parameter_unknown(function: Function, name: str) -> Unknown:
    """The unknown that stands for a parameter nobody passed a known value for."""
    return Unknown(("parameter", function.node, name), name)


def _cut_parameter(function: Function, name: str, value: Value) -> Unknown:
    """The parameter of a function that was called too often to tell its arguments apart; its type is still known."""
    alternatives = [one for _, one in value] if isinstance(value, Choice) else [value]
    if all(is_text(one) for one in alternatives):
        return widened_text(("parameter", function.node, name), name)
    return Unknown(("parameter", function.node, name, "widened"), name, cut=True)


def _widened(run: Run, function: Function, arguments: Arguments) -> Arguments:
    """Numbers and free strings become unknown, so that the contexts of a function stay few."""

    def widen(value: Value, name: str) -> Value:
        if isinstance(value, Constant) and not (
            value.value is None or isinstance(value.value, bool) or value.value in run.library.kept_words
        ):
            return _cut_parameter(function, name, value)
        if isinstance(value, Choice) and not any(isinstance(v, _KEPT_APART) for _, v in value):
            return _cut_parameter(function, name, value)
        if isinstance(value, Sequence):
            return Sequence(tuple(widen(item, f"{name}[{i}]") for i, item in enumerate(value.items)), value.open)
        return value

    parameters = [p.arg for p in function.node.args.posonlyargs + function.node.args.args]
    names = parameters + [f"*{i}" for i in range(len(arguments.positional))]
    return replace(
        arguments,
        positional=tuple(widen(value, name) for value, name in zip(arguments.positional, names, strict=False)),
        keywords=tuple((name, widen(value, name)) for name, value in arguments.keywords),
    )


__all__ = ["bind", "call", "call_back", "call_method", "class_attribute", "instantiate", "invoke", "parameter_unknown"]
