"""Imports: modules of the project run once, at their first import; outside names come from the library model."""

from __future__ import annotations

import ast

from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.values import Unknown, Value


def execute_import(run: Run, node: ast.Import, frame: Frame) -> bool:
    """`import a.b as c` binds `c`, `import a.b` binds `a`."""
    from mpfix.semantic.statements import assign_name

    for alias in node.names:
        target = alias.name if alias.asname else alias.name.split(".")[0]
        assign_name(run, alias.asname or target, run.library.name(target), frame)
    return True


def execute_import_from(run: Run, node: ast.ImportFrom, frame: Frame) -> bool:
    """`from a import b as c`; relative imports of files that are not read are unknown."""
    from mpfix.semantic.expressions import attribute
    from mpfix.semantic.statements import assign_name

    for alias in node.names:
        if alias.name == "*":
            run.module_frames[frame.module].stars.append(("." * node.level) + (node.module or ""))
            continue
        value: Value
        if node.level:
            name = f"{'.' * node.level}{node.module or ''}.{alias.name}"
            value = Unknown(("import", name), alias.name)
        else:
            value = attribute(run, run.library.name(node.module or ""), alias.name, node)
        assign_name(run, alias.asname or alias.name, value, frame)
    return True
