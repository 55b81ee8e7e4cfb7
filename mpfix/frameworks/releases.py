"""Releases of TensorFlow that a module is written for: those that it can run on, and those that it asks for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from weakref import WeakKeyDictionary

from mpfix.frameworks.keys import outside_names
from mpfix.frameworks.tables import load_table
from mpfix.semantic.syntax import Module

MISSING = frozenset({"ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException"})
"""Exceptions of a name that a release does not have."""

VERSIONS = tuple(f"tensorflow.{name}." for name in ("__version__", "VERSION", "version", "compat.v1.VERSION"))
"""What tells the release of TensorFlow, with a dot behind each."""


def needs_first_releases(module: Module) -> bool:
    """Whether a module runs on TensorFlow 1 only, where some names exist, or mean something, that later ones do not.

    It uses names that no TensorFlow 2 has, and never asks which release it runs on.
    """
    found = _KNOWN.get(module)
    if found is None:
        found = _KNOWN[module] = _needs_first_releases(module)
    return found


_KNOWN: WeakKeyDictionary[Module, bool] = WeakKeyDictionary()


def asks_for_release(test: ast.expr) -> bool:
    """Whether a condition looks at a version, or at whether an attribute exists."""
    for node in ast.walk(test):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name == "hasattr" or "version" in name.lower():
            return True
    return False


def catches_missing(handler: ast.ExceptHandler) -> bool:
    """Whether a handler is reached when a name does not exist."""
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in MISSING for kind in caught)


def _needs_first_releases(module: Module) -> bool:
    if "tensorflow" not in module.document.text:
        return False
    nodes: dict[int, bool] = {}
    for use in outside_names(module).uses:
        # a name with a second meaning, such as `tensorflow.compat.v1`, is right with that one
        nodes[id(use.node)] = nodes.get(id(use.node), True) and use.certain and _is_first(use.qualified)
    needed = {node for node, is_first in nodes.items() if is_first}
    needed |= {id(item.statement) for item in outside_names(module).imports if _is_first(item.qualified)}
    if not needed or _chooses_by_release(module):
        return False
    return not needed <= {id(node) for part in _guarded(module.tree) for node in ast.walk(part)}


def _is_first(qualified: str) -> bool:
    """Whether a dotted outside name is one of the table, or below one."""
    head = qualified
    names = _names()
    while "." in head:
        if head in names:
            return True
        head = head.rpartition(".")[0]
    return False


@cache
def _names() -> frozenset[str]:
    table = load_table("first_releases")
    return frozenset(f"{space}.{name}" for space, names in table.items() for name in names.split())


def _chooses_by_release(module: Module) -> bool:
    """Whether the release is read for more than to print it; what then depends on it may be far away."""
    asked = [use.node for use in outside_names(module).uses if f"{use.qualified}.".startswith(VERSIONS)]
    shown = {id(node) for part in ast.walk(module.tree) if _is_shown(part) for node in ast.walk(part)}
    return any(id(node) not in shown for node in asked)


def _is_shown(node: ast.AST) -> bool:
    """`print(tf.__version__)`, or the value that a notebook's cell ends with."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Call)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"


def _guarded(tree: ast.Module) -> Iterator[ast.AST]:
    """Parts of a module that only some releases reach, or that have another way."""
    for node in ast.walk(tree):
        match node:
            case ast.If(test=test) | ast.IfExp(test=test) if asks_for_release(test):
                yield node
            case ast.Try(handlers=handlers) if any(catches_missing(handler) for handler in handlers):
                yield node
