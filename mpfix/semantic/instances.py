"""Instances of project classes: how they are made, and what their classes give them."""

from __future__ import annotations

import ast

from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    Arguments,
    Bound,
    Class,
    Function,
    Library,
    Object,
    Partial,
    Value,
)


def call_method(run: Run, owner: Object, name: str, arguments: Arguments, node: ast.AST) -> Value | None:
    """Call a method that the object's project classes define; None when none does."""
    from mpfix.semantic.calls import call

    found = class_attribute(run, owner, name, node)
    if found is None or not isinstance(found, (Bound, Function, Partial)):
        return None
    if isinstance(found, Bound) and isinstance(found.function, Library):
        return None
    return call(run, found, arguments, node)


def class_attribute(run: Run, owner: Object, name: str, node: ast.AST) -> Value | None:
    """What the classes of an object (from the right place on, for `super()`) give for a name, bound to the object."""
    assert owner.cls is not None
    receiver: Value = owner
    chain = owner.cls.mro()
    if owner.kind == "super":
        receiver = run.get(owner, "self")
        start = run.get(owner, "owner")
        chain = chain[chain.index(start) + 1 :] if isinstance(start, Class) and start in chain else ()
    found = _from_classes(run, chain, name)
    if found is not None:
        return run.each(found, lambda value: _bind(run, value, receiver, owner, node))
    if owner.kind == "super":
        bases = owner.cls.library_bases()
        key = f"{bases[0].key}.{name}" if bases else f"builtins.object.{name}"
        return Bound(Library(key, bases[0].package if bases else ""), receiver)
    return None


def _from_classes(run: Run, chain: tuple[Class, ...], name: str) -> Value | None:
    for index, cls in enumerate(chain):
        cells = run.store.read(cls.box, name)
        if cells:
            return run.pick(cells, lambda rest=chain[index + 1 :]: _from_classes(run, rest, name))  # type: ignore[misc]
    return None


def _bind(run: Run, value: Value, receiver: Value, owner: Object, node: ast.AST) -> Value:
    from mpfix.semantic.calls import invoke

    if not isinstance(value, Function):
        return value
    if "property" in value.marks:
        return invoke(run, value, Arguments((receiver,)), node)
    if "staticmethod" in value.marks:
        return value
    if "classmethod" in value.marks:
        return Bound(value, owner.cls or receiver)
    return Bound(value, receiver)


def instantiate(run: Run, cls: Class, arguments: Arguments, node: ast.AST) -> Value:
    """An instance of a project class, its `__init__` run."""
    from mpfix.semantic.calls import call

    pool = run.pools.setdefault((run.place(node), f"class {id(cls.node)}", run.chain[-1:]), [])
    if len(pool) >= run.limits.objects_per_site:
        pool[-1].summary = True
        return pool[-1]
    box = run.store.new_box(run.path)
    instance = Object(box.serial, "instance", run.place(node), box, cls=cls)
    run.objects_made += 1
    pool.append(instance)
    if cls.node not in run.instances:
        run.instances[cls.node] = instance
        if run.library.has_set_state(run):
            run.made_in_state.add(cls.node)
        for base in cls.mro():
            run.heirs.setdefault(base.node, instance)
    bases = cls.library_bases()
    if bases:
        run.library.created(run, instance, arguments, node)
    initialiser = class_attribute(run, instance, "__init__", node)
    if initialiser is not None:
        call(run, initialiser, arguments, node)
    elif cls.fields is not None:
        _set_fields(run, cls, instance, arguments)
    elif bases:
        call(run, Bound(Library(f"{bases[0].key}.__init__", bases[0].package), instance), arguments, node)
    if bases:
        run.library.constructed(run, instance, node)
    return instance


def _set_fields(run: Run, cls: Class, instance: Object, arguments: Arguments) -> None:
    """The fields of a dataclass or named tuple, from the arguments; defaults stay class attributes."""
    for position, name in enumerate(cls.fields or ()):
        value = arguments.get(position, name)
        if value is not None:
            run.set(instance, name, value)
