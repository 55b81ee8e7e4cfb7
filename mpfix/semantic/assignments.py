"""Assignments: names, attributes, items and targets that unpack, each written under the current path."""

from __future__ import annotations

import ast

from mpfix.semantic import operators
from mpfix.semantic.calls import call, class_attribute
from mpfix.semantic.containers import list_content, one_of, store_item
from mpfix.semantic.exits import narrow
from mpfix.semantic.expressions import attribute, evaluate
from mpfix.semantic.guards import TRUE
from mpfix.semantic.library import is_framework_value
from mpfix.semantic.run import Run
from mpfix.semantic.store import Box, Frame
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Class,
    Constant,
    Library,
    Loop,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    derived,
)

NAMED_BY_TARGET = frozenset({"call", "iteration", "index"})


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
            if name in run.setters and owner.cls is not None:
                setter = class_attribute(run, owner, setter_name(name), node)
                if setter is not None:
                    call(run, setter, Arguments((value,)), node)
                    return NONE
            if owner.kind == "super":
                owner = receiver if isinstance(receiver := run.get(owner, "self"), Object) else owner
            if not run.library.store(run, owner, name, value, node):
                run.set(owner, name, value)
        case Class():
            run.store.write(owner.box, name, value, run.path, literals=run.limits.guard_literals)
        case Unknown():
            run.library.store(run, owner, name, value, node)
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


def setter_name(name: str) -> str:
    """Under which name a class keeps the function that sets a property."""
    return f"{name}.setter"


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


def execute_assign(run: Run, node: ast.Assign, frame: Frame) -> None:
    """`a = b = value`."""
    path, mark = run.path, len(run.exits)
    value = evaluate(run, node.value, frame)
    if narrow(run, path, mark):
        for target in node.targets:
            assign(run, target, value, frame)


def execute_annotated(run: Run, node: ast.AnnAssign, frame: Frame) -> None:
    """`name: type = value`."""
    path, mark = run.path, len(run.exits)
    if node.value is not None:
        value = evaluate(run, node.value, frame)
        if narrow(run, path, mark):
            assign(run, node.target, value, frame)


def execute_augmented(run: Run, node: ast.AugAssign, frame: Frame) -> None:
    """`target += value`."""
    path, mark = run.path, len(run.exits)
    old = evaluate(run, node.target, frame)
    right = evaluate(run, node.value, frame)
    if not narrow(run, path, mark):
        return
    if isinstance(node.op, ast.Add) and isinstance(old, Object) and old.kind == "list":
        call(run, attribute(run, old, "extend", node), Arguments((right,)), node)
        return
    assign(run, node.target, operators.binary(run, type(node.op).__name__, old, right, node), frame)


def execute_delete(run: Run, node: ast.Delete, frame: Frame) -> None:
    """`del name`, where no path keeps it."""
    for target in node.targets:
        if isinstance(target, ast.Name):
            box = frame.nonlocals.get(target.id, frame.box)
            if run.path == box.base:
                run.store.replace(box, target.id, None)
