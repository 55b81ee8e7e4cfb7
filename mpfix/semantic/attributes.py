"""What names and attributes are bound to on the current path."""

from __future__ import annotations

import ast

from mpfix.semantic.calls import class_attribute
from mpfix.semantic.imports import submodule
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.values import (
    Bound,
    Choice,
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


def look_up(run: Run, name: str, frame: Frame) -> Value | None:
    """What a name is bound to on the current path: the frame, enclosing functions, the module, outside star imports."""
    box = frame.nonlocals.get(name)
    if box is not None:
        cells = run.store.read(box, name)
        return run.pick(cells) if cells else None
    born = run.store.born
    scope: Frame | None = frame
    while scope is not None:
        if scope is frame or scope.kind != "class":
            box = scope.box
            # younger boxes are in no footprint: nobody needs to know that they are read
            cells = box.cells.get(name) if box.serial > born else run.store.read(box, name)
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


def attribute(run: Run, value: Value, name: str, node: ast.AST) -> Value:
    """`value.name` for each alternative of the value, but where the library says that they all do the same."""
    if type(value) is not Choice:
        return _attribute_of(run, value, name, node)
    value = run.restrict(value)
    common = run.library.attribute(run, value, name, node) if isinstance(value, Choice) else None
    return common or run.each(value, lambda owner: _attribute_of(run, owner, name, node))


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
            found = run.library.attribute(run, owner, name, node) if isinstance(owner, Constant) else None
            return found or Bound(Library(f"builtins.{_type_name(owner)}.{name}"), owner)
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
