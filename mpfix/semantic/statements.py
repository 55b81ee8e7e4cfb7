"""Statements: one function per node kind, dispatched by type; each tells whether control falls through.

`run.path` is the path condition before a statement and, when it falls through, after it. Both branches of an `if` run
in turn and write under their path condition; nothing is forked or joined.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from mpfix.semantic.calls import call, call_method
from mpfix.semantic.conditions import compare_values, test, truth_guards
from mpfix.semantic.containers import list_content, one_of, store_item
from mpfix.semantic.expressions import attribute, default_values, evaluate
from mpfix.semantic.guards import TRUE, Guard, common
from mpfix.semantic.imports import execute_import, execute_import_from
from mpfix.semantic.library import is_framework_value
from mpfix.semantic.loops import execute_for, execute_while
from mpfix.semantic.run import Run
from mpfix.semantic.store import Box, Frame
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Bound,
    Class,
    Constant,
    Function,
    Library,
    Loop,
    Object,
    Partial,
    Record,
    Sequence,
    Unknown,
    Value,
    derived,
)

NAMED_BY_TARGET = frozenset({"call", "iteration", "index"})


def execute_block(run: Run, body: list[ast.stmt], frame: Frame) -> bool:
    """Run statements in order; False when none of the paths reaches the end."""
    for statement in body:
        run.step()
        if not HANDLERS[type(statement)](run, statement, frame):
            return False
        if run.ended:
            run.ended = False
            return False
    return True


# -- assignment


def assign_name(run: Run, name: str, value: Value, frame: Frame) -> None:
    """Bind a name in the frame (or where `global` and `nonlocal` say) under the current path."""
    box = frame.nonlocals.get(name, frame.box)
    if isinstance(value, Unknown) and value.origin[0] in NAMED_BY_TARGET and value.depth < 3:
        value.text = name  # people know `args` better than `parser.parse_args()`
    run.store.write(box, name, value, run.path, literals=run.limits.guard_literals)


def assign(run: Run, target: ast.expr, value: Value, frame: Frame) -> None:
    """Store a value in a target of any form."""
    match target:
        case ast.Name():
            assign_name(run, target.id, value, frame)
        case ast.Attribute():
            owner = evaluate(run, target.value, frame)
            run.each(owner, lambda one: _store_attribute(run, one, target.attr, run.restrict(value), target))
        case ast.Subscript():
            owner = evaluate(run, target.value, frame)
            key = evaluate(run, target.slice, frame)
            run.each(owner, lambda one: _store_item(run, one, key, run.restrict(value), target))
        case ast.Tuple() | ast.List():
            _unpack(run, target, value, frame)
        case ast.Starred():
            assign(run, target.value, value, frame)


def _store_item(run: Run, owner: Value, key: Value, value: Value, node: ast.AST) -> Value:
    store_item(run, owner, key, value, node)
    return NONE


def _store_attribute(run: Run, owner: Value, name: str, value: Value, node: ast.AST) -> Value:
    if isinstance(owner, Loop):
        owner = owner.widened
    match owner:
        case Object():
            if owner.kind == "super":
                owner = receiver if isinstance(receiver := run.get(owner, "self"), Object) else owner
            if not run.library.store(run, owner, name, value, node):
                run.set(owner, name, value)
        case Class():
            run.store.write(owner.box, name, value, run.path, literals=run.limits.guard_literals)
        case Unknown():
            box = run.unknown_boxes.get(owner)
            if box is None:
                box = run.unknown_boxes[owner] = run.store.new_box(TRUE)
            run.store.write(box, name, value, run.path, literals=run.limits.guard_literals)
        case Record() | Library():
            run.library.store(run, owner, name, value, node)
        case _ if hasattr(owner, "box"):
            box = owner.box
            assert isinstance(box, Box)
            run.store.write(box, name, value, run.path, literals=run.limits.guard_literals)
    return NONE


def _unpack(run: Run, target: ast.Tuple | ast.List, value: Value, frame: Frame) -> None:
    count = len(target.elts)
    starred = next((i for i, part in enumerate(target.elts) if isinstance(part, ast.Starred)), None)
    for index, part in enumerate(target.elts):
        if starred is not None and index >= starred:
            rest = run.each(value, lambda one, part=part: _rest(run, one, part))  # type: ignore[misc]
            assign(run, part, rest if index == starred else run.unknown(part), frame)
            continue
        item = run.each(value, lambda one, index=index, part=part: _part(run, one, index, count, part))  # type: ignore[misc]
        assign(run, part, item, frame)


def _part(run: Run, value: Value, index: int, count: int, node: ast.AST) -> Value:
    content = list_content(run, value)
    if content is not None and not content.open and index < len(content.items):
        return content.items[index]
    if content is not None and content.items:
        return one_of(run, content.items, (index, run.place(node)), f"[{index}]")
    if is_framework_value(value):
        found = run.library.item(run, value, Constant(index), node)
        if found is not None:
            return found
    return derived("item", (value, Constant(index)), f"{value}[{index}]")


def _rest(run: Run, value: Value, node: ast.AST) -> Value:
    content = list_content(run, value)
    return Sequence(content.items, True) if content is not None else run.unknown(node)


def _assign(run: Run, node: ast.Assign, frame: Frame) -> bool:
    value = evaluate(run, node.value, frame)
    for target in node.targets:
        assign(run, target, value, frame)
    return True


def _annotated(run: Run, node: ast.AnnAssign, frame: Frame) -> bool:
    if node.value is not None:
        assign(run, node.target, evaluate(run, node.value, frame), frame)
    return True


def _augmented(run: Run, node: ast.AugAssign, frame: Frame) -> bool:
    from mpfix.semantic import operators

    load = node.target
    old = evaluate(run, load, frame)
    right = evaluate(run, node.value, frame)
    if isinstance(node.op, ast.Add) and isinstance(old, Object) and old.kind == "list":
        call(run, attribute(run, old, "extend", node), Arguments((right,)), node)
        return True
    assign(run, node.target, operators.binary(run, type(node.op).__name__, old, right, node), frame)
    return True


def _delete(run: Run, node: ast.Delete, frame: Frame) -> bool:
    for target in node.targets:
        if isinstance(target, ast.Name):
            box = frame.nonlocals.get(target.id, frame.box)
            if run.path == box.base:
                run.store.replace(box, target.id, None)
    return True


# -- control


def _expression(run: Run, node: ast.Expr, frame: Frame) -> bool:
    evaluate(run, node.value, frame)
    return True


def _if(run: Run, node: ast.If, frame: Frame) -> bool:
    """An `if` with its ladder of `elif`s, in a loop."""
    entry = run.path
    ends: list[Guard] = []
    current: ast.If = node
    while True:
        yes, no = test(run, current.test, frame)
        if run.ended:
            return False
        before = run.path
        path = run.under(yes) if yes is not None else None
        if path is not None:
            run.path = path
            if execute_block(run, current.body, frame):
                ends.append(run.path)
        run.path = before
        path = run.under(no) if no is not None else None
        if path is None:
            break
        run.path = path
        if len(current.orelse) == 1 and isinstance(current.orelse[0], ast.If):
            current = current.orelse[0]
            run.step()
            continue
        if execute_block(run, current.orelse, frame):
            ends.append(run.path)
        break
    return _meet(run, ends, entry)


def _meet(run: Run, ends: list[Guard], entry: Guard) -> bool:
    """Go on where some branch fell through: under what all that did have in common."""
    if not ends:
        run.path = entry
        return False
    path = ends[0]
    for end in ends[1:]:
        path = common(path, end, entry)
    run.path = path
    return True


def _try(run: Run, node: ast.Try, frame: Frame) -> bool:
    """The body may have stopped anywhere: it runs under "nothing was raised", each handler under the opposite."""
    entry = run.path
    raised = Unknown(("raised", run.place(node)), f"an exception in line {node.lineno}")
    ends: list[Guard] = []
    run.path = run.under(frozenset({(raised, False)})) or entry
    if execute_block(run, node.body, frame) and execute_block(run, node.orelse, frame):
        ends.append(run.path)
    for handler in node.handlers:
        run.path = run.under_from(entry, frozenset({(raised, True)})) or entry
        if handler.type is not None:
            evaluate(run, handler.type, frame)
        if handler.name:
            assign_name(run, handler.name, run.unknown(handler), frame)
        if execute_block(run, handler.body, frame):
            ends.append(run.path)
    if not node.handlers and node.finalbody and not ends:
        run.path = entry
        execute_block(run, node.finalbody, frame)
        return False
    falls = _meet(run, ends, entry)
    if not falls:
        run.path = entry
    ended = not execute_block(run, node.finalbody, frame)
    return falls and not ended


def _return(run: Run, node: ast.Return, frame: Frame) -> bool:
    value = evaluate(run, node.value, frame) if node.value else NONE
    holder: Frame = frame
    holder.returns.append((run.path - frame.box.base, value))
    return False


def _ends(run: Run, node: ast.stmt, frame: Frame) -> bool:
    if isinstance(node, ast.Raise) and node.exc is not None:
        evaluate(run, node.exc, frame)
    return False


def _passes(run: Run, node: ast.stmt, frame: Frame) -> bool:
    return True


def _assert(run: Run, node: ast.Assert, frame: Frame) -> bool:
    yes, _ = test(run, node.test, frame)
    path = run.under(yes) if yes is not None else None
    if path is None:
        return False
    run.path = path
    return True


def _with(run: Run, node: ast.With | ast.AsyncWith, frame: Frame) -> bool:
    return _with_items(run, node, 0, frame)


def _with_items(run: Run, node: ast.With | ast.AsyncWith, index: int, frame: Frame) -> bool:
    """Enter the items from `index` on, run the body inside them, leave them in reverse."""
    if index == len(node.items):
        return execute_block(run, node.body, frame)
    item = node.items[index]
    call_node = item.context_expr
    if isinstance(call_node, ast.Call):
        function = evaluate(run, call_node.func, frame)
        if isinstance(function, (Function, Bound)) and _is_context_manager(function):
            return _with_generator(run, node, index, frame, function)
    value = evaluate(run, item.context_expr, frame)
    target = run.each(value, lambda one: _enter(run, one, item.context_expr))
    if item.optional_vars is not None:
        assign(run, item.optional_vars, target, frame)
    falls = _with_items(run, node, index + 1, frame)
    run.each(value, lambda one: _exit(run, one, item.context_expr))
    return falls


def _is_context_manager(function: Function | Bound) -> bool:
    inner = function.function if isinstance(function, Bound) else function
    return isinstance(inner, Function) and "contextmanager" in inner.marks


def _with_generator(run: Run, node: ast.With | ast.AsyncWith, index: int, frame: Frame, function: Value) -> bool:
    """A `contextlib.contextmanager` function: its body runs, and the block where it yields."""
    from mpfix.semantic.calls import bind
    from mpfix.semantic.expressions import evaluate_arguments

    item = node.items[index]
    assert isinstance(item.context_expr, ast.Call)
    arguments = evaluate_arguments(run, item.context_expr, frame)
    if isinstance(function, Bound):
        arguments, function = arguments.after(function.receiver), function.function
    assert isinstance(function, Function)
    assert not isinstance(function.node, ast.Lambda)
    inner = Frame("function", run.store.new_box(run.path), function.module, function.frame, function)
    for name, value in bind(run, function, arguments):
        run.store.write(inner.box, name, value, run.path)
    falls: list[bool] = []
    module, entry = run.module, run.path

    def run_block(value: Value) -> None:
        if falls:
            return
        saved, run.module = run.module, module
        if item.optional_vars is not None:
            assign(run, item.optional_vars, value, frame)
        falls.append(_with_items(run, node, index + 1, frame))
        run.module = saved

    inner.on_yield = run_block
    run.called.add(function.node)
    if len(run.stack) >= run.limits.call_depth:
        run.cut("call depth", node)
        return _with_items(run, node, index + 1, frame)
    run.stack.append(function.node)
    run.module = function.module
    try:
        execute_block(run, function.node.body, inner)
    finally:
        run.stack.pop()
        run.module = module
    if not falls:
        falls.append(_with_items(run, node, index + 1, frame))
    run.path = entry
    return falls[0]


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


def _match(run: Run, node: ast.Match, frame: Frame) -> bool:
    """Cases in turn; a literal pattern is a comparison with the subject, any other an open condition."""
    entry = run.path
    subject = evaluate(run, node.subject, frame)
    ends: list[Guard] = []
    open_end = True
    for case in node.cases:
        yes, no = _pattern_guards(run, subject, case.pattern, frame)
        before = run.path
        path = run.under(yes) if yes is not None else None
        if path is not None:
            run.path = path
            _bind_pattern(run, case.pattern, frame)
            if execute_block(run, case.body, frame):
                ends.append(run.path)
        run.path = before
        path = run.under(no) if no is not None and case.guard is None else (before if no is not None else None)
        if path is None:
            open_end = False
            break
        run.path = path
    if open_end:
        ends.append(run.path)
    return _meet(run, ends, entry)


def _pattern_guards(run: Run, subject: Value, pattern: ast.pattern, frame: Frame) -> tuple[Guard | None, Guard | None]:
    if isinstance(pattern, ast.MatchValue):
        value = evaluate(run, pattern.value, frame)
        return truth_guards(run, compare_values(run, "Eq", subject, value, pattern))
    if isinstance(pattern, ast.MatchSingleton):
        return truth_guards(run, compare_values(run, "Is", subject, Constant(pattern.value), pattern))
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is None:
        return TRUE, None
    matched = derived("matches", (subject, run.place(pattern)), f"{subject} matches line {pattern.lineno}")
    return frozenset({(matched, True)}), frozenset({(matched, False)})


def _bind_pattern(run: Run, pattern: ast.pattern, frame: Frame) -> None:
    for part in ast.walk(pattern):
        name = getattr(part, "name", None) or getattr(part, "rest", None)
        if isinstance(name, str):
            assign_name(run, name, run.unknown(part, name), frame)


# -- definitions


def _function(run: Run, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> bool:
    marks = {"generator"} if "yield" in frame.module.document.text and _is_generator(node) else set()
    decorators: list[Value] = []
    for decorator in node.decorator_list:
        value = evaluate(run, decorator, frame)
        mark = _mark(value, decorator)
        if mark:
            marks.add(mark)
        else:
            decorators.append(value)
    defaults = default_values(run, node.args, frame)
    function = Function(node, frame.module, frame, frame.owner, frozenset(marks), defaults)
    run.functions.setdefault(node, function)
    made: Value = function
    for decorated_by in reversed(decorators):
        made = _decorated(run, decorated_by, made, node)
    assign_name(run, node.name, made, frame)
    return True


def _is_generator(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    pending: list[ast.AST] = list(node.body)
    while pending:
        part = pending.pop()
        if isinstance(part, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(part))
    return False


MARKS = {
    "builtins.property": "property",
    "functools.cached_property": "property",
    "abc.abstractproperty": "property",
    "builtins.staticmethod": "staticmethod",
    "builtins.classmethod": "classmethod",
    "contextlib.contextmanager": "contextmanager",
}


def _mark(value: Value, node: ast.expr) -> str | None:
    if isinstance(value, Library):
        return MARKS.get(value.key)
    if isinstance(node, ast.Attribute) and node.attr in ("setter", "deleter", "getter"):
        return "property" if node.attr == "getter" else "setter"
    return None


def _decorated(run: Run, decorator: Value, function: Value, node: ast.AST) -> Value:
    """What a decorator makes of a function: a project's own is called, a modelled one asked, others change nothing."""
    if isinstance(decorator, (Function, Bound)) and not isinstance(getattr(decorator, "function", None), Library):
        made = call(run, decorator, Arguments((function,)), node)
        return made if not isinstance(made, (Unknown, Constant)) else function
    found = run.library.call(run, decorator, Arguments((function,)), node)
    return found if isinstance(found, (Function, Bound, Partial)) else function


def _class(run: Run, node: ast.ClassDef, frame: Frame) -> bool:
    bases = tuple(run.each_first(evaluate(run, base, frame)) for base in node.bases)
    for keyword in node.keywords:
        evaluate(run, keyword.value, frame)
    is_data = any(_is_dataclass(evaluate(run, decorator, frame)) for decorator in node.decorator_list)
    is_data = is_data or any(isinstance(base, Library) and base.key == "typing.NamedTuple" for base in bases)
    fields = tuple(s.target.id for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name))
    inherited = tuple(name for base in bases if isinstance(base, Class) for name in base.fields or ())
    is_data = is_data or bool(inherited)
    box = run.store.new_box(run.path)
    cls = Class(node, frame.module, bases, box, (*inherited, *fields) if is_data else None)
    run.classes.setdefault(node, cls)
    inner = Frame("class", box, frame.module, frame, None)
    inner.owner = cls
    saved = run.path
    execute_block(run, node.body, inner)
    run.path = saved
    assign_name(run, node.name, cls, frame)
    return True


def _is_dataclass(value: Value) -> bool:
    return "dataclasses.dataclass" in str(value) or str(value) in ("attr.s", "attr.dataclass", "attrs.define")


def _global(run: Run, node: ast.Global | ast.Nonlocal, frame: Frame) -> bool:
    module_frame = run.module_frames[frame.module]
    for name in node.names:
        if isinstance(node, ast.Global):
            frame.nonlocals[name] = module_frame.box
            continue
        scope = frame.outer
        while scope is not None and not (scope.kind == "function" and name in scope.box.cells):
            scope = scope.outer
        if scope is not None:
            frame.nonlocals[name] = scope.box
    return True


HANDLERS: dict[type[ast.stmt], Callable[..., bool]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Delete: _delete,
    ast.If: _if,
    ast.For: execute_for,
    ast.AsyncFor: execute_for,
    ast.While: execute_while,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.Return: _return,
    ast.Raise: _ends,
    ast.Break: _ends,
    ast.Continue: _ends,
    ast.Pass: _passes,
    ast.Assert: _assert,
    ast.Import: execute_import,
    ast.ImportFrom: execute_import_from,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.Global: _global,
    ast.Nonlocal: _global,
    ast.Match: _match,
}
if hasattr(ast, "TryStar"):
    HANDLERS[ast.TryStar] = _try
if hasattr(ast, "TypeAlias"):
    HANDLERS[ast.TypeAlias] = _passes
