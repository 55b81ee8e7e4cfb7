"""The shape of the functions that say what an API does where a table row cannot."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mpfix.semantic.run import Run
from mpfix.semantic.values import Arguments, Library, Value

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

Function = Callable[["KerasLibrary", Run, Library, Arguments, ast.AST], "Value | None"]
"""A library function or class under its canonical key, called with arguments at a node."""

Method = Callable[["KerasLibrary", Run, Value, Arguments, ast.AST], "Value | None"]
"""A method of a receiver of some role."""

Functions = Mapping[str, Function]
Methods = Mapping[tuple[str, str], Method]
"""By role (`layer`, `model`, `optimizer`, `tape`, ...) and method name."""
