"""MP218: tests of an optimizer's type against a class that current releases no longer have."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.diagnostic import Applicability, Effect, Severity
from mpfix.frameworks.moves import Removed
from mpfix.rewriting.edits import ModuleEdits
from mpfix.rule import Finding, FixIntent, rule
from mpfix.semantic.names import NameUse
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix_rules.repairs.moved_names import MovedNames, Unrepairable


@rule(
    "MP218",
    "guard-on-removed-class",
    severity=Severity.ERROR,
    words=("mixed_precision", "lossscale"),
    fixable=True,
)
def guard_on_removed_class(program: Program) -> Iterator[Finding]:
    """Type tests that raise instead of deciding whether to scale the loss."""
    for part in program.names:
        moved = MovedNames(part.module, part.names)
        for use, gone in moved.uses:
            # a removed import is MP801, which brings the tests up to date too
            if use.call is None and moved.is_type_test(use.node) and moved.removed_import(use) is None:
                yield _finding(moved, use, gone)


def _finding(moved: MovedNames, use: NameUse, gone: Removed) -> Finding:
    fix, reason = _repair(moved, gone)
    spelt = f"`{ast.unparse(use.node)}` was removed"
    return Finding(
        Place(moved.module, use.node),
        f"{spelt}: the test raises `{gone.move.fails}` instead of deciding",
        fix=fix,
        unfixable_reason=reason,
    )


def _repair(moved: MovedNames, gone: Removed) -> tuple[FixIntent | None, str | None]:
    """Today's names in the whole file: a test alone would fail at its import."""
    if gone.move.new is None:
        return None, gone.move.reason
    try:
        edits = (ModuleEdits(moved.module, moved.edits()),)
    except Unrepairable as obstacle:
        return None, str(obstacle)
    title = "Test against today's class"
    return FixIntent(title, Applicability.UNSAFE, Effect.REPAIRS, lambda: edits), None
