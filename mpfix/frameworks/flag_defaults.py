"""Defaults of command-line flags: what a number is unless somebody passes another one."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from mpfix.frameworks.handlers import Functions, Methods
from mpfix.record import record
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Run
from mpfix.semantic.values import NONE, Arguments, Constant, Library, Unknown, Value

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

MAX_DEPTH = 12
OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "Add": lambda one, other: one + other,
    "Sub": lambda one, other: one - other,
    "Mult": lambda one, other: one * other,
}
DEFINERS = ("absl.flags.DEFINE_integer", "tensorflow.compat.v1.flags.DEFINE_integer")


@record
class FlagDefined(Event):
    """A flag got its default; `parser` is what reads it, None (the constant) for the flags of absl."""

    parser: Value
    name: str
    default: Value


@record
class Number:
    """A whole number that the program tells; `by_default` where flags may make it another one."""

    value: int
    by_default: bool


def _add_argument(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`parser.add_argument("--name", default=...)`."""
    names = [one.value for one in arguments.positional if isinstance(one, Constant) and isinstance(one.value, str)]
    long = [name for name in names if name.startswith("--")]
    given = arguments.keyword("dest")
    name = given.value if isinstance(given, Constant) else (long or names or [""])[0].lstrip("-").replace("-", "_")
    run.emit(FlagDefined(node, receiver, str(name), arguments.keyword("default") or NONE))
    return None


def _set_defaults(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    for name, value in arguments.keywords:
        run.emit(FlagDefined(node, receiver, name, value))
    return None


def _define(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    name = arguments.get(0, "name")
    if isinstance(name, Constant):
        run.emit(FlagDefined(node, NONE, str(name.value), arguments.get(1, "default") or NONE))
    return None


@fact
def _defaults(program: Program) -> dict[tuple[Value, str], Value | None]:
    """The default of each flag; None where several calls give it different ones."""
    found: dict[tuple[Value, str], Value | None] = {}
    for event in program.events(FlagDefined):
        key = (event.parser, event.name)
        found[key] = event.default if found.get(key, event.default) == event.default else None
    return found


def known_number(program: Program, value: Value, depth: int = 0) -> Number | None:
    """A whole number, also one that is computed from flags; None where nobody knows."""
    if depth > MAX_DEPTH:
        return None
    match value:
        case Constant(value=int() as number) if type(number) is int:
            return Number(number, False)
        case Unknown(origin=("attribute", Unknown(origin=("stable", str() as key, *owner)), str() as name)):
            parser = owner[0] if owner else NONE
            default = _defaults(program).get((parser, name)) if owner or key.endswith("FLAGS") else None
            known = known_number(program, default, depth + 1) if isinstance(default, Constant) else None
            return Number(known.value, True) if known is not None else None
        case Unknown(origin=("convert", "int", Value() as inner)):
            return known_number(program, inner, depth + 1)
        case Unknown(origin=("operator", str() as name, Value() as left, Value() as right)) if name in OPERATIONS:
            one, other = (known_number(program, side, depth + 1) for side in (left, right))
            if one is not None and other is not None:
                return Number(OPERATIONS[name](one.value, other.value), one.by_default or other.by_default)
    return None


FUNCTIONS: Functions = dict.fromkeys(DEFINERS, _define)
METHODS: Methods = {("parser", "add_argument"): _add_argument, ("parser", "set_defaults"): _set_defaults}
