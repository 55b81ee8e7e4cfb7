"""Where optimizers get their variables by hand."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks.handlers import Methods
from mpfix.record import record
from mpfix.semantic.library import Event
from mpfix.semantic.run import Run
from mpfix.semantic.values import NONE, Arguments, Value

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


@record
class OptimizerPrepared(Event):
    """`optimizer.build(variables)`."""

    optimizer: Value


def _build(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    run.emit(OptimizerPrepared(node, receiver))
    return NONE


METHODS: Methods = {("optimizer", "build"): _build}
