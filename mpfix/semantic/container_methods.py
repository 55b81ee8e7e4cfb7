"""Methods of lists, sets, dicts and strings."""

from __future__ import annotations

import ast
from collections.abc import Callable

from mpfix.semantic.comprehensions import iterate
from mpfix.semantic.containers import argument, change_content, content_of, get_item, new_list, stored
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Constant,
    Mapping,
    Object,
    Sequence,
    Value,
    derived,
)

Method = Callable[[Run, Value, Arguments, ast.AST], "Value | None"]


def _append(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    added = argument(arguments)
    if isinstance(owner, Object) and added is not None:
        is_set = owner.kind == "set"
        change_content(run, owner, lambda content: _appended(run, content, added, is_set))
    return NONE


def _appended(run: Run, content: Value, added: Value, is_set: bool) -> Value:
    if not isinstance(content, Sequence) or ((content.open or is_set) and added in content.items):
        return content
    return _limited(run, (*content.items, added), content.open)


def _limited(run: Run, items: tuple[Value, ...], is_open: bool) -> Sequence:
    return Sequence(items[: run.limits.entries], is_open or len(items) > run.limits.entries)


def _extend(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    added = argument(arguments)
    if isinstance(owner, Object) and added is not None:
        more = iterate(run, added, node, None)

        def change(content: Value) -> Value:
            if not isinstance(content, Sequence):
                return content
            return _limited(run, (*content.items, *more.items), content.open or more.open)

        change_content(run, owner, change)
    return NONE


def _insert(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    index, added = argument(arguments), argument(arguments, 1)
    if isinstance(owner, Object) and added is not None:
        place = index.value if isinstance(index, Constant) and isinstance(index.value, int) else None

        def change(content: Value) -> Value:
            if not isinstance(content, Sequence):
                return content
            if content.open or place is None:
                return Sequence((*content.items, added), True)
            items = list(content.items)
            items.insert(place, added)
            return _limited(run, tuple(items), False)

        change_content(run, owner, change)
    return NONE


def _pop(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    key = argument(arguments)
    if not isinstance(owner, Object):
        return None
    before = run.get(owner, "content")

    def popped(content: Value) -> Value:
        if isinstance(content, Mapping) and key is not None:
            known = content.get(key) or argument(arguments, 1)
            return run.restrict(known) if known is not None else derived("item", (owner, key), f"[{key}]")
        if _has_known_end(content, key) and isinstance(content, Sequence):
            return content.items[-1]
        return run.unknown(node)

    def left(content: Value) -> Value:
        if isinstance(content, Mapping) and key is not None:
            return Mapping(tuple(entry for entry in content.entries if entry[0] != key), content.open)
        if isinstance(content, Sequence):
            return Sequence(content.items[:-1]) if _has_known_end(content, key) else Sequence(content.items, True)
        return content

    found = run.each(before, popped)
    change_content(run, owner, left)
    return found


def _has_known_end(content: Value, key: Value | None) -> bool:
    is_last = key is None or key == Constant(-1)
    return isinstance(content, Sequence) and not content.open and bool(content.items) and is_last


def _clear(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    if isinstance(owner, Object):
        run.set(owner, "content", Mapping(()) if owner.kind == "dict" else Sequence(()))
    return NONE


def _copy(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    if not isinstance(owner, Object):
        return owner
    made = run.new_object(owner.kind, node)
    run.set(made, "content", run.get(owner, "content"))
    return made


def _get(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    key = argument(arguments)
    if not isinstance(owner, Object) or key is None:
        return None
    default = arguments.get(1, "default") or NONE

    def read(content: Value) -> Value:
        if isinstance(content, Mapping):
            found = content.get(key)
            if found is not None:
                return run.restrict(found)
            if not content.open and isinstance(key, Constant):
                return default
        return get_item(run, owner, key, node)

    return run.each(run.get(owner, "content"), read)


def _set_default(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    key = argument(arguments)
    default = arguments.get(1, "default") or NONE
    if isinstance(owner, Object) and isinstance(key, Constant):

        def change(content: Value) -> Value:
            if not isinstance(content, Mapping) or content.open or content.get(key) is not None:
                return content
            return stored(run, content, key, default)

        change_content(run, owner, change)
    return _get(run, owner, arguments, node)


def _update(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    given = argument(arguments)
    more = content_of(run, given) if given is not None else Mapping(())
    extra = tuple((Constant(name), value) for name, value in arguments.keywords)

    def change(content: Value) -> Value:
        if not isinstance(content, Mapping):
            return content
        if not isinstance(more, Mapping):
            return Mapping(extra, True)
        joined = Mapping(content.entries, content.open or more.open or arguments.open_keywords)
        for key, value in (*more.entries, *extra):
            joined = stored(run, joined, key, value)
        return joined

    if isinstance(owner, Object):
        change_content(run, owner, change)
    return NONE


def _columns(part: Callable[[tuple[Value, Value]], Value]) -> Method:
    def method(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        def column(content: Value) -> Value:
            if isinstance(content, Mapping):
                return Sequence(tuple(map(part, content.entries)), content.open)
            return derived("call", (owner, run.place(node)), str(owner))

        return run.each(content_of(run, owner), column)

    return method


def _text(method_name: str) -> Method:
    def method(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        given = [value.value for value in arguments.positional if isinstance(value, Constant)]
        plain = len(given) == len(arguments.positional) and not arguments.keywords
        if isinstance(owner, Constant) and isinstance(owner.value, str) and plain:
            try:
                found = getattr(owner.value, method_name)(*given)
            except (TypeError, ValueError, IndexError, KeyError):
                return run.unknown(node)
            if isinstance(found, list):
                kept = tuple(map(Constant, found[: run.limits.entries]))
                return new_list(run, Sequence(kept, len(found) > len(kept)), node)
            return Constant(found)
        return derived("call", (owner, method_name, *arguments.positional[:2]), f"{owner}.{method_name}()")

    return method


METHODS: dict[str, Method] = {
    "builtins.list.append": _append,
    "builtins.set.add": _append,
    "builtins.list.extend": _extend,
    "builtins.set.update": _extend,
    "builtins.list.insert": _insert,
    "builtins.list.pop": _pop,
    "builtins.dict.pop": _pop,
    "builtins.list.clear": _clear,
    "builtins.dict.clear": _clear,
    "builtins.list.copy": _copy,
    "builtins.dict.copy": _copy,
    "builtins.dict.get": _get,
    "builtins.dict.setdefault": _set_default,
    "builtins.dict.update": _update,
    "builtins.dict.items": _columns(Sequence),
    "builtins.dict.keys": _columns(lambda entry: entry[0]),
    "builtins.dict.values": _columns(lambda entry: entry[1]),
}


for _name in ("lower", "upper", "strip", "startswith", "endswith", "format", "replace", "split"):
    METHODS[f"builtins.str.{_name}"] = _text(_name)
