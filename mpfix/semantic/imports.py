"""Imports: modules of the project run once, at their first import; outside names come from the library model."""

from __future__ import annotations

import ast

from mpfix.semantic.guards import TRUE
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.syntax import Module
from mpfix.semantic.values import Constant, ModuleValue, Unknown, Value


def execute_import(run: Run, node: ast.Import, frame: Frame) -> None:
    """`import a.b as c` binds `c`, `import a.b` binds `a`."""
    from mpfix.semantic.assignments import assign_name

    for alias in node.names:
        target = alias.name if alias.asname else alias.name.split(".")[0]
        value = _import_chain(run, frame.module, alias.name, 0)
        if value is not None and not alias.asname:
            value = import_module(run, frame.module, target, 0)
        assign_name(run, alias.asname or target, value or run.library.name(target), frame)


def execute_import_from(run: Run, node: ast.ImportFrom, frame: Frame) -> None:
    """`from a import b as c`: an attribute of the module, or a submodule; files that are not read are unknown."""
    from mpfix.semantic.assignments import assign_name

    source = _import_chain(run, frame.module, node.module or "", node.level)
    for alias in node.names:
        if alias.name == "*":
            stars = run.module_frames[frame.module].stars
            stars.append(source if source is not None else ("." * node.level) + (node.module or ""))
        else:
            value = _imported_name(run, source, node, alias.name)
            assign_name(run, alias.asname or alias.name, value, frame)


def _imported_name(run: Run, source: ModuleValue | None, node: ast.ImportFrom, name: str) -> Value:
    from mpfix.semantic.expressions import attribute

    if source is not None:
        return attribute(run, source, name, node)
    if node.level:
        text = f"{'.' * node.level}{node.module or ''}.{name}"
        return Unknown(("import", text), name)
    return attribute(run, run.library.name(node.module or ""), name, node)


def _import_chain(run: Run, importer: Module, name: str, level: int) -> ModuleValue | None:
    """Import a dotted name: every package on the way runs before what is in it."""
    parts = name.split(".") if name else []
    for count in range(1, len(parts)):
        import_module(run, importer, ".".join(parts[:count]), level)
    return import_module(run, importer, name, level)


def import_module(run: Run, importer: Module, name: str, level: int) -> ModuleValue | None:
    """The module of the project that a name means, run when this is its first import; None for an outside name."""
    if run.project is None:
        return None
    found = run.project.find(importer, name, level)
    return _loaded(run, *found) if found is not None else None


def submodule(run: Run, package: ModuleValue, name: str) -> ModuleValue | None:
    """A module in the folder of a package, imported when it is named."""
    if run.project is None or package.folder is None:
        return None
    found = run.project.submodule(package.folder, name)
    return _loaded(run, *found) if found is not None else None


def _loaded(run: Run, module: Module | None, folder: str | None) -> ModuleValue:
    key = module if module is not None else folder
    known = run.imported.get(key)
    if known is not None:
        if module is not None:
            for name, cells in run.pending.pop(module, {}).items():
                run.store.replace(run.globals, name, cells)
        return known
    if module is not None and module in run.module_frames:
        value = ModuleValue(module, run.module_frames[module].box, folder)
    else:
        value = ModuleValue(module, run.store.new_box(TRUE), folder)
    run.imported[key] = value
    if module is not None and module not in run.module_frames:
        run_module_body(run, module, value, name=module.name)
    return value


def run_module_body(run: Run, module: Module, value: ModuleValue, *, name: str) -> None:
    """Run a module's body in its own frame, as an import does: outside every call and loop that is running."""
    from mpfix.semantic.statements import execute_block

    frame = Frame("module", value.box, module, None)
    run.module_frames[module] = frame
    run.store.write(value.box, "__name__", Constant(name), TRUE)
    run.objects_made += 1  # a call that imports is not reused
    saved = (run.module, run.chain, run.loops, run.stack, run.expression_depth)
    run.module, run.chain, run.loops, run.stack, run.expression_depth = module, (), (), [], 0
    before = run.globals.cells.copy()
    try:
        with run.contained():
            execute_block(run, module.tree.body, frame)
    finally:
        run.module, run.chain, run.loops, run.stack, run.expression_depth = saved
    if run.is_repeated:
        run.effects[module] = {
            name: cells for name, cells in run.globals.cells.items() if before.get(name) is not cells
        }
