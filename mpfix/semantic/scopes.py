"""Scopes of the names pass: what each local name may stand for, and what branches did to it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """A local name that stands for an outside one: by an import or by a plain assignment such as `np = numpy`."""

    local: str
    qualified: str
    statement: ast.stmt | ast.expr
    """The import or assignment; for `:=` the expression."""
    alias: ast.alias | None
    """The part of the import statement; None for an assignment."""


Meanings = tuple[Binding | None, ...]
"""What a name may stand for: outside names, and None for a value of the program."""

LOCAL: Meanings = (None,)


@dataclass(slots=True)
class Scope:
    """Names of a module, function, class or comprehension; `logs` undo the branches that are being walked."""

    outer: Scope | None
    is_class: bool = False
    names: dict[str, Meanings] = field(default_factory=dict)
    logs: list[dict[str, Meanings]] = field(default_factory=list)
    elsewhere: dict[str, Scope] = field(default_factory=dict)
    """Names declared `global` or `nonlocal`, with the scope that they live in."""

    def bind(self, name: str, meanings: Meanings) -> None:
        """`name` now means `meanings`; where another scope owns it, it may also still mean what it did."""
        owner = self.elsewhere.get(name)
        if owner is not None:
            owner.names[name] = either(owner.names.get(name, ()), meanings)
            return
        if self.logs:
            self.logs[-1].setdefault(name, self.names.get(name, ()))
        self.names[name] = meanings

    def look_up(self, name: str) -> Meanings:
        """What `name` means here, through the scopes around; empty for an unknown name."""
        scope: Scope | None = self
        while scope is not None:
            meanings = scope.names.get(name)
            if meanings and (scope is self or not scope.is_class):
                return meanings
            scope = scope.outer
        return ()

    def leave_branch(self) -> dict[str, Meanings]:
        """What a branch bound; the scope is as it was before."""
        before = self.logs.pop()
        after = {name: self.names[name] for name in before}
        self.names.update(before)
        return after


def either(first: Meanings, second: Meanings) -> Meanings:
    """Every meaning of either, the first ones first."""
    return first + tuple(meaning for meaning in second if meaning not in first)
