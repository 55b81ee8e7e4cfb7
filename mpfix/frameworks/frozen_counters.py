"""Updates in traced code behind a test that tracing decides: of a Python number, or of a tensor nobody converts."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from mpfix.frameworks.keys import canonical
from mpfix.frameworks.sums import is_variable
from mpfix.frameworks.surroundings import (
    FunctionNode,
    calls_on_the_way,
    fit_calls,
    function_around,
    holds,
    is_traced,
    traced_functions,
)
from mpfix.frameworks.windows import MAX_DEPTH, Update, updates
from mpfix.semantic.guards import Equal, Every
from mpfix.semantic.program import Program, fact
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Loop, LoopKey, Unknown, Value

EAGER = frozenset(
    {"tensorflow.config.run_functions_eagerly", "tensorflow.config.experimental_run_functions_eagerly",
     "tensorflow.compat.v1.disable_eager_execution"}
)  # fmt: skip

CONDITIONALS = frozenset(
    {"tensorflow.cond", "tensorflow.case", "tensorflow.switch_case", "keras.ops.cond", "keras.ops.switch"}
)


@dataclass(frozen=True)
class FrozenTest:
    """The test of a window in traced code; `name` is the counter, `raises` where the test is of a tensor."""

    update: Update
    place: Place
    name: str
    tracer: Place
    raises: bool


@fact
def frozen_tests(program: Program) -> tuple[FrozenTest, ...]:
    """The updates whose window is decided while the code is traced, and never again."""
    if _may_run_eagerly(program):
        return ()
    found = (_frozen(program, update) for update in updates(program) if update.window)
    return tuple(one for one in found if one is not None)


def _frozen(program: Program, update: Update) -> FrozenTest | None:
    if not is_traced(program, update.occurrence):
        return None
    inner, is_converted = _traced_part(program, update)
    if not inner:
        return None
    module = update.occurrence.place.module
    tracer = Place(module, inner[0])
    tests = _tests(inner, update)
    numbers = [one for one in _counters(update) if isinstance(one, Loop)]
    if any(is_variable(one) for one in _counters(update)):
        around = [one for one in tests if _reads(one)]
        if is_converted or not around or _is_chosen_by_call(program, update):
            return None
        return FrozenTest(update, Place(module, around[-1]), "", tracer, True)
    names = {one.name for one in numbers if _is_outside(one.loop, inner)} | _targets(update, inner)
    for test in (*reversed(tests), *_other_tests(inner)):
        free = [name for name in _reads(test) if name in names and not _is_parameter(name, test, inner)]
        if free:
            return FrozenTest(update, Place(module, test), free[0], tracer, False)
    return None


def _traced_part(program: Program, update: Update) -> tuple[tuple[FunctionNode, ...], bool]:
    """The functions that run while tracing, outermost first, and whether conditions of tensors are converted there."""
    way = calls_on_the_way(program, update.occurrence)
    for index, function in enumerate(way):
        if function in traced_functions(program):
            return way[index:], True
    places = (*update.occurrence.chain, update.occurrence.place)
    start = next((index for index, place in enumerate(places) if _starts_fit(program, place)), None)
    if start is None:
        return (), False
    around = [function_around(program, place) for place in places[start + 1 :]]
    return tuple(dict.fromkeys(one for one in around if one is not None)), False


def _starts_fit(program: Program, place: Place) -> bool:
    return place in fit_calls(program) or isinstance(place.node, ast.FunctionDef)


def _is_chosen_by_call(program: Program, update: Update) -> bool:
    """Whether a conditional of the library leads to the update: the `if`s around it may test plain values."""
    calls = [one.node for one in update.occurrence.chain if isinstance(one.node, ast.Call)]
    return any(
        canonical(use.qualified).name in CONDITIONALS and any(use.call is one for one in calls)
        for module in program.names
        for use in module.names.uses
        if use.call is not None
    )


# -- what a window depends on


def _counters(update: Update) -> tuple[Value, ...]:
    """The values in the tests of a window that are other ones in each iteration."""
    return tuple(dict.fromkeys(one for condition, _ in sorted(update.window, key=str) for one in _leaves(condition)))


def _leaves(condition: Hashable, depth: int = 0) -> Iterator[Value]:
    if depth > MAX_DEPTH:
        return
    match condition:
        case Loop():
            yield condition
        case Equal(subject=subject):
            yield from _leaves(subject, depth + 1)
        case Every(guard=guard):
            for inner, _ in guard:
                yield from _leaves(inner, depth + 1)
        case Unknown():
            for part in condition.origin[1:]:
                yield from _leaves(part, depth + 1)
        case Value() if is_variable(condition):
            yield condition


def _is_outside(loop: LoopKey, inner: tuple[FunctionNode, ...]) -> bool:
    """Whether a loop goes on around what is traced, and not within it."""
    return all(one is loop.place.node or not _is_within(one, loop.place.node) for one in inner)


def _is_within(function: ast.AST, node: ast.AST) -> bool:
    return any(one is node for one in ast.walk(function))


def _targets(update: Update, inner: tuple[FunctionNode, ...]) -> set[str]:
    """The names that the loop around traced code gives its steps, where the window counts those."""
    counts = any(_is_iteration(condition) for condition, _ in update.window)
    loop = update.loop
    if not counts or loop is None or not isinstance(loop.place.node, ast.For) or not _is_outside(loop, inner):
        return set()
    return {one.id for one in ast.walk(loop.place.node.target) if isinstance(one, ast.Name)}


def _is_iteration(condition: Hashable, depth: int = 0) -> bool:
    match condition:
        case Equal(subject=subject):
            return _is_iteration(subject, depth + 1)
        case Unknown(origin=("iteration", *_)):
            return True
        case Unknown() if depth < MAX_DEPTH:
            return any(_is_iteration(part, depth + 1) for part in condition.origin[1:])
    return False


# -- tests in the text


def _tests(inner: tuple[FunctionNode, ...], update: Update) -> list[ast.expr]:
    """The tests of the `if`s around an update or the calls that lead to it, outermost first."""
    places = [*update.occurrence.chain, update.occurrence.place]
    return [
        node.test
        for function in inner
        for node in ast.walk(function)
        if isinstance(node, ast.If) and any(holds(function, one.node) and _is_in_body(node, one) for one in places)
    ]


def _is_in_body(node: ast.If, place: Place) -> bool:
    return any(holds(statement, place.node) for statement in (*node.body, *node.orelse))


def _other_tests(inner: tuple[FunctionNode, ...]) -> list[ast.expr]:
    """All tests, such as those of early returns."""
    return [one.test for function in inner for one in ast.walk(function) if isinstance(one, ast.If)]


def _reads(test: ast.expr) -> list[str]:
    """The names and attributes that a test reads."""
    nodes = list(ast.walk(test))
    return [one.attr for one in nodes if isinstance(one, ast.Attribute)] + [
        one.id for one in nodes if isinstance(one, ast.Name)
    ]


def _is_parameter(name: str, test: ast.expr, inner: tuple[FunctionNode, ...]) -> bool:
    """Whether the test reads a parameter of a traced function: each new number is traced anew."""
    is_attribute = any(isinstance(one, ast.Attribute) and one.attr == name for one in ast.walk(test))
    parameters = {
        one.arg
        for function in inner
        for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    }
    return not is_attribute and name in parameters


# -- eager execution


@fact
def _may_run_eagerly(program: Program) -> bool:
    """Whether the program may have traced functions run as plain Python."""
    if any(canonical(use.qualified).name in EAGER for module in program.names for use in module.names.uses):
        return True
    return any(_asks_for_eager(node) for module in program.modules for node in ast.walk(module.tree))


def _asks_for_eager(node: ast.AST) -> bool:
    match node:
        case ast.keyword(arg="run_eagerly", value=ast.Constant(value=False | None)):
            return False
        case ast.keyword(arg="run_eagerly"):
            return True
        case ast.Attribute(attr="run_eagerly", ctx=ast.Store()) | ast.Constant(value="run_eagerly"):
            return True
    return False
