"""Which generation of Keras a program is written for."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mpfix.frameworks.keys import canonical
from mpfix.frameworks.pins import Pin, Release, find_pin
from mpfix.record import record
from mpfix.semantic.names import NamesResult
from mpfix.semantic.syntax import Module

LEGACY_SWITCH = "TF_USE_LEGACY_KERAS"
"""The environment variable with which `tf.keras` is tf_keras, that is Keras 2."""

ONLY_IN_TWO = ("get_scaled_loss", "get_unscaled_gradients")
"""Methods that no object of Keras 3 has (LS6)."""


class NamedModule(Protocol):
    """A module with what its names mean."""

    @property
    def module(self) -> Module:
        """The parsed file."""

    @property
    def names(self) -> NamesResult:
        """The outcome of the names pass on it."""


@record
class Generation:
    """The generation, and what decided on it."""

    value: int
    reason: str
    """For people, such as "`keras<3` in requirements.txt"."""
    defaulted: bool = False
    """Nothing in the program or around it decided."""
    first_k2_call: str | None = None
    """Where the default decided: the first call that Keras 3 does not know, with its line."""
    release: Release | None = None
    """The release of Keras that a pin names; None where it leaves that open."""


def decide_generation(parts: Sequence[NamedModule], folder: Path | None = None) -> Generation:
    """The generation of the modules of a component.

    Decided by, in this order: `TF_USE_LEGACY_KERAS` set in code; an import or API of one generation only; the nearest
    pin, in `folder` or around it; else 3.
    """
    found = _by_switch(parts) or _by_names(parts)
    if found is not None:
        return found
    pin = find_pin(folder) if folder is not None else None
    if pin is not None:
        return Generation(pin.generation, _pin_reason(pin), release=pin.release)
    return Generation(3, "the default", defaulted=True, first_k2_call=_first_call_of_two(parts))


def _by_switch(parts: Sequence[NamedModule]) -> Generation | None:
    for part in parts:
        if LEGACY_SWITCH not in part.module.document.text:
            continue
        for node in ast.walk(part.module.tree):
            value = _switch_value(node)
            if value is not None:
                legacy = value.lower() in ("1", "true")
                place = f"`{LEGACY_SWITCH}` is set to {value!r} in {_place(part, node)}"
                return Generation(2 if legacy else 3, place)
    return None


def _switch_value(node: ast.AST) -> str | None:
    """What a statement or call sets the switch to."""
    pair: list[ast.expr | None] = []
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        pair = [node.targets[0].slice, node.value]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("setdefault", "putenv") and len(node.args) == 2:
            pair = list(node.args)
        elif node.func.attr == "update" and node.args and isinstance(node.args[0], ast.Dict):
            given = zip(node.args[0].keys, node.args[0].values, strict=True)
            pair = next(([key, value] for key, value in given if _text(key) == LEGACY_SWITCH), [])
    return _text(pair[1]) if len(pair) == 2 and _text(pair[0]) == LEGACY_SWITCH else None


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _by_names(parts: Sequence[NamedModule]) -> Generation | None:
    for part in parts:
        names: list[tuple[str, ast.AST]] = [(item.qualified, item.statement) for item in part.names.imports]
        names += [(use.qualified, use.node) for use in part.names.uses]
        for qualified, node in sorted(names, key=lambda name: getattr(name[1], "lineno", 0)):
            key = canonical(qualified)
            if key.package == "tf_keras":
                return Generation(2, f"`tf_keras` is used in {_place(part, node)}")
            if key.generation == 3:
                return Generation(3, f"`{qualified}` in {_place(part, node)} exists in Keras 3 only")
    return None


def _first_call_of_two(parts: Sequence[NamedModule]) -> str | None:
    for part in parts:
        calls: list[tuple[str, ast.AST]] = [
            (ast.unparse(use.node), use.node)
            for use in part.names.uses
            if use.call is not None and canonical(use.qualified).generation == 2
        ]
        calls += [(name, part.names.members[name]) for name in ONLY_IN_TWO if name in part.names.members]
        if calls:
            name, node = min(calls, key=lambda call: getattr(call[1], "lineno", 0))
            return f"`{name}` in {_place(part, node)}"
    return None


def _pin_reason(pin: Pin) -> str:
    return f"`{pin.requirement}` in {pin.path.name}"


def _place(part: NamedModule, node: ast.AST) -> str:
    document = part.module.document
    span = document.span(node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
    cell = f" cell {span.cell}" if span.cell is not None else ""
    return f"{document.display}{cell} line {span.start.row}"
