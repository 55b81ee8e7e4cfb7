"""What stands around a place in the text: function, statements and blocks, and whether `tf.function` traces it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.frameworks.events import Fitted
from mpfix.frameworks.keys import canonical
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Module, Place

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
TRACERS = frozenset({"tensorflow.function", "tensorflow.compat.v1.function"})
TRACED_BY_FIT = frozenset({"train_step", "test_step", "predict_step"})


@fact
def functions_by_module(program: Program) -> dict[Module, tuple[FunctionNode, ...]]:
    """Every function and lambda of each module."""
    return {
        module: tuple(node for node in ast.walk(module.tree) if isinstance(node, FunctionNode))
        for module in program.modules
    }


def span(node: ast.AST) -> tuple[tuple[int, int], tuple[int, int]]:
    """Start and end of a node as (line, column)."""
    start = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
    return start, (getattr(node, "end_lineno", None) or start[0], getattr(node, "end_col_offset", None) or start[1])


def holds(outer: ast.AST, inner: ast.AST) -> bool:
    """Whether the text of `inner` lies within that of `outer`."""
    (start, end), (inner_start, inner_end) = span(outer), span(inner)
    return start <= inner_start and inner_end <= end


def function_around(program: Program, place: Place) -> FunctionNode | None:
    """The innermost function whose body or decorators hold a place; None at module level."""
    around = [one for one in functions_by_module(program).get(place.module, ()) if one is not place.node]
    return max((one for one in around if holds(one, place.node)), key=lambda one: span(one)[0], default=None)


def scope_around(program: Program, place: Place) -> ast.AST:
    """The function around a place, or its module."""
    return function_around(program, place) or place.module.tree


def statements_around(scope: ast.AST, node: ast.AST) -> list[ast.stmt]:
    """The statements that hold a node, outermost first."""
    found: list[ast.stmt] = []
    inner = scope
    while True:
        children = (one for one in _statements(inner) if holds(one, node))
        child = next(children, None)
        if child is None:
            return found
        found.append(child)
        inner = child


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements directly in the blocks of a node."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            yield from _statements(child)


def is_read_nowhere(program: Program, place: Place) -> bool:
    """Whether the statement around a place gives a name that its function never reads."""
    scope = scope_around(program, place)
    statement = next(iter(reversed(statements_around(scope, place.node))), None)
    if not isinstance(statement, ast.Assign) or not all(isinstance(one, ast.Name) for one in statement.targets):
        return False
    names = {one.id for one in statement.targets if isinstance(one, ast.Name)}
    reads = (one for one in ast.walk(scope) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load))
    return not any(one.id in names for one in reads)


def is_dropped(program: Program, place: Place) -> bool:
    """Whether the statement around a place keeps its result nowhere but in a name of its own."""
    statement = next(iter(reversed(statements_around(scope_around(program, place), place.node))), None)
    if isinstance(statement, ast.Assign):
        return all(isinstance(one, (ast.Name, ast.Attribute)) for one in statement.targets)
    return isinstance(statement, ast.Expr)


def calls_on_the_way(program: Program, occurrence: Occurrence) -> tuple[FunctionNode, ...]:
    """The functions that were running when something happened, outermost first, as far as their calls tell."""
    places = (*occurrence.chain, occurrence.place)
    around = (function_around(program, place) for place in places)
    return tuple(dict.fromkeys(one for one in around if one is not None))


def is_traced(program: Program, occurrence: Occurrence) -> bool:
    """Whether something happens while `tf.function`, or a `fit`, traces the code: once, and not in each step."""
    if any(_is_traced_call(program, place) for place in occurrence.chain):
        return True
    return any(one in traced_functions(program) for one in calls_on_the_way(program, occurrence))


def _is_traced_call(program: Program, place: Place) -> bool:
    node = place.node
    if isinstance(node, ast.FunctionDef):
        return node.name in TRACED_BY_FIT
    return place in fit_calls(program)


@fact
def fit_calls(program: Program) -> frozenset[Place]:
    """The calls of `fit`."""
    return frozenset(occurrence.place for occurrence in program.happened(Fitted))


@fact
def traced_functions(program: Program) -> frozenset[ast.AST]:
    """Functions with a `tf.function` decorator, or handed to one."""
    nodes = {id(node) for node in _tracing_uses(program)}
    names = {name for node in _tracing_calls(program) for name in _named(node)}
    found: set[ast.AST] = set()
    for functions in functions_by_module(program).values():
        for function in functions:
            if isinstance(function, ast.Lambda):
                continue
            decorators = (one.func if isinstance(one, ast.Call) else one for one in function.decorator_list)
            if function.name in names or any(id(one) in nodes for one in decorators):
                found.add(function)
    return frozenset(found)


def _tracing_uses(program: Program) -> Iterator[ast.AST]:
    for module in program.names:
        for use in module.names.uses:
            if canonical(use.qualified).name in TRACERS:
                yield use.node


def _tracing_calls(program: Program) -> Iterator[ast.Call]:
    for module in program.names:
        for use in module.names.uses:
            if use.call is not None and canonical(use.qualified).name in TRACERS:
                yield use.call


def _named(call: ast.Call) -> Iterator[str]:
    for argument in call.args[:1]:
        if isinstance(argument, ast.Name):
            yield argument.id
        elif isinstance(argument, ast.Attribute):
            yield argument.attr
