"""Lists, dicts and subscripts: content of mutable containers lives in their cell `content`."""

from __future__ import annotations

import ast
from collections.abc import Callable

from mpfix.semantic.condensing import either_or_tangle
from mpfix.semantic.guards import TRUE, Guard, bounded, contradicts
from mpfix.semantic.library import CONTAINERS
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Constant,
    Loop,
    Mapping,
    Object,
    Sequence,
    Unknown,
    Value,
    derived,
)

SIFTED = "sifted"
"""Property of a list whose every element may have been left out, so that it may well be empty."""


def new_list(run: Run, content: Sequence, node: ast.AST, *, kind: str = "list") -> Object:
    """A fresh list (or set) with a content."""
    made = run.new_object(kind, node)
    run.set(made, "content", content)
    return made


def new_dict(run: Run, content: Mapping, node: ast.AST) -> Object:
    """A fresh dict with a content."""
    made = run.new_object("dict", node)
    run.set(made, "content", content)
    return made


def list_content(run: Run, value: Value) -> Sequence | None:
    """The items of a tuple, list or set; None for other values and where the content has alternatives."""
    if type(value) is Loop:
        value = value.widened
    if isinstance(value, Sequence):
        return value
    if type(value) is not Object:
        return None
    if value.kind in ("list", "set"):
        content = run.get(value, "content")
        return content if isinstance(content, Sequence) else None
    if value.kind == "dict":
        entries = run.get(value, "content")
        if isinstance(entries, Mapping):
            return Sequence(tuple(key for key, _ in entries.entries), entries.open)
    return None


def content_of(run: Run, value: Value) -> Value:
    """The content of a list, set or dict, with its alternatives; other values as they are."""
    if isinstance(value, Loop):
        value = value.widened
    if isinstance(value, Object) and value.kind in ("list", "set", "dict"):
        return run.get(value, "content")
    return value


def change_content(run: Run, owner: Object, change: Callable[[Value], Value]) -> None:
    """Set the content of a container to what a change makes of it, in each of its alternatives."""
    content = run.get(owner, "content")
    changed = run.each(content, change)
    if changed is not content:
        run.set(owner, "content", changed)
        _join_contents(run, owner)


def one_of(run: Run, items: tuple[Value, ...], key: object, text: str) -> Value:
    """Some item of several, nobody knows which: a value of its own, or the only one there is."""
    distinct = tuple(dict.fromkeys(items))
    if len(distinct) == 1:
        return distinct[0]
    return Unknown(("some", distinct, key), text)


def get_item(run: Run, owner: Value, key: Value, node: ast.AST) -> Value:
    """`owner[key]` for one alternative of the owner."""
    return run.each(run.restrict(key), lambda one: _item(run, owner, one, node))


def _item(run: Run, owner: Value, key: Value, node: ast.AST) -> Value:
    original = owner
    if isinstance(owner, Loop):
        owner = owner.widened
    if isinstance(owner, Object) and owner.kind == "dict":
        return _entry(run, owner, key, node)
    if isinstance(owner, Sequence) or (isinstance(owner, Object) and owner.kind in ("list", "set")):
        return run.each(content_of(run, owner), lambda content: _element(run, content, key, node))
    if isinstance(owner, Unknown):
        box = run.unknown_boxes.get(owner)
        cells = run.store.read(box, f"[{key}]") if box else None
        found = run.pick(cells) if cells else None
        return found or derived("item", (owner, key), f"{owner}[{key}]" if owner.depth < 6 else f"[{key}]")
    if isinstance(owner, Object) and owner.cls is not None:
        from mpfix.semantic.calls import call_method

        found = call_method(run, owner, "__getitem__", Arguments((key,)), node)
        if found is not None:
            return found
    found = run.library.item(run, owner, key, node)
    return found or derived("item", (original, key), f"{owner}[{key}]")


def _entry(run: Run, owner: Object, key: Value, node: ast.AST) -> Value:
    def read(content: Value) -> Value:
        found = content.get(key) if isinstance(content, Mapping) else None
        return run.restrict(found) if found is not None else derived("item", (owner, key), f"[{key}]")

    return run.each(run.get(owner, "content"), read)


def _element(run: Run, content: Value, key: Value, node: ast.AST) -> Value:
    if not isinstance(content, Sequence):
        return derived("item", (content, key), f"[{key}]")
    if isinstance(key, Constant) and isinstance(key.value, int) and not isinstance(key.value, bool):
        index = key.value
        if not content.open and -len(content.items) <= index < len(content.items):
            return content.items[index]
        if content.open and len(content.items) == 1:
            return content.items[0]
    elif isinstance(key, Sequence) and key.items and key.items[0] == Constant("slice"):
        return _slice(content, key)
    elif content.items:
        return one_of(run, content.items, (key, run.place(node)), f"[{key}]")
    return derived("item", (content, key), f"[{key}]")


def _slice(content: Sequence, key: Sequence) -> Value:
    bounds = [part.value for part in key.items[1:] if isinstance(part, Constant)]
    if content.open or len(bounds) != 3 or not all(b is None or isinstance(b, int) for b in bounds) or bounds[2] == 0:
        return Sequence(content.items, True)
    return Sequence(content.items[slice(*bounds)])


def store_item(run: Run, owner: Value, key: Value, value: Value, node: ast.AST) -> None:
    """`owner[key] = value` for one alternative of the owner."""
    if isinstance(owner, Loop):
        owner = owner.widened
    if isinstance(owner, Object) and owner.kind == "dict":
        _store_entry(run, owner, key, value)
    elif isinstance(owner, Object) and owner.kind == "list":
        _store_element(run, owner, key, value)
    elif isinstance(owner, Unknown):
        box = run.unknown_boxes.setdefault(owner, run.store.new_box(frozenset()))
        run.store.write(box, f"[{key}]", value, run.path, literals=run.limits.guard_literals)
    elif isinstance(owner, Object) and owner.cls is not None and owner.kind in CONTAINERS:
        from mpfix.semantic.calls import call_method

        call_method(run, owner, "__setitem__", Arguments((key, value)), node)
    else:
        run.library.store_item(run, owner, key, value, node)


def _store_entry(run: Run, owner: Object, key: Value, value: Value) -> None:
    if _store_in_place(run, owner, key, value):
        return

    def change(content: Value) -> Value:
        if not isinstance(content, Mapping):
            return content
        if not isinstance(key, Constant):
            return Mapping((), True)
        return stored(run, content, key, value)

    change_content(run, owner, change)


def _store_in_place(run: Run, owner: Object, key: Value, value: Value) -> bool:
    """Store on a path to an entry that is there already: it has alternatives then, instead of the whole content."""
    here = bounded(run.path - owner.box.base, run.limits.guard_literals)
    cells = run.store.read(owner.box, "content")
    if owner.summary or not here or not cells or not isinstance(key, Constant):
        return False
    changed: list[tuple[Guard, Value]] = []
    for guard, content in cells:
        old = content.get(key) if isinstance(content, Mapping) else None
        if isinstance(content, Mapping) and not contradicts(guard, here):
            if old is None:
                return False
            content = stored(run, content, key, run.merge([(here, value), (TRUE, old)]) or value)
        changed.append((guard, content))
    run.store.replace(owner.box, "content", tuple(changed))
    return True


def _join_contents(run: Run, owner: Object) -> None:
    """Contents with the same keys become one, whose entries have the alternatives: they would double with each `if`."""
    cells = run.store.read(owner.box, "content")
    if not cells or len(cells) < 2:
        return
    joined: list[tuple[Guard, Value]] = [cells[0]]
    for guard, content in cells[1:]:
        newer, last = joined[-1]
        if _have_same_keys(last, content):
            joined[-1] = (either_or_tangle(newer, guard), _joined_entries(run, newer, last, content))
        else:
            joined.append((guard, content))
    if len(joined) < len(cells):
        run.store.replace(owner.box, "content", tuple(joined))


def _have_same_keys(one: Value, other: Value) -> bool:
    if not isinstance(one, Mapping) or not isinstance(other, Mapping) or one.open != other.open:
        return False
    return [key for key, _ in one.entries] == [key for key, _ in other.entries]


def _joined_entries(run: Run, guard: Guard, newer: Value, older: Value) -> Value:
    """The entries of one content where a guard holds, else those of another one."""
    assert isinstance(newer, Mapping)
    assert isinstance(older, Mapping)
    pairs = zip(newer.entries, older.entries, strict=True)
    return Mapping(tuple((key, run.merge([(guard, a), (TRUE, b)]) or b) for (key, a), (_, b) in pairs), newer.open)


def stored(run: Run, content: Mapping, key: Value, value: Value) -> Mapping:
    """A mapping with one entry set; a full one forgets an older entry and is open."""
    entries = content.entries
    if content.get(key) is not None:
        return Mapping(tuple((name, value if name == key else old) for name, old in entries), content.open)
    if len(entries) >= run.limits.entries:
        return Mapping((*entries[: max(run.limits.entries - 1, 0)], (key, value)), True)
    return Mapping((*entries, (key, value)), content.open)


def _store_element(run: Run, owner: Object, key: Value, value: Value) -> None:
    change_content(run, owner, lambda content: _with_element(content, key, value))


def _with_element(content: Value, key: Value, value: Value) -> Value:
    if not isinstance(content, Sequence):
        return content
    index = key.value if isinstance(key, Constant) and isinstance(key.value, int) else None
    if index is not None and not content.open and -len(content.items) <= index < len(content.items):
        items = list(content.items)
        items[index] = value
        return Sequence(tuple(items))
    items = [one if one == value else value for one in content.items[:1]] if len(content.items) <= 1 else []
    return Sequence(tuple(items) or (value,), True)


def mark_unknown(run: Run, value: Value) -> None:
    """Somebody unseen may have changed a container: what it holds is no longer known."""
    if isinstance(value, Object) and value.kind in ("list", "set", "dict"):
        content = run.get(value, "content")
        if isinstance(content, Sequence):
            run.set(value, "content", Sequence((Unknown(("changed", value.serial), "changed"),), True))
        elif content != NONE:
            run.set(value, "content", Mapping((), True))


def argument(arguments: Arguments, position: int = 0) -> Value | None:
    """The positional argument at a position; None when there is none."""
    return arguments.positional[position] if position < len(arguments.positional) else None
