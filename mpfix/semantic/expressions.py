"""Expressions to values: one function per node kind, dispatched by type."""

from __future__ import annotations

import ast
import builtins as python_builtins
from collections.abc import Callable

from mpfix.semantic import operators
from mpfix.semantic.calls import call, class_attribute
from mpfix.semantic.comprehensions import comprehension
from mpfix.semantic.conditions import boolean, compare, test, truth_guards
from mpfix.semantic.containers import get_item, list_content, new_dict, new_list
from mpfix.semantic.guards import TRUE, Guard
from mpfix.semantic.imports import submodule
from mpfix.semantic.library import NameMissing, is_framework_value
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Bound,
    Class,
    Constant,
    Function,
    Library,
    Loop,
    Mapping,
    ModuleValue,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    derived,
)

PYTHON_NAMES = frozenset(dir(python_builtins)) | {
    "__file__",
    "__name__",
    "__doc__",
    "__builtins__",
    "get_ipython",
    "display",
}
SPINE = (ast.Attribute, ast.Call, ast.Subscript, ast.Await)


def evaluate(run: Run, node: ast.expr, frame: Frame) -> Value:
    """The value of an expression; long chains and sums are walked in loops, deep nesting gives an unknown."""
    run.step()
    if run.expression_depth > run.limits.expression_depth:
        run.cut("expression depth", node)
        return run.unknown(node)
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


def look_up(run: Run, name: str, frame: Frame) -> Value | None:
    """What a name is bound to on the current path: the frame, enclosing functions, the module, outside star imports."""
    box = frame.nonlocals.get(name)
    if box is not None:
        cells = run.store.read(box, name)
        return run.pick(cells) if cells else None
    scope: Frame | None = frame
    while scope is not None:
        if scope is frame or scope.kind != "class":
            cells = run.store.read(scope.box, name)
            found = run.pick(cells) if cells else None
            if found is not None:
                return found
        scope = scope.outer
    module_frame = run.module_frames.get(frame.module)
    if module_frame is not None:
        for module in reversed(module_frame.stars):
            value = _from_star(run, module, name)
            if value is not None:
                return value
    return None


def _from_star(run: Run, module: str | ModuleValue, name: str) -> Value | None:
    """What a star import binds to a name; a module of the project hands on what it got by stars itself."""
    if isinstance(module, str):
        return run.library.star(module, name)
    cells = None if name.startswith("_") else run.store.read(module.box, name)
    if cells or module.module is None or module.module not in run.module_frames:
        return run.pick(cells)
    stars = run.module_frames[module.module].stars
    inner = (_from_star(run, one, name) for one in reversed(stars) if one is not module)
    return next((value for value in inner if value is not None), None)


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
    while isinstance(node, SPINE):
        links.append(node)
        node = node.func if isinstance(node, ast.Call) else node.value
    value = evaluate(run, node, frame)
    for link in reversed(links):
        run.step()
        if isinstance(link, ast.Attribute):
            value = attribute(run, value, link.attr, link)
        elif isinstance(link, ast.Call):
            value = _call(run, value, link, frame)
        elif isinstance(link, ast.Subscript):
            key = evaluate(run, link.slice, frame)
            value = run.each(value, lambda owner, key=key, link=link: get_item(run, owner, key, link))  # type: ignore[misc]
    return value


def attribute(run: Run, value: Value, name: str, node: ast.AST) -> Value:
    """`value.name` for each alternative of the value."""
    return run.each(value, lambda owner: _attribute_of(run, owner, name, node))


def _attribute_of(run: Run, owner: Value, name: str, node: ast.AST) -> Value:
    if isinstance(owner, Loop):
        owner = owner.widened
    match owner:
        case ModuleValue(box=box):
            found = run.pick(run.store.read(box, name), lambda: _module_attribute(run, owner, name))
            return found or derived("attribute", (owner, name), f"{owner}.{name}")
        case Library():
            return run.library.attribute(run, owner, name, node) or derived(
                "attribute", (owner, name), f"{owner.key}.{name}"
            )
        case Unknown():
            return _unknown_attribute(run, owner, name, node)
        case Class():
            return _class_member(run, owner, name) or derived("attribute", (owner, name), f"{owner.name}.{name}")
        case Object():
            return _object_attribute(run, owner, name, node)
        case Record():
            found = run.library.attribute(run, owner, name, node)
            return found or derived("attribute", (owner, name), f"{owner.kind}.{name}")
        case Constant() | Sequence() | Mapping():
            return Bound(Library(f"builtins.{_type_name(owner)}.{name}"), owner)
        case Function() if name in ("__name__", "__qualname__"):
            return Constant(owner.name)
    return run.library.attribute(run, owner, name, node) or derived("attribute", (owner, name), f"{owner}.{name}")


def _module_attribute(run: Run, module: ModuleValue, name: str) -> Value | None:
    """A name that a module's body did not bind itself: by a star import, or a submodule."""
    return _from_star(run, module, name) or submodule(run, module, name)


def _type_name(value: Value) -> str:
    if isinstance(value, Constant):
        return type(value.value).__name__
    return "tuple" if isinstance(value, Sequence) else "dict"


def _unknown_attribute(run: Run, owner: Unknown, name: str, node: ast.AST) -> Value:
    box = run.unknown_boxes.get(owner)
    cells = run.store.read(box, name) if box else None
    found = run.pick(cells) if cells else None
    if found is None:
        found = run.library.attribute(run, owner, name, node)
    if found is None:
        found = derived("attribute", (owner, name), f"{owner}.{name}" if owner.depth < 6 else name)
    return found


def _class_member(run: Run, cls: Class, name: str) -> Value | None:
    return _member_from(run, cls, cls.mro(), name)


def _member_from(run: Run, cls: Class, chain: tuple[Class, ...], name: str) -> Value | None:
    """What a class attribute is along the rest of the look-up order."""
    for index, base in enumerate(chain):
        cells = run.store.read(base.box, name)
        if cells:
            found = run.pick(cells, lambda rest=chain[index + 1 :]: _member_from(run, cls, rest, name))  # type: ignore[misc]
            return Bound(found, cls) if isinstance(found, Function) and "classmethod" in found.marks else found
    for library in cls.library_bases():
        return Library(f"{library.key}.{name}", library.package)
    return None


def _object_attribute(run: Run, owner: Object, name: str, node: ast.AST) -> Value:
    if owner.kind == "super":
        return class_attribute(run, owner, name, node) or derived("attribute", (owner, name), f"super().{name}")
    if owner.kind in ("list", "dict", "set"):
        return Bound(Library(f"builtins.{owner.kind}.{name}"), owner)
    found = run.pick(run.store.read(owner.box, name), lambda: _inherited(run, owner, name, node))
    if found is not None:
        return found
    return derived("attribute", (owner, name), f"self.{name}" if owner.cls else f"{owner.kind}.{name}")


def _inherited(run: Run, owner: Object, name: str, node: ast.AST) -> Value | None:
    """What an object that never got the attribute has by its class or its library."""
    if owner.cls is not None:
        found = class_attribute(run, owner, name, node)
        if found is not None:
            return found
    return run.library.attribute(run, owner, name, node)


# -- calls


def _call(run: Run, function: Value, node: ast.Call, frame: Frame) -> Value:
    if isinstance(function, Library) and function.key == "builtins.super":
        return _super(run, node, frame)
    arguments = evaluate_arguments(run, node, frame)
    return call(run, function, arguments, node)


def evaluate_arguments(run: Run, node: ast.Call, frame: Frame) -> Arguments:
    """The arguments of a call, `*` and `**` unpacked as far as they are known."""
    positional: list[Value] = []
    keywords: list[tuple[str, Value]] = []
    open_positional = open_keywords = False
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            content = list_content(run, run.restrict(evaluate(run, argument.value, frame)))
            if content is None or content.open:
                open_positional = True
            if content is not None:
                positional.extend(content.items if not content.open else ())
        else:
            positional.append(evaluate(run, argument, frame))
    for keyword in node.keywords:
        value = evaluate(run, keyword.value, frame)
        if keyword.arg is not None:
            keywords.append((keyword.arg, value))
            continue
        entries = _dict_entries(run, value)
        open_keywords = open_keywords or entries is None or entries.open
        for key, entry in entries.entries if entries else ():
            if isinstance(key, Constant) and isinstance(key.value, str):
                keywords.append((key.value, entry))
    return Arguments(tuple(positional), tuple(keywords), open_positional, open_keywords)


def _dict_entries(run: Run, value: Value) -> Mapping | None:
    if isinstance(value, Object) and value.kind == "dict":
        content = run.get(value, "content")
        return content if isinstance(content, Mapping) else None
    return value if isinstance(value, Mapping) else None


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
    saved = run.path
    gathered: Guard = TRUE
    try:
        for index, operand in enumerate(node.values):
            value = evaluate(run, operand, frame)
            if index == len(node.values) - 1:
                results.append((TRUE, value))
                break
            yes, no = truth_guards(run, value)
            stops, goes_on = (yes, no) if is_or else (no, yes)
            if goes_on is None:
                results.append((TRUE, value))
                break
            if stops is not None:
                results.append((gathered | stops, _kept_operand(run, value, is_or, stops)))
                path = run.under(goes_on)
                if path is None:
                    break
                run.path, gathered = path, gathered | goes_on
    finally:
        run.path = saved
    return run.merge(results) or run.unknown(node)


def _kept_operand(run: Run, value: Value, truthy: bool, guard: Guard) -> Value:
    path = run.under(guard)
    if path is None:
        return value
    with run.on_path(path):
        return run.restrict(value)


def _conditional(run: Run, node: ast.IfExp, frame: Frame) -> Value:
    yes, no = test(run, node.test, frame)
    results: list[tuple[Guard, Value]] = []
    for guard, branch in ((yes, node.body), (no, node.orelse)):
        path = run.under(guard) if guard is not None else None
        if guard is not None and path is not None:
            with run.on_path(path):
                results.append((guard, evaluate(run, branch, frame)))
    return run.merge(results) or run.unknown(node)


# -- displays


def _tuple(run: Run, node: ast.Tuple, frame: Frame) -> Value:
    items, is_open = _items(run, node.elts, frame)
    return Sequence(items, is_open)


def _list(run: Run, node: ast.List | ast.Set, frame: Frame) -> Value:
    items, is_open = _items(run, node.elts, frame)
    return new_list(run, Sequence(items, is_open), node, kind="list" if isinstance(node, ast.List) else "set")


def _items(run: Run, elements: list[ast.expr], frame: Frame) -> tuple[tuple[Value, ...], bool]:
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


def _dict(run: Run, node: ast.Dict, frame: Frame) -> Value:
    entries: list[tuple[Value, Value]] = []
    is_open = False
    for key, value in zip(node.keys, node.values, strict=True):
        if len(entries) >= run.limits.entries:
            is_open = True
            break
        if key is None:
            more = _dict_entries(run, evaluate(run, value, frame))
            is_open = is_open or more is None or more.open
            entries.extend(more.entries if more else ())
        else:
            entries.append((evaluate(run, key, frame), evaluate(run, value, frame)))
    return new_dict(run, Mapping(tuple(entries), is_open), node)


def _joined(run: Run, node: ast.JoinedStr, frame: Frame) -> Value:
    parts: list[str] | None = []
    for piece in node.values:
        value = evaluate(run, piece.value if isinstance(piece, ast.FormattedValue) else piece, frame)
        plain = isinstance(value, Constant) and not (isinstance(piece, ast.FormattedValue) and piece.format_spec)
        if parts is not None and plain and isinstance(value, Constant):
            parts.append(str(value.value))
        else:
            parts = None
    return run.unknown(node) if parts is None else Constant("".join(parts))


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


def _slice(run: Run, node: ast.Slice, frame: Frame) -> Value:
    parts = tuple(
        evaluate(run, part, frame) if part is not None else NONE for part in (node.lower, node.upper, node.step)
    )
    return Sequence((Constant("slice"), *parts))


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
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _list,
    ast.Dict: _dict,
    ast.ListComp: comprehension,
    ast.SetComp: comprehension,
    ast.GeneratorExp: comprehension,
    ast.DictComp: comprehension,
    ast.JoinedStr: _joined,
    ast.Lambda: _lambda,
    ast.NamedExpr: _named,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.Starred: _starred,
    ast.Slice: _slice,
}

__all__ = ["attribute", "default_values", "evaluate", "evaluate_arguments", "is_framework_value", "look_up"]
