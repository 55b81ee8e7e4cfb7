"""What `isinstance`, `hasattr`, `getattr`, `setattr` and `type` say of abstract values."""

from __future__ import annotations

import ast

from mpfix.semantic.containers import argument, list_content
from mpfix.semantic.guards import TRUE
from mpfix.semantic.library import is_framework_value
from mpfix.semantic.run import Run
from mpfix.semantic.texts import is_text
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    Class,
    Constant,
    Function,
    Library,
    Loop,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    derived,
)


def isinstance_of(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    value, of = argument(arguments), argument(arguments, 1)
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
        if is_text(value):
            return name == "str"
        if isinstance(value, Object) and value.cls is not None and name in PYTHON_TYPES:
            return None if value.cls.has_unknown_base() or value.cls.library_bases() else False
        return False if isinstance(value, (Function, Class, Record)) and name in PYTHON_TYPES else None
    if isinstance(of, Class):
        if isinstance(value, Object) and value.cls is not None:
            return of in value.cls.mro() or (None if value.cls.has_unknown_base() else False)
        return False if isinstance(value, (Constant, Sequence, Record)) else None
    return run.library.is_instance(run, value, of)


def hasattr_of(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    value, name = argument(arguments), argument(arguments, 1)
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


def getattr_of(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    value, name, default = argument(arguments), argument(arguments, 1), argument(arguments, 2)
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


def setattr_of(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    owner, name, value = (argument(arguments, i) for i in range(3))
    if isinstance(owner, Object) and isinstance(name, Constant) and value is not None:
        text = str(name.value)
        if not run.library.store(run, owner, text, value, node):
            run.set(owner, text, value)
    return NONE


def type_of(run: Run, arguments: Arguments, node: ast.AST) -> Value | None:
    first = argument(arguments)
    return first.cls if isinstance(first, Object) and first.cls is not None else None
