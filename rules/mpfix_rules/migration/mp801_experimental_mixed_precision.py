"""MP801: mixed precision through names that current releases no longer have."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mpfix.diagnostic import Applicability, Effect, Severity
from mpfix.frameworks.moves import Move, Removed, removed
from mpfix.rewriting.edits import ModuleEdits
from mpfix.rule import Evidence, Finding, FixIntent, rule
from mpfix.semantic.names import Import, NameUse
from mpfix.semantic.syntax import Place
from mpfix_rules.repairs.moved_names import MODULE, MovedNames, Unrepairable

if TYPE_CHECKING:
    from mpfix.semantic.program import Program


@rule(
    "MP801",
    "experimental-mixed-precision",
    severity=Severity.ERROR,
    words=("mixed_precision", "lossscale"),
    fixable=True,
)
def experimental_mixed_precision(program: Program) -> Iterator[Finding]:
    """Reports imports and uses of removed names; one repair brings all of a file up to date."""
    for part in program.names:
        yield from _findings(MovedNames(part.module, part.names))


def _findings(moved: MovedNames) -> Iterator[Finding]:
    if not (moved.imports or moved.uses or moved.policies):
        return
    fix, reason = _repair(moved)
    told: set[int] = set()
    for item, gone in moved.imports:
        if id(item.statement) not in told:
            told.add(id(item.statement))
            yield _finding(moved, item.statement, _import_message(moved, item, gone), gone.move, fix, reason)
    for use, gone in moved.uses:
        # a type test against a removed class is MP218, repaired here together with its import
        if use.call is not None or not moved.is_type_test(use.node):
            message = _use_message(moved, use, gone)
            yield _finding(moved, use.node, message, gone.move, fix, reason, _evidence(moved, use))
    for call in moved.policies:
        message = "`Policy` no longer takes `loss_scale`: the call raises `TypeError`"
        yield Finding(Place(moved.module, call), message, fix=fix, unfixable_reason=reason)


def _repair(moved: MovedNames) -> tuple[FixIntent | None, str | None]:
    """The repair of the whole file, or the reason why there is none."""
    try:
        intents = moved.edits()
    except Unrepairable as obstacle:
        return None, str(obstacle)
    if not intents:
        return None, None
    edits = (ModuleEdits(moved.module, intents),)
    title = "Use the names of `mixed_precision` that current releases have"
    return FixIntent(title, Applicability.SAFE, Effect.REPAIRS, lambda: edits), None


def _finding(
    moved: MovedNames,
    node: ast.AST,
    message: str,
    move: Move,
    fix: FixIntent | None,
    reason: str | None,
    evidence: tuple[Evidence, ...] = (),
) -> Finding:
    place = Place(moved.module, node)
    if move.new is None:
        return Finding(place, message, evidence, unfixable_reason=move.reason)
    return Finding(place, message, evidence, fix=fix, unfixable_reason=reason)


def _evidence(moved: MovedNames, use: NameUse) -> tuple[Evidence, ...]:
    """Where the removed name got its local spelling."""
    place = moved.removed_import(use)
    return () if place is None else (Evidence(place, f"`{use.binding.local}` is made here"),)


def _import_message(moved: MovedNames, item: Import, gone: Removed) -> str:
    fails = "ModuleNotFoundError" if isinstance(item.statement, ast.Import) else "ImportError"
    return f"`{item.qualified}` was removed: the import raises `{fails}`{_today(moved, gone)}"


def _use_message(moved: MovedNames, use: NameUse, gone: Removed) -> str:
    spelt, today = f"`{ast.unparse(use.node)}`", _today(moved, gone)
    if removed(use.binding.qualified) is not None and use.binding.alias is not None:
        return f"{spelt} is `{use.qualified}`, which was removed: its import raises `ImportError`{today}"
    if removed(use.binding.qualified) is not None:
        spelt = f"{spelt} is `{use.qualified}`, which"
    return f"{spelt} was removed: using it raises `{gone.move.fails}`{today}"


def _today(moved: MovedNames, gone: Removed) -> str:
    move = gone.move
    if move.new is not None:
        # of a module that moved, what follows may be gone
        return "" if gone.tail and move.new == MODULE else f"; today's name is `{move.new}`"
    if move.graphs is not None and moved.trains_in_graphs:
        return f"; for optimizers of TensorFlow 1 it is `{move.graphs}` today"
    return ""
