"""Template methods: methods of an abstract class that call what only its heirs define."""

from __future__ import annotations

import ast
from functools import lru_cache
from itertools import islice, zip_longest

from mpfix.semantic.run import Run
from mpfix.semantic.values import Class, Function

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

MAX_HEIRS = 4
"""Heirs of an abstract class that each of its template methods is run for."""


def heirs_to_run(run: Run, function: Function) -> list[Class]:
    """The classes that a template method is run for: heirs that take it as it is and define what the owner leaves."""
    owner = function.owner
    if owner is None or function.marks & {"staticmethod", "classmethod"}:
        return []
    abstract = _abstract(owner.node)
    if not abstract or not _calls_own(function.node, abstract):
        return []
    found = (one for one in run.classes.values() if isinstance(one, Class) and one is not owner)
    heirs = [one for one in found if owner in one.mro() and _fits(one, owner, function.name, abstract)]
    # one for each way to fill the template before a second one of any
    ways: dict[frozenset[Class], list[Class]] = {}
    for heir in heirs:
        ways.setdefault(_givers(heir, owner, abstract), []).append(heir)
    rounds = (one for together in zip_longest(*ways.values()) for one in together if one is not None)
    return list(islice(rounds, MAX_HEIRS))


def _fits(heir: Class, owner: Class, name: str, abstract: frozenset[str]) -> bool:
    """Whether an heir takes the method from the owner, and has something of its own for an abstract one."""
    before = heir.mro()[: heir.mro().index(owner)]
    defined = {one for cls in before for one in _methods(cls.node)}
    return name not in defined and bool(abstract & defined)


def _givers(heir: Class, owner: Class, abstract: frozenset[str]) -> frozenset[Class]:
    """The classes that an heir has the abstract methods from."""
    before = heir.mro()[: heir.mro().index(owner)]
    first = (next((cls for cls in before if name in _methods(cls.node)), None) for name in abstract)
    return frozenset(cls for cls in first if cls is not None)


@lru_cache(maxsize=4096)
def _abstract(cls: ast.ClassDef) -> frozenset[str]:
    """The methods of a class that only raise `NotImplementedError`."""
    return frozenset(name for name, node in _methods(cls).items() if _only_raises(node))


def _methods(cls: ast.ClassDef) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    return {node.name: node for node in cls.body if isinstance(node, FUNCTIONS)}


def _only_raises(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    body = [one for one in function.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    match body:
        case [ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError")))]:
            return True
        case [] | [ast.Pass()]:
            return any(_is_abstract_mark(one) for one in function.decorator_list)
    return False


def _is_abstract_mark(decorator: ast.expr) -> bool:
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
    return name == "abstractmethod"


def _calls_own(function: ast.AST, names: frozenset[str]) -> bool:
    """Whether a method calls one of these methods of its own object, or hands the object to somebody who may."""
    arguments = getattr(function, "args", None)
    first = arguments.args[0].arg if arguments is not None and arguments.args else None
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in names and _is_named(called.value, first):
                return True
            if any(_is_named(one, first) for one in node.args):
                return True
    return False


def _is_named(node: ast.expr, name: str | None) -> bool:
    return isinstance(node, ast.Name) and node.id == name
