"""What Python's own functions and methods do to abstract values."""

from __future__ import annotations

import ast
from collections.abc import Callable

from mpfix.semantic import operators
from mpfix.semantic.comprehensions import iterate
from mpfix.semantic.conditions import truth
from mpfix.semantic.containers import get_item, list_content, new_dict, new_list
from mpfix.semantic.exits import STOP, leave
from mpfix.semantic.guards import TRUE
from mpfix.semantic.library import is_framework_value
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    Bound,
    Choice,
    Class,
    Constant,
    Function,
    Library,
    Loop,
    Mapping,
    Object,
    Partial,
    Record,
    Sequence,
    Unknown,
    Value,
    derived,
)

Handler = Callable[[Run, Arguments, ast.AST], "Value | None"]
Method = Callable[[Run, Value, Arguments, ast.AST], "Value | None"]


def call_python(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """A call of a Python builtin, a method of a builtin type, or a modelled function of the standard library."""
    if isinstance(function, Library):
        handler = FUNCTIONS.get(function.key)
        if handler is not None:
            return handler(run, arguments, node)
        return run.unknown(node) if function.key.startswith("builtins.") and "." in function.key[9:] else None
    if isinstance(function, Bound) and isinstance(function.function, Library):
        method = METHODS.get(function.function.key)
        if method is not None:
            receiver = function.receiver.widened if isinstance(function.receiver, Loop) else function.receiver
            return method(run, receiver, arguments, node)
        if function.function.key.startswith("builtins.") and not function.function.key.startswith("builtins.object."):
            return derived("call", (function, *arguments.positional[:2], run.place(node)), f"{function}()")
        if function.function.key.startswith("builtins.object."):
            return NONE
    return None


def _first(arguments: Arguments, position: int = 0) -> Value | None:
    return arguments.positional[position] if position < len(arguments.positional) else None


# -- functions


def _zip(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    columns = [iterate(run, value, node, None) for value in arguments.positional]
    if not columns or arguments.open_positional:
        return None
    if any(column.open for column in columns) or len({len(column.items) for column in columns}) > 1:
        firsts = tuple(column.items[0] if column.items else run.unknown(node) for column in columns)
        return Sequence((Sequence(firsts),), True)
    rows = zip(*(column.items for column in columns), strict=True)
    return Sequence(tuple(Sequence(tuple(row)) for row in rows))


def _enumerate(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = _first(arguments)
    if first is None:
        return None
    column = iterate(run, first, node, None)
    start = arguments.get(1, "start") or Constant(0)
    if column.open or not isinstance(start, Constant):
        index = Unknown(("index", start, run.place(node)), "index")
        item = column.items[0] if column.items else run.unknown(node)
        return Sequence((Sequence((index, item)),), True)
    return Sequence(tuple(Sequence((Constant(start.value + i), item)) for i, item in enumerate(column.items)))


def _range(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    start = arguments.positional[0] if len(arguments.positional) > 1 else Constant(0)
    return Sequence((Unknown(("index", start, run.place(node)), "index"),), True)


def _len(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = _first(arguments)
    content = list_content(run, first) if first is not None else None
    if content is not None and not content.open:
        return Constant(len(content.items))
    return derived("length", (first,), f"len({first})") if first is not None else None


def _isinstance(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    value, of = _first(arguments), _first(arguments, 1)
    if value is None or of is None:
        return None
    return run.each(value, lambda one: _is_instance(run, one, of))


def _is_instance(run: Run, value: Value, of: Value) -> Value:
    value = value.widened if isinstance(value, Loop) else value
    classes = list_content(run, of)
    answers = [_is_instance_of(run, value, one) for one in (classes.items if classes else (of,))]
    if True in answers:
        return TRUE_VALUE
    if None in answers:
        return derived("isinstance", (value, of), f"isinstance({value}, {of})")
    return FALSE_VALUE


PYTHON_TYPES = {"bool": (bool,), "int": (int,), "float": (float,), "str": (str,), "bytes": (bytes,)}


def _is_instance_of(run: Run, value: Value, of: Value) -> bool | None:
    if isinstance(of, Library) and of.key.startswith("builtins."):
        name = of.key[9:]
        if isinstance(value, Constant):
            return isinstance(value.value, PYTHON_TYPES[name]) if name in PYTHON_TYPES else False
        if isinstance(value, Object) and value.kind in ("list", "dict", "set"):
            return value.kind == name
        if isinstance(value, Sequence):
            return name == "tuple"
        return False if isinstance(value, (Function, Class, Record)) and name in PYTHON_TYPES else None
    if isinstance(of, Class):
        if isinstance(value, Object) and value.cls is not None:
            return of in value.cls.mro() or (None if value.cls.has_unknown_base() else False)
        return False if isinstance(value, (Constant, Sequence, Record)) else None
    return run.library.is_instance(run, value, of)


def _hasattr(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    value, name = _first(arguments), _first(arguments, 1)
    if value is None or not isinstance(name, Constant):
        return None
    return run.each(value, lambda one: _has(run, one, str(name.value), node))


def _has(run: Run, value: Value, name: str, node: ast.AST) -> Value:
    value = value.widened if isinstance(value, Loop) else value
    if isinstance(value, Object) and value.box.cells.get(name):
        return TRUE_VALUE
    if isinstance(value, Object) and value.cls is not None:
        if any(name in cls.box.cells for cls in value.cls.mro()):
            return TRUE_VALUE
        if not value.cls.library_bases() and not value.cls.has_unknown_base():
            return FALSE_VALUE
    known = None
    if is_framework_value(value) or isinstance(value, (Object, Unknown)):
        known = run.library.has_attribute(run, value, name, node)
    if known is None:
        return derived("hasattr", (value, name), f'hasattr({value}, "{name}")')
    return TRUE_VALUE if known else FALSE_VALUE


def _getattr(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    value, name, default = _first(arguments), _first(arguments, 1), _first(arguments, 2)
    if value is None or not isinstance(name, Constant):
        return None

    def read(one: Value) -> Value:
        if default is not None:
            has = _has(run, one, str(name.value), node)
            if has == FALSE_VALUE:
                return default
            if has != TRUE_VALUE and not isinstance(one, Unknown):
                found = run.attribute(one, str(name.value), node)
                return run.merge([(frozenset({(has, True)}), found), (TRUE, default)]) or default
        return run.attribute(one, str(name.value), node)

    return run.each(value, read)


def _setattr(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    owner, name, value = (_first(arguments, i) for i in range(3))
    if isinstance(owner, Object) and isinstance(name, Constant) and value is not None:
        run.set(owner, str(name.value), value)
    return NONE


def _to_list(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = _first(arguments)
    if first is None:
        return new_list(run, Sequence(()), node)
    if isinstance(first, Record):
        return first
    return new_list(run, iterate(run, first, node, None), node)


def _to_tuple(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = _first(arguments)
    if first is None or isinstance(first, Record):
        return first or Sequence(())
    return iterate(run, first, node, None)


def _reordered(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = _first(arguments)
    if first is None or isinstance(first, Record):
        return first
    content = iterate(run, first, node, None)
    return new_list(
        run, Sequence(tuple(reversed(content.items)) if not content.open else content.items, content.open), node
    )


def _to_dict(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    entries: list[tuple[Value, Value]] = []
    is_open = arguments.open_keywords
    for value in arguments.positional:
        content = run.get(value, "content") if isinstance(value, Object) and value.kind == "dict" else NONE
        is_open = is_open or not isinstance(content, Mapping) or content.open
        entries.extend(content.entries if isinstance(content, Mapping) else ())
    entries.extend((Constant(name), value) for name, value in arguments.keywords)
    return new_dict(run, Mapping(tuple(entries), is_open), node)


def _map(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    function = _first(arguments)
    if function is None or len(arguments.positional) < 2:
        return None
    columns = [iterate(run, value, node, None) for value in arguments.positional[1:]]
    if any(column.open for column in columns) or len({len(c.items) for c in columns}) > 1:
        row = tuple(column.items[0] if column.items else run.unknown(node) for column in columns)
        return Sequence((run.call(function, Arguments(row), node),), True)
    rows = zip(*(column.items for column in columns), strict=True)
    return Sequence(tuple(run.call(function, Arguments(tuple(row)), node) for row in rows))


def _filter(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    value = _first(arguments, 1)
    return Sequence(iterate(run, value, node, None).items, True) if value is not None else None


def _next(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = _first(arguments)
    if first is None:
        return None
    content = iterate(run, first, node, None)
    return Unknown(("next", content.items, run.place(node)), "next()") if len(content.items) != 1 else content.items[0]


def _same(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    return _first(arguments)


def _converted(convert: Callable[[object], object], name: str) -> Handler:
    def handler(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
        first = _first(arguments)
        if first is None:
            return Constant(convert(""[:0] if name == "str" else 0))
        return run.each(first, lambda one: _convert(run, convert, name, one))

    return handler


def _convert(run: Run, convert: Callable[[object], object], name: str, value: Value) -> Value:
    if name == "bool":
        known = truth(run, value)
        if known is not None:
            return Constant(known)
        return value if isinstance(value, Unknown) else derived("convert", (name, value), f"bool({value})")
    if isinstance(value, Constant):
        try:
            return Constant(convert(value.value))
        except (TypeError, ValueError, OverflowError):
            return derived("convert", (name, value), f"{name}({value})")
    if isinstance(value, Unknown) and value.origin[0] == "environment":
        default = _convert(run, convert, name, value.origin[2])
        return Unknown(("environment", value.origin[1], default, name), f"{name}({value})", value.depth)
    if is_framework_value(value) and not isinstance(value, Library):
        found = run.library.operator(
            run, name, (value,), value.place.node if isinstance(value, (Record, Object)) else ast.Pass()
        )
        if found is not None:
            return found
    return derived("convert", (name, value), f"{name}({value})")


def _sum(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = _first(arguments)
    content = list_content(run, first) if first is not None else None
    if content is None or not content.items:
        return None
    total = content.items[0]
    for item in content.items[1:] if not content.open else content.items[:1]:
        total = operators.binary(run, "Add", total, item, node)
    return total


def _partial(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = _first(arguments)
    if first is None or arguments.open_keywords or arguments.open_positional:
        return None
    return Partial(first, arguments.positional[1:], arguments.keywords)


def _wraps(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    return Library("builtins.identity")


def _none(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    return NONE


def _print(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    run.library.call(run, Library("builtins.print"), arguments, node)
    return NONE


def _exit(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    leave(run, STOP)
    return NONE


def _environment(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    """`os.environ.get(name, default)`: one value a name, in the whole run; a switch where it has a default."""
    name, default = _first(arguments), arguments.get(1, "default")
    if not isinstance(name, Constant):
        return None
    chosen = run.get_global(f"environment {name.value}")
    if chosen is not None:
        return chosen
    text = f'os.environ["{name.value}"]'
    return Unknown(("environment", name, default or NONE), text)


def _type(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = _first(arguments)
    return first.cls if isinstance(first, Object) and first.cls is not None else None


def _submit(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    """`Thread(target=f, args=(...))`: the function is called with what it is given."""
    target, given = arguments.keyword("target"), arguments.keyword("args")
    if target is not None:
        content = list_content(run, given) if given is not None else Sequence(())
        run.call(target, Arguments(content.items if content else (), open_positional=content is None), node)
    return None


FUNCTIONS: dict[str, Handler] = {
    "builtins.zip": _zip,
    "itertools.zip_longest": _zip,
    "builtins.enumerate": _enumerate,
    "builtins.range": _range,
    "builtins.len": _len,
    "builtins.isinstance": _isinstance,
    "builtins.hasattr": _hasattr,
    "builtins.getattr": _getattr,
    "builtins.setattr": _setattr,
    "builtins.list": _to_list,
    "builtins.tuple": _to_tuple,
    "builtins.set": _to_list,
    "builtins.sorted": _reordered,
    "builtins.reversed": _reordered,
    "builtins.dict": _to_dict,
    "builtins.map": _map,
    "builtins.filter": _filter,
    "builtins.next": _next,
    "builtins.iter": _same,
    "builtins.identity": _same,
    "copy.copy": _same,
    "tqdm.tqdm": _same,
    "tqdm.auto.tqdm": _same,
    "tqdm.notebook.tqdm": _same,
    "builtins.int": _converted(int, "int"),  # type: ignore[arg-type]
    "builtins.float": _converted(float, "float"),  # type: ignore[arg-type]
    "builtins.str": _converted(str, "str"),
    "builtins.bool": _converted(bool, "bool"),
    "builtins.sum": _sum,
    "builtins.print": _print,
    "builtins.exit": _exit,
    "builtins.quit": _exit,
    "sys.exit": _exit,
    "os._exit": _exit,
    "os.abort": _exit,
    "builtins.type": _type,
    "functools.partial": _partial,
    "functools.wraps": _wraps,
    "os.environ.get": _environment,
    "os.getenv": _environment,
    "threading.Thread": _submit,
    "multiprocessing.Process": _submit,
}


# -- methods


def _append(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    added = _first(arguments)
    if isinstance(owner, Object) and added is not None:
        content = run.get(owner, "content")
        if isinstance(content, Sequence):
            items = content.items if content.open and added in content.items else (*content.items, added)
            is_open = content.open or len(items) > run.limits.entries
            run.set(owner, "content", Sequence(items[: run.limits.entries], is_open))
        elif isinstance(content, Choice):
            run.set(owner, "content", run.each(content, lambda one: _appended(one, added)))
    return NONE


def _appended(content: Value, added: Value) -> Value:
    return Sequence((*content.items, added), content.open) if isinstance(content, Sequence) else content


def _extend(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    first = _first(arguments)
    if isinstance(owner, Object) and first is not None:
        content, more = run.get(owner, "content"), iterate(run, first, node, None)
        if isinstance(content, Sequence):
            items = (*content.items, *more.items)
            is_open = content.open or more.open or len(items) > run.limits.entries
            run.set(owner, "content", Sequence(items[: run.limits.entries], is_open))
    return NONE


def _insert(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    index, added = _first(arguments), _first(arguments, 1)
    if isinstance(owner, Object) and added is not None:
        content = run.get(owner, "content")
        if (
            isinstance(content, Sequence)
            and not content.open
            and isinstance(index, Constant)
            and isinstance(index.value, int)
        ):
            items = list(content.items)
            items.insert(index.value, added)
            run.set(owner, "content", Sequence(tuple(items)))
        elif isinstance(content, Sequence):
            run.set(owner, "content", Sequence((*content.items, added), True))
    return NONE


def _pop(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    key = _first(arguments)
    if not isinstance(owner, Object):
        return None
    content = run.get(owner, "content")
    if isinstance(content, Mapping) and key is not None:
        found = content.get(key)
        run.set(owner, "content", Mapping(tuple(e for e in content.entries if e[0] != key), content.open))
        return found or _first(arguments, 1) or derived("item", (owner, key), f"[{key}]")
    if isinstance(content, Sequence) and not content.open and content.items and (key is None or key == Constant(-1)):
        run.set(owner, "content", Sequence(content.items[:-1]))
        return content.items[-1]
    if isinstance(content, Sequence):
        run.set(owner, "content", Sequence(content.items, True))
    return run.unknown(node)


def _clear(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    if isinstance(owner, Object):
        run.set(owner, "content", Mapping(()) if owner.kind == "dict" else Sequence(()))
    return NONE


def _copy(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    if not isinstance(owner, Object):
        return owner
    content = run.get(owner, "content")
    if isinstance(content, Mapping):
        return new_dict(run, content, node)
    return new_list(run, content, node) if isinstance(content, Sequence) else None


def _get(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    key = _first(arguments)
    if not isinstance(owner, Object) or key is None:
        return None
    content = run.get(owner, "content")
    if isinstance(content, Mapping):
        found = content.get(key)
        if found is not None:
            return found
        if not content.open and isinstance(key, Constant):
            return arguments.get(1, "default") or NONE
    return get_item(run, owner, key, node)


def _set_default(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    return _get(run, owner, arguments, node)


def _update(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    first = _first(arguments)
    if isinstance(owner, Object):
        content = run.get(owner, "content")
        more = run.get(first, "content") if isinstance(first, Object) and first.kind == "dict" else None
        if isinstance(content, Mapping):
            entries = more.entries if isinstance(more, Mapping) else ()
            extra = tuple((Constant(name), value) for name, value in arguments.keywords)
            is_open = content.open or (first is not None and not isinstance(more, Mapping))
            kept = () if first is not None and not isinstance(more, Mapping) else content.entries
            run.set(owner, "content", Mapping((*kept, *entries, *extra)[: run.limits.entries], is_open))
    return NONE


def _columns(part: Callable[[tuple[Value, Value]], Value]) -> Method:
    def method(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        content = run.get(owner, "content") if isinstance(owner, Object) else owner
        return Sequence(tuple(map(part, content.entries)), content.open) if isinstance(content, Mapping) else None

    return method


def _text(method_name: str) -> Method:
    def method(run: Run, owner: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        given = [value.value for value in arguments.positional if isinstance(value, Constant)]
        plain = len(given) == len(arguments.positional) and not arguments.keywords
        if isinstance(owner, Constant) and isinstance(owner.value, str) and plain:
            try:
                return Constant(getattr(owner.value, method_name)(*given))
            except (TypeError, ValueError, IndexError, KeyError):
                return run.unknown(node)
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
    "os.environ.get": lambda run, owner, arguments, node: _environment(run, arguments, node),
}
for _name in ("lower", "upper", "strip", "startswith", "endswith", "format", "replace"):
    METHODS[f"builtins.str.{_name}"] = _text(_name)
