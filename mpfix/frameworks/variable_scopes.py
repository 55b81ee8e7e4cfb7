"""Scopes whose variables a function of the project makes, maybe in another dtype than their layer asks for."""

from __future__ import annotations

import ast

from mpfix.record import record
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Run
from mpfix.semantic.values import NONE, Arguments

GETTERS = "tensorflow.variable_scope"
CREATORS = "tensorflow.variable_creator_scope"


@record
class VariablesDiverted(Event):
    """A scope was opened whose variables a function makes; `everywhere`: those of Keras layers too."""

    everywhere: bool


def note_call(run: Run, key: str, arguments: Arguments, node: ast.AST) -> None:
    """`variable_scope(..., custom_getter=...)` or `variable_creator_scope(...)`."""
    is_getter = key == GETTERS and (arguments.get(7, "custom_getter") or NONE) != NONE
    if is_getter or key == CREATORS:
        run.emit(VariablesDiverted(node, key == CREATORS))


@fact
def _diverted(program: Program) -> frozenset[bool]:
    return frozenset(event.everywhere for event in program.events(VariablesDiverted))


def may_have_other_weights(program: Program, key: str) -> bool:
    """Whether layers of a class may get variables of another dtype than their own.

    Where a scope is in force, only a whole run could tell: it is enough that the program opens one. Getters of scopes
    are asked by the layers of TensorFlow 1 alone.
    """
    return True in _diverted(program) or (bool(_diverted(program)) and not key.startswith("keras."))
