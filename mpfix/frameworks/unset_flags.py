"""Flags that nobody sets: parameters with the default False that decide whether half precision is used.

Callers outside the project, or of tomorrow, turn such a flag on: both of its sides are code that people run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mpfix.frameworks import rows
from mpfix.frameworks.keys import uses_of
from mpfix.frameworks.optimizers import WRAPPERS
from mpfix.frameworks.policies import MAKERS, SETTERS
from mpfix.semantic.syntax import Module
from mpfix.semantic.values import Function

if TYPE_CHECKING:
    from mpfix.semantic.run import Run

NAMES = frozenset({*SETTERS, *MAKERS, *WRAPPERS})
METHODS = frozenset({"get_scaled_loss", "get_unscaled_gradients", "scale_loss"})
"""Methods that belong to loss scale optimizers alone."""


def is_unset_flag(run: Run, function: Function, name: str) -> bool:
    """Whether a parameter decides about half precision, and no call of the component names it."""
    known = _KNOWN.setdefault(function.module, {})
    key = (function.node, name)
    if key not in known:
        known[key] = _decides(function, name)
    if not known[key]:
        return _is_option_of_loss(function) and not _is_given(run, function, name)
    return not _is_passed(run, function, name)


def _is_option_of_loss(function: Function) -> bool:
    """Whether a parameter says how a loss of the project is computed."""
    bases = function.owner.library_bases() if function.owner is not None and function.name == "__init__" else ()
    return any(rows.role_of(base.key) == "loss" for base in bases)


def _is_given(run: Run, function: Function, name: str) -> bool:
    """Whether a class is made, or its constructor called by an heir, with a parameter that is named."""
    modules = run.project.modules.values() if run.project is not None else (function.module,)
    called = ("__init__", function.owner.name if function.owner is not None else "")
    return any((one, name) in _passed(module) for module in modules for one in called)


def _decides(function: Function, name: str) -> bool:
    """Whether tests of a parameter, or of the attribute that keeps it, have half precision on one of their sides."""
    lines = _half_lines(function.module)
    if not lines:
        return False
    spans = list(_sides(function.node, lambda node: isinstance(node, ast.Name) and node.id == name))
    kept = _kept_as(function.node, name)
    if kept and function.owner is not None:
        spans += _sides(function.owner.node, lambda node: isinstance(node, ast.Attribute) and node.attr in kept)
    return any(first <= line <= last for first, last in spans for line in lines)


def _half_lines(module: Module) -> frozenset[int]:
    """The lines that set a policy, wrap an optimizer, or scale a loss."""
    lines = _LINES.get(module)
    if lines is None:
        names = {use.node.lineno for use in uses_of(module, NAMES)}
        lines = _LINES[module] = frozenset(names.union(_method_lines(module)))
    return lines


def _method_lines(module: Module) -> Iterator[int]:
    if any(method in module.document.text for method in METHODS):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                yield node.lineno


def _sides(scope: ast.AST, is_flag: Callable[[ast.AST], bool]) -> Iterator[tuple[int, int]]:
    """The lines of the statements and expressions that a test of a flag chooses between."""
    for node in ast.walk(scope):
        if isinstance(node, (ast.If, ast.IfExp)) and any(is_flag(one) for one in ast.walk(node.test)):
            sides = [*node.body, *node.orelse] if isinstance(node, ast.If) else [node.body, node.orelse]
            yield from ((one.lineno, one.end_lineno or one.lineno) for one in sides)


def _kept_as(function: ast.AST, name: str) -> frozenset[str]:
    """The attributes that a parameter is stored in as it is."""
    return frozenset(
        target.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == name
        for target in node.targets
        if isinstance(target, ast.Attribute)
    )


def _is_passed(run: Run, function: Function, name: str) -> bool:
    """Whether a call of a function of that name passes the parameter by its name; what makes a class has any name."""
    modules = run.project.modules.values() if run.project is not None else (function.module,)
    if function.name == "__init__":
        return any(keyword == name for module in modules for _, keyword in _passed(module))
    return any((function.name, name) in _passed(module) for module in modules)


def _passed(module: Module) -> frozenset[tuple[str, str]]:
    """The keywords of each call in a module, with the last part of the name of what is called."""
    found = _PASSED.get(module)
    if found is None:
        calls = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call) and node.keywords)
        found = _PASSED[module] = frozenset(
            (_last_name(call.func), keyword.arg) for call in calls for keyword in call.keywords if keyword.arg
        )
    return found


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


_KNOWN: WeakKeyDictionary[Module, dict[tuple[ast.AST, str], bool]] = WeakKeyDictionary()
_LINES: WeakKeyDictionary[Module, frozenset[int]] = WeakKeyDictionary()
_PASSED: WeakKeyDictionary[Module, frozenset[tuple[str, str]]] = WeakKeyDictionary()
