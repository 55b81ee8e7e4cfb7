"""`with`: managers entered and left, also those that are generators of the project."""

from __future__ import annotations

import ast

from mpfix.semantic.assignments import assign
from mpfix.semantic.calls import bind, call_method
from mpfix.semantic.exceptions import suppressed
from mpfix.semantic.exits import RETURN, narrow, take
from mpfix.semantic.expressions import evaluate, evaluate_arguments
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.values import NONE, Arguments, Bound, Function, Object, Value, derived


def execute_with(run: Run, node: ast.With | ast.AsyncWith, frame: Frame) -> None:
    """A `with` statement."""
    _with_items(run, node, 0, frame)


def _with_items(run: Run, node: ast.With | ast.AsyncWith, index: int, frame: Frame) -> None:
    """Enter the items from `index` on, run the body inside them, leave them in reverse."""
    from mpfix.semantic.statements import execute_block

    if index == len(node.items):
        execute_block(run, node.body, frame)
        return
    item = node.items[index]
    call_node = item.context_expr
    if isinstance(call_node, ast.Call):
        function = evaluate(run, call_node.func, frame)
        if isinstance(function, (Function, Bound)) and _is_context_manager(function):
            _with_generator(run, node, index, frame, function)
            return
    path, mark = run.path, len(run.exits)
    value = evaluate(run, item.context_expr, frame)
    target = run.each(value, lambda one: _enter(run, one, item.context_expr))
    if not narrow(run, path, mark):
        return
    if item.optional_vars is not None:
        assign(run, item.optional_vars, target, frame)
    path, mark = run.path, len(run.exits)
    _with_items(run, node, index + 1, frame)
    run.path = path  # however the body ends, the manager is left
    suppressed(run, value, mark)
    run.each(value, lambda one: _exit(run, one, item.context_expr))


def _is_context_manager(function: Function | Bound) -> bool:
    inner = function.function if isinstance(function, Bound) else function
    return isinstance(inner, Function) and "contextmanager" in inner.marks


def _with_generator(run: Run, node: ast.With | ast.AsyncWith, index: int, frame: Frame, function: Value) -> None:
    """A `contextlib.contextmanager` function: its body runs, and the block where it yields."""
    item = node.items[index]
    assert isinstance(item.context_expr, ast.Call)
    arguments = evaluate_arguments(run, item.context_expr, frame)
    if isinstance(function, Bound):
        arguments, function = arguments.after(function.receiver), function.function
    assert isinstance(function, Function)
    assert not isinstance(function.node, ast.Lambda)
    inner = Frame("function", run.store.new_box(run.path), function.module, function.frame, function)
    for name, value in bind(run, function, arguments, node):
        run.store.write(inner.box, name, value, run.path)
    entered: list[bool] = []
    module, entry, mark = run.module, run.path, len(run.exits)

    def run_block(value: Value) -> None:
        if entered:
            return
        entered.append(True)
        saved, run.module = run.module, module
        if item.optional_vars is not None:
            assign(run, item.optional_vars, value, frame)
        _with_items(run, node, index + 1, frame)
        run.module = saved

    inner.on_yield = run_block
    _run_generator(run, function, inner, node)
    take(run, mark, (RETURN,), inner)
    run.path = entry
    if not entered:
        _with_items(run, node, index + 1, frame)


def _run_generator(run: Run, function: Function, inner: Frame, node: ast.AST) -> None:
    """The body of a generator function, in a frame that knows what to do where it yields."""
    from mpfix.semantic.statements import execute_block

    run.called.add(function.node)
    if len(run.stack) >= run.limits.call_depth:
        run.cut("call depth", node)
        return
    assert not isinstance(function.node, ast.Lambda)
    module = run.module
    run.stack.append(function.node)
    run.module = function.module
    try:
        execute_block(run, function.node.body, inner)
    finally:
        run.stack.pop()
        run.module = module


def _enter(run: Run, value: Value, node: ast.AST) -> Value:
    if isinstance(value, Object) and value.cls is not None:
        found = call_method(run, value, "__enter__", Arguments(), node)
        if found is not None:
            return found
    found = run.library.enter(run, value, node)
    return found if found is not None else derived("enter", (value,), str(value))


def _exit(run: Run, value: Value, node: ast.AST) -> Value:
    if isinstance(value, Object) and value.cls is not None:
        call_method(run, value, "__exit__", Arguments((NONE, NONE, NONE)), node)
    run.library.exit(run, value, node)
    return NONE
