"""Layers of a project that nothing in it makes in half precision: they are there for others, or for nobody."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.frameworks.events import LayerReady
from mpfix.frameworks.half_facts import computes_in_half
from mpfix.frameworks.surroundings import holds
from mpfix.frameworks.unit_tests import is_test_file
from mpfix.semantic.program import Program, fact
from mpfix.semantic.syntax import Module, Place

SERIALIZABLE = "register_keras_serializable"
"""A decorator that only lets models be loaded that hold the layer."""

LOOKING = frozenset({"super", "isinstance", "issubclass"})
"""Functions that are given a class and make nothing of it."""


def is_in_unmade_layer(program: Program, place: Place) -> bool:
    """Whether a place lies in a layer that no code outside of tests is seen to make in half, or may make unseen."""
    around = [one for one in place.module.tree.body if isinstance(one, ast.ClassDef) and holds(one, place.node)]
    return bool(around) and _made_in_half(program).get(around[0]) is False and not _is_handed_on(program, around[0])


@fact
def _made_in_half(program: Program) -> dict[ast.ClassDef, bool]:
    """For each layer class whether a call, and not just the analysis itself, makes it, or an heir of it, in half."""
    found: dict[ast.ClassDef, bool] = {}
    for occurrence in program.happened(LayerReady):
        event = occurrence.event
        assert isinstance(event, LayerReady)
        is_made = isinstance(occurrence.place.node, ast.Call) and not is_test_file(occurrence.place.module)
        for cls in event.layer.cls.mro() if event.layer.cls is not None else ():
            known = found.get(cls.node, False)
            found[cls.node] = known or (is_made and computes_in_half(event.policy, occurrence.guard))
    return found


@fact
def _calls_seen(program: Program) -> frozenset[ast.AST]:
    return frozenset(one.place.node for one in program.happened(LayerReady))


def _is_handed_on(program: Program, cls: ast.ClassDef) -> bool:
    """Whether somebody may make a class whom nobody sees: a registry has it, or a call that was never run."""
    if any(SERIALIZABLE not in ast.unparse(one) for one in cls.decorator_list):
        return True
    modules = (module for module in program.modules if cls.name in module.document.text and not is_test_file(module))
    return any(_is_use(parent, node, program) for module in modules for parent, node in _mentions(module, cls))


def _mentions(module: Module, cls: ast.ClassDef) -> Iterator[tuple[ast.AST, ast.expr]]:
    """Where a module names a class outside of the class itself, with what holds the name."""
    pending: list[ast.AST] = [module.tree]
    while pending:
        parent = pending.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, (ast.Name, ast.Attribute)) and _name(node) == cls.name:
                yield parent, node
            if node is not cls:
                pending.append(node)


def _is_use(parent: ast.AST, node: ast.expr, program: Program) -> bool:
    match parent:
        case ast.ClassDef():
            return False
        case ast.Call(func=func) if func is node:
            return parent not in _calls_seen(program)
        case ast.Call(func=ast.Name(id=name)) if name in LOOKING:
            return False
        case ast.Dict(keys=keys, values=values):
            # `custom_objects={"Norm": Norm}` is for models that were saved
            key = next((key for key, value in zip(keys, values, strict=True) if value is node), None)
            return not (isinstance(key, ast.Constant) and key.value == _name(node))
    return True


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
