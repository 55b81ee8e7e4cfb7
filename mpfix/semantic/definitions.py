"""Definitions: functions with their decorators, classes, and what `global` and `nonlocal` say of names."""

from __future__ import annotations

import ast
from functools import lru_cache

from mpfix.semantic.assignments import assign_name, setter_name
from mpfix.semantic.calls import call
from mpfix.semantic.conditions import boolean
from mpfix.semantic.expressions import default_values, evaluate
from mpfix.semantic.guards import Switch
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.values import (
    FALSE_VALUE,
    Arguments,
    Bound,
    Class,
    Constant,
    Function,
    Library,
    Partial,
    Unknown,
    Value,
)
from mpfix.source.document import Document


def execute_function(run: Run, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
    """`def`: a function value, and what its decorators make of it."""
    marks = {"generator"} if _says_yield(node, frame.module.document) and _is_generator(node) else set()
    decorators: list[Value] = []
    for decorator in node.decorator_list:
        value = evaluate(run, decorator, frame)
        mark = _mark(value, decorator)
        if mark:
            marks.add(mark)
        else:
            decorators.append(value)
    defaults = default_values(run, node.args, frame)
    function = _with_switches(run, Function(node, frame.module, frame, frame.owner, frozenset(marks), defaults))
    run.functions.setdefault(node, function)
    made: Value = function
    for decorated_by in reversed(decorators):
        made = _decorated(run, decorated_by, made, node)
    name = node.name
    if "setter" in marks:
        run.setters.add(name)
        name = setter_name(name)
    elif "deleter" in marks:
        name = f"{name}.deleter"
    assign_name(run, name, made, frame)


def _with_switches(run: Run, function: Function) -> Function:
    """A function whose flags that no caller sets are switches: both of their sides count."""
    unset = [name for name, value in function.defaults if value == FALSE_VALUE]
    flags = {name for name in unset if run.library.is_unset_flag(run, function, name)}
    if not flags:
        return function
    defaults = tuple((name, _switch(run, name) if name in flags else value) for name, value in function.defaults)
    return Function(function.node, function.module, function.frame, function.owner, function.marks, defaults)


def _switch(run: Run, name: str) -> Value:
    switch = Switch(name, False, open=True)
    return boolean(run, frozenset({(switch, True)}), frozenset({(switch, False)}))


def _says_yield(node: ast.FunctionDef | ast.AsyncFunctionDef, document: Document) -> bool:
    """Whether the word stands in the text of a function: a search of the tree costs much more."""
    if not _has_yield(document.text):
        return False
    start, end = document.offset(node.lineno, 0), document.offset((node.end_lineno or node.lineno) + 1, 0)
    return document.text.find("yield", start, end) >= 0


@lru_cache(maxsize=64)
def _has_yield(text: str) -> bool:
    return "yield" in text


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
        return {"getter": "property", "setter": "setter", "deleter": "deleter"}[node.attr]
    return None


def _decorated(run: Run, decorator: Value, function: Value, node: ast.AST) -> Value:
    """What a decorator makes of a function: a project's own is called, a modelled one asked, others change nothing."""
    if isinstance(decorator, (Function, Bound)) and not isinstance(getattr(decorator, "function", None), Library):
        made = call(run, decorator, Arguments((function,)), node)
        return made if not isinstance(made, (Unknown, Constant)) else function
    found = run.library.call(run, decorator, Arguments((function,)), node)
    return found if isinstance(found, (Function, Bound, Partial)) else function


def execute_class(run: Run, node: ast.ClassDef, frame: Frame) -> None:
    """`class`: its body runs in a frame of its own."""
    from mpfix.semantic.statements import execute_block

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


def _is_dataclass(value: Value) -> bool:
    return "dataclasses.dataclass" in str(value) or str(value) in ("attr.s", "attr.dataclass", "attrs.define")


def execute_global(run: Run, node: ast.Global | ast.Nonlocal, frame: Frame) -> None:
    """`global` and `nonlocal`: the box that a name lives in."""
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
