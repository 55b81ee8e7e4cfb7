"""What Python's own functions and methods do to abstract values."""

from __future__ import annotations

import ast
from collections.abc import Callable

from mpfix.semantic import operators
from mpfix.semantic.comprehensions import iterate
from mpfix.semantic.conditions import truth
from mpfix.semantic.container_methods import METHODS
from mpfix.semantic.containers import argument, content_of, list_content, new_dict, new_list
from mpfix.semantic.exits import STOP, leave
from mpfix.semantic.introspection import getattr_of, hasattr_of, isinstance_of, setattr_of, type_of
from mpfix.semantic.library import is_framework_value
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Bound,
    Constant,
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


# -- functions


def _zip(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    columns = [iterate(run, value, node, None) for value in (*arguments.positional, *arguments.rest)]
    if not columns or arguments.open_positional:
        return _turned(columns) if arguments.rest else None
    if any(column.open for column in columns) or len({len(column.items) for column in columns}) > 1:
        firsts = tuple(column.items[0] if column.items else run.unknown(node) for column in columns)
        return Sequence((Sequence(firsts),), True)
    rows = zip(*(column.items for column in columns), strict=True)
    return Sequence(tuple(Sequence(tuple(row)) for row in rows))


def _turned(rows: list[Sequence]) -> Value | None:
    """`zip(*rows)` of nobody knows how many rows that are all as long."""
    if not rows or any(row.open for row in rows) or len({len(row.items) for row in rows}) > 1:
        return None
    return Sequence(tuple(Sequence(column, True) for column in zip(*(row.items for row in rows), strict=True)))


def _enumerate(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = argument(arguments)
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
    first = argument(arguments)
    return run.each(content_of(run, first), lambda content: _length(content, first)) if first is not None else None


def _length(content: Value, value: Value) -> Value:
    if isinstance(content, (Sequence, Mapping)) and not content.open:
        return Constant(len(content.items if isinstance(content, Sequence) else content.entries))
    return derived("length", (value,), f"len({value})")


def _to_list(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = argument(arguments)
    if first is None:
        return new_list(run, Sequence(()), node)
    if isinstance(first, Record):
        return first
    return new_list(run, iterate(run, first, node, None), node)


def _to_tuple(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = argument(arguments)
    if first is None or isinstance(first, Record):
        return first or Sequence(())
    return iterate(run, first, node, None)


def _reordered(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = argument(arguments)
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
    function = argument(arguments)
    if function is None or len(arguments.positional) < 2:
        return None
    columns = [iterate(run, value, node, None) for value in arguments.positional[1:]]
    if any(column.open for column in columns) or len({len(c.items) for c in columns}) > 1:
        row = tuple(column.items[0] if column.items else run.unknown(node) for column in columns)
        return Sequence((run.call(function, Arguments(row), node),), True)
    rows = zip(*(column.items for column in columns), strict=True)
    return Sequence(tuple(run.call(function, Arguments(tuple(row)), node) for row in rows))


def _filter(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    value = argument(arguments, 1)
    return Sequence(iterate(run, value, node, None).items, True) if value is not None else None


def _next(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = argument(arguments)
    if first is None:
        return None
    content = iterate(run, first, node, None)
    return Unknown(("next", content.items, run.place(node)), "next()") if len(content.items) != 1 else content.items[0]


def _same(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    return argument(arguments)


def _converted(convert: Callable[[object], object], name: str) -> Handler:
    def handler(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
        first = argument(arguments)
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
    first = argument(arguments)
    content = list_content(run, first) if first is not None else None
    if content is None or not content.items:
        return None
    total = content.items[0]
    for item in content.items[1:] if not content.open else content.items[:1]:
        total = operators.binary(run, "Add", total, item, node)
    return total


def _partial(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = argument(arguments)
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
    name, default = argument(arguments), arguments.get(1, "default")
    if not isinstance(name, Constant):
        return None
    chosen = run.get_global(f"environment {name.value}")
    if chosen is not None:
        return chosen
    text = f'os.environ["{name.value}"]'
    return Unknown(("environment", name, default or NONE), text)


def _submit(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    """`Thread(target=f, args=(...))`: the function is called with what it is given."""
    target, given = arguments.keyword("target"), arguments.keyword("args")
    if target is not None:
        content = list_content(run, given) if given is not None else Sequence(())
        run.call(target, Arguments(content.items if content else (), open_positional=content is None), node)
    return run.unknown(node)


FUNCTIONS: dict[str, Handler] = {
    "builtins.zip": _zip,
    "itertools.zip_longest": _zip,
    "builtins.enumerate": _enumerate,
    "builtins.range": _range,
    "builtins.len": _len,
    "builtins.isinstance": isinstance_of,
    "builtins.hasattr": hasattr_of,
    "builtins.getattr": getattr_of,
    "builtins.setattr": setattr_of,
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
    "builtins.type": type_of,
    "functools.partial": _partial,
    "functools.wraps": _wraps,
    "os.environ.get": _environment,
    "os.getenv": _environment,
    "threading.Thread": _submit,
    "multiprocessing.Process": _submit,
}


# -- methods
