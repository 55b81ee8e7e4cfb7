"""Whether the arguments of a call fit the parameters of what is called."""

from __future__ import annotations

import ast

from mpfix.semantic.run import Run
from mpfix.semantic.values import Arguments, Bound, Class, Function, Value

PLAIN_DECORATORS = frozenset({"staticmethod", "classmethod", "override"})
"""Decorators that leave the parameters of a function as they stand in its definition."""


def is_misfit(run: Run, function: Value, arguments: Arguments) -> bool:
    """Whether a call of a project's function or class surely raises `TypeError` for what it passes.

    A decorator may pass arguments of its own, a metaclass or `__new__` may make the instance: those calls may fit.
    """
    match function:
        case Function():
            return _fits_not(function, arguments)
        case Bound(function=Function() as method, receiver=receiver):
            return _fits_not(method, arguments.after(receiver))
        case Class():
            initialiser = _initialiser(run, function)
            return initialiser is not None and _fits_not(initialiser, arguments.after(function))
    return False


def _initialiser(run: Run, cls: Class) -> Function | None:
    """The `__init__` that surely makes an instance; None where something else may."""
    for one in cls.mro():
        if one.node.decorator_list or one.node.keywords or run.store.read(one.box, "__new__"):
            return None
        cells = run.store.read(one.box, "__init__")
        if cells:
            found = run.pick(cells)
            return found if isinstance(found, Function) else None
    return None


def _fits_not(function: Function, arguments: Arguments) -> bool:
    node = function.node
    if isinstance(node, ast.Lambda) or (_has_plain_decorators(node) and not _is_placeholder(node)):
        return _has_too_many(node.args, arguments) or _has_too_few(node.args, arguments)
    return False


def _has_plain_decorators(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return all(isinstance(one, ast.Name) and one.id in PLAIN_DECORATORS for one in node.decorator_list)


def _is_placeholder(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a body does nothing: heirs that nobody sees here may do something, with other parameters."""
    body = [one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    return all(isinstance(one, ast.Pass) for one in body)


def _has_too_many(spec: ast.arguments, arguments: Arguments) -> bool:
    """Whether something is passed that no parameter takes."""
    if spec.vararg is None and len(arguments.positional) > len(spec.posonlyargs) + len(spec.args):
        return True
    taken = {one.arg for one in (*spec.args, *spec.kwonlyargs)}
    return spec.kwarg is None and not taken.issuperset(name for name, _ in arguments.keywords)


def _has_too_few(spec: ast.arguments, arguments: Arguments) -> bool:
    """Whether a parameter without a default surely gets nothing."""
    if arguments.open_keywords:
        return False
    given = {name for name, _ in arguments.keywords}
    positional = [one.arg for one in (*spec.posonlyargs, *spec.args)]
    needed = positional[len(arguments.positional) : len(positional) - len(spec.defaults)]
    if not arguments.open_positional and not given.issuperset(needed):
        return True
    named = zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    return any(default is None and one.arg not in given for one, default in named)
