"""Expressions to values: one function per node kind, dispatched by type."""

from __future__ import annotations

import ast
import builtins as python_builtins
from collections.abc import Callable

from mpfix.semantic import operators
from mpfix.semantic.attributes import attribute, look_up
from mpfix.semantic.budget import OutOfSteps
from mpfix.semantic.calls import call_as_written
from mpfix.semantic.comprehensions import comprehension
from mpfix.semantic.conditions import boolean, compare, test, truth_guards
from mpfix.semantic.containers import get_item, list_content
from mpfix.semantic.displays import (
    dict_display,
    dict_entries,
    joined_string,
    list_display,
    slice_display,
    tuple_display,
)
from mpfix.semantic.exits import left_of, narrow
from mpfix.semantic.guards import TRUE, Guard, conjoin
from mpfix.semantic.library import NameMissing, is_framework_value
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Class,
    Constant,
    Function,
    Library,
    Object,
    Unknown,
    Value,
)

PYTHON_NAMES = frozenset(dir(python_builtins)) | {
    "__file__",
    "__name__",
    "__doc__",
    "__builtins__",
    "get_ipython",
    "display",
}
SPINE = frozenset({ast.Attribute, ast.Call, ast.Subscript, ast.Await})


def evaluate(run: Run, node: ast.expr, frame: Frame) -> Value:
    """The value of an expression; long chains and sums are walked in loops, deep nesting gives an unknown."""
    run.steps += 1  # `run.step()`, without the call: half of all steps are counted here
    if run.steps > run.limits.root_steps:
        raise OutOfSteps
    if run.expression_depth > run.limits.expression_depth:
        run.cut("expression depth", node)
        return run.cut_value(node)
    if type(node) is ast.Name:
        return _name(run, node, frame)
    run.expression_depth += 1
    try:
        handler = HANDLERS.get(type(node))
        return handler(run, node, frame) if handler else run.unknown(node)
    finally:
        run.expression_depth -= 1


def _constant(run: Run, node: ast.Constant, frame: Frame) -> Value:
    return Constant(node.value)


# -- names


def _name(run: Run, node: ast.Name, frame: Frame) -> Value:
    found = look_up(run, node.id, frame)
    if found is not None:
        return found
    if node.id in PYTHON_NAMES:
        return run.library.name(f"builtins.{node.id}")
    run.emit(NameMissing(node, node.id, _stars(run, frame)))
    return Unknown(("name", frame.module.name, node.id), node.id)


def _stars(run: Run, frame: Frame) -> tuple[str, ...]:
    """The outside modules from which everything was imported, also through modules of the project."""
    found: list[str] = []
    waiting, seen = [frame.module], {frame.module}
    while waiting:
        module_frame = run.module_frames.get(waiting.pop())
        for star in module_frame.stars if module_frame else ():
            if isinstance(star, str):
                found.append(star)
            elif star.module is not None and star.module not in seen:
                seen.add(star.module)
                waiting.append(star.module)
    return tuple(dict.fromkeys(found))


# -- chains of attributes, calls and subscripts


def _spine(run: Run, node: ast.expr, frame: Frame) -> Value:
    """`a.b(c)[d].e(f)`: from the inside out, in a loop."""
    links: list[ast.expr] = []
    while type(node) in SPINE:
        links.append(node)
        node = node.func if type(node) is ast.Call else node.value  # type: ignore[attr-defined]
    value = evaluate(run, node, frame)
    run.steps += len(links)  # the next expression finds out that they are used up
    for link in reversed(links):
        if type(link) is ast.Attribute:
            value = attribute(run, value, link.attr, link)
        elif type(link) is ast.Call:
            value = _call(run, value, link, frame)
        elif type(link) is ast.Subscript:
            key = evaluate(run, link.slice, frame)
            value = run.each(value, lambda owner, key=key, link=link: get_item(run, owner, key, link))  # type: ignore[misc]
    return value


# -- calls


def _call(run: Run, function: Value, node: ast.Call, frame: Frame) -> Value:
    if isinstance(function, Library) and function.key == "builtins.super":
        return _super(run, node, frame)
    arguments = evaluate_arguments(run, node, frame)
    return call_as_written(run, function, arguments, node)


def evaluate_arguments(run: Run, node: ast.Call, frame: Frame) -> Arguments:
    """The arguments of a call, `*` and `**` unpacked as far as they are known."""
    positional: list[Value] = []
    rest: list[Value] = []
    keywords: list[tuple[str, Value]] = []
    open_positional = open_keywords = False
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            content = list_content(run, run.restrict(evaluate(run, argument.value, frame)))
            if content is None or content.open:
                open_positional = True
            if content is not None:
                (rest if content.open else positional).extend(content.items)
        else:
            positional.append(evaluate(run, argument, frame))
    for keyword in node.keywords:
        value = evaluate(run, keyword.value, frame)
        if keyword.arg is not None:
            keywords.append((keyword.arg, value))
            continue
        entries = dict_entries(run, value)
        open_keywords = open_keywords or entries is None or entries.open
        for key, entry in entries.entries if entries else ():
            if isinstance(key, Constant) and isinstance(key.value, str):
                keywords.append((key.value, entry))
    return Arguments(tuple(positional), tuple(keywords), open_positional, open_keywords, tuple(rest))


def _super(run: Run, node: ast.Call, frame: Frame) -> Value:
    scope: Frame | None = frame
    while scope is not None and not (scope.function and scope.function.owner):
        scope = scope.outer
    if scope is None or scope.function is None or isinstance(scope.function.node, ast.Lambda):
        return run.unknown(node)
    parameters = scope.function.node.args.posonlyargs + scope.function.node.args.args
    cells = run.store.read(scope.box, parameters[0].arg) if parameters else None
    receiver = run.pick(cells) if cells else None
    if isinstance(receiver, Class):
        receiver_class = receiver
    elif isinstance(receiver, Object) and receiver.cls is not None:
        receiver_class = receiver.cls
    else:
        return run.unknown(node)
    made = Object(run.store.serial, "super", run.place(node), run.store.new_box(run.path), cls=receiver_class)
    run.store.replace(made.box, "self", ((TRUE, receiver),))
    run.store.replace(made.box, "owner", ((TRUE, scope.function.owner or NONE),))
    return made


# -- operators


def _binary(run: Run, node: ast.BinOp, frame: Frame) -> Value:
    """A left spine of operators (`a + b + ...`), in a loop."""
    links: list[ast.BinOp] = []
    current: ast.expr = node
    while isinstance(current, ast.BinOp):
        links.append(current)
        current = current.left
    value = evaluate(run, current, frame)
    for link in reversed(links):
        run.step()
        right = evaluate(run, link.right, frame)
        value = operators.binary(run, type(link.op).__name__, value, right, link)
    return value


def _unary(run: Run, node: ast.UnaryOp, frame: Frame) -> Value:
    if isinstance(node.op, ast.Not):
        yes, no = test(run, node.operand, frame)
        return boolean(run, no, yes)
    operand = evaluate(run, node.operand, frame)
    return run.each(operand, lambda value: operators.unary(run, type(node.op).__name__, value, node))


def _bool_op(run: Run, node: ast.BoolOp, frame: Frame) -> Value:
    """`a and b`, `a or b`: each operand runs only where the ones before let it."""
    is_or = isinstance(node.op, ast.Or)
    results: list[tuple[Guard, Value]] = []
    saved, mark = run.path, len(run.exits)
    gathered: Guard = TRUE
    try:
        for index, operand in enumerate(node.values):
            path, inner = run.path, len(run.exits)
            value = evaluate(run, operand, frame)
            if len(run.exits) > inner and not narrow(run, path, inner):
                break
            if index == len(node.values) - 1:
                results.append((TRUE, value))
                break
            yes, no = truth_guards(run, value)
            stops, goes_on = (yes, no) if is_or else (no, yes)
            if goes_on is None:
                results.append((TRUE, value))
                break
            if stops is not None:
                stopped = conjoin(gathered, stops, run.limits.path_literals)
                if stopped is not None:
                    results.append((stopped, _kept_operand(run, value, is_or, stops)))
                below = run.under(goes_on)
                if below is None:
                    break
                run.path, gathered = below, conjoin(gathered, goes_on, run.limits.path_literals) or goes_on
    finally:
        run.path = saved
    if len(run.exits) > mark:
        narrow(run, saved, mark)
    return run.merge(results) or run.unknown(node)


def _kept_operand(run: Run, value: Value, truthy: bool, guard: Guard) -> Value:
    path = run.under(guard)
    if path is None:
        return value
    with run.on_path(path):
        return run.restrict(value)


def _conditional(run: Run, node: ast.IfExp, frame: Frame) -> Value:
    saved, mark = run.path, len(run.exits)
    yes, no = test(run, node.test, frame)
    results: list[tuple[Guard, Value]] = []
    for guard, branch in ((yes, node.body), (no, node.orelse)):
        path = run.under(guard) if guard is not None else None
        if guard is not None and path is not None:
            inner = len(run.exits)
            with run.on_path(path):
                value = evaluate(run, branch, frame)
            if left_of(run, path, inner) is not None:
                results.append((guard, value))
    if len(run.exits) > mark:
        narrow(run, saved, mark)
    return run.merge(results) or run.unknown(node)


# -- displays


def _lambda(run: Run, node: ast.Lambda, frame: Frame) -> Value:
    found = Function(node, frame.module, frame, None, frozenset(), default_values(run, node.args, frame))
    run.functions.setdefault(node, found)
    return found


def default_values(run: Run, arguments: ast.arguments, frame: Frame) -> tuple[tuple[str, Value], ...]:
    """Default values of parameters, evaluated where the function is defined."""
    positional = arguments.posonlyargs + arguments.args
    pairs: list[tuple[ast.arg, ast.expr | None]] = list(
        zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
    )
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return tuple((parameter.arg, evaluate(run, default, frame)) for parameter, default in pairs if default is not None)


def _named(run: Run, node: ast.NamedExpr, frame: Frame) -> Value:
    from mpfix.semantic.assignments import assign_name

    value = evaluate(run, node.value, frame)
    target = frame
    while target.kind == "comprehension" and target.outer is not None:
        target = target.outer
    assign_name(run, node.target.id, value, target)
    return value


def _yield(run: Run, node: ast.Yield, frame: Frame) -> Value:
    value = evaluate(run, node.value, frame) if node.value else NONE
    frame.yields.append(value)
    if frame.on_yield is not None:
        frame.on_yield(value)
    return run.unknown(node)


def _yield_from(run: Run, node: ast.YieldFrom, frame: Frame) -> Value:
    content = list_content(run, evaluate(run, node.value, frame))
    frame.yields.extend(content.items if content else (run.unknown(node),))
    return run.unknown(node)


def _starred(run: Run, node: ast.Starred, frame: Frame) -> Value:
    return evaluate(run, node.value, frame)


def _compare(run: Run, node: ast.Compare, frame: Frame) -> Value:
    return compare(run, node, frame)


HANDLERS: dict[type[ast.expr], Callable[..., Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _spine,
    ast.Call: _spine,
    ast.Subscript: _spine,
    ast.Await: _spine,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _bool_op,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Tuple: tuple_display,
    ast.List: list_display,
    ast.Set: list_display,
    ast.Dict: dict_display,
    ast.ListComp: comprehension,
    ast.SetComp: comprehension,
    ast.GeneratorExp: comprehension,
    ast.DictComp: comprehension,
    ast.JoinedStr: joined_string,
    ast.Lambda: _lambda,
    ast.NamedExpr: _named,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.Starred: _starred,
    ast.Slice: slice_display,
}

__all__ = ["attribute", "default_values", "evaluate", "evaluate_arguments", "is_framework_value", "look_up"]
