"""Tuples, lists, dicts, f-strings and slices as they are written."""

from __future__ import annotations

import ast

from mpfix.semantic.containers import list_content, new_dict, new_list
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.values import (
    NONE,
    Constant,
    Mapping,
    Object,
    Sequence,
    Value,
    derived,
)


def dict_entries(run: Run, value: Value) -> Mapping | None:
    if isinstance(value, Object) and value.kind == "dict":
        content = run.get(value, "content")
        return content if isinstance(content, Mapping) else None
    return value if isinstance(value, Mapping) else None


def tuple_display(run: Run, node: ast.Tuple, frame: Frame) -> Value:
    items, is_open = _items(run, node.elts, frame)
    return Sequence(items, is_open)


def list_display(run: Run, node: ast.List | ast.Set, frame: Frame) -> Value:
    items, is_open = _items(run, node.elts, frame)
    return new_list(run, Sequence(items, is_open), node, kind="list" if isinstance(node, ast.List) else "set")


def _items(run: Run, elements: list[ast.expr], frame: Frame) -> tuple[tuple[Value, ...], bool]:
    from mpfix.semantic.expressions import evaluate

    items: list[Value] = []
    is_open = False
    for element in elements:
        if isinstance(element, ast.Starred):
            content = list_content(run, evaluate(run, element.value, frame))
            is_open = is_open or content is None or content.open
            items.extend(content.items if content else ())
        elif len(items) < run.limits.entries:
            items.append(evaluate(run, element, frame))
        else:
            is_open = True
            break
    return tuple(items), is_open


def dict_display(run: Run, node: ast.Dict, frame: Frame) -> Value:
    from mpfix.semantic.expressions import evaluate

    entries: list[tuple[Value, Value]] = []
    is_open = False
    for key, value in zip(node.keys, node.values, strict=True):
        if len(entries) >= run.limits.entries:
            is_open = True
            break
        if key is None:
            more = dict_entries(run, evaluate(run, value, frame))
            is_open = is_open or more is None or more.open
            entries.extend(more.entries if more else ())
        else:
            entries.append((evaluate(run, key, frame), evaluate(run, value, frame)))
    return new_dict(run, Mapping(tuple(entries), is_open), node)


def joined_string(run: Run, node: ast.JoinedStr, frame: Frame) -> Value:
    from mpfix.semantic.expressions import evaluate

    parts: list[str] | None = []
    shown: list[Value] = []
    for piece in node.values:
        value = evaluate(run, piece.value if isinstance(piece, ast.FormattedValue) else piece, frame)
        if not isinstance(value, Constant):
            shown.append(value)
        plain = isinstance(value, Constant) and not (isinstance(piece, ast.FormattedValue) and piece.format_spec)
        if parts is not None and plain and isinstance(value, Constant):
            parts.append(str(value.value))
        else:
            parts = None
    if parts is None:
        # two texts of one place are the same where they show the same
        return derived("text", (*shown, run.place(node)), "")
    return Constant("".join(parts))


def slice_display(run: Run, node: ast.Slice, frame: Frame) -> Value:
    from mpfix.semantic.expressions import evaluate

    parts = tuple(
        evaluate(run, part, frame) if part is not None else NONE for part in (node.lower, node.upper, node.step)
    )
    return Sequence((Constant("slice"), *parts))
