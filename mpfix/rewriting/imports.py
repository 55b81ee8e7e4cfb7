"""Imports at module level: which are in force, and where a new one goes."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mpfix.rewriting.edits import DeleteStatement, EnsureImport, Intent, RemoveImport


@dataclass(frozen=True, slots=True)
class ImportPlace:
    """Where new imports go: behind or in front of a top-level statement, with an empty line between or not."""

    statement: ast.stmt
    is_after: bool
    is_apart: bool


def missing_imports(tree: ast.Module, intents: Sequence[Intent]) -> list[str]:
    """The import statements that have to be added, in their usual order."""
    removed = {id(intent.alias) for intent in intents if isinstance(intent, RemoveImport)}
    deleted = [intent.statement for intent in intents if isinstance(intent, DeleteStatement)]
    present = [
        (statement, alias)
        for statement in tree.body
        if isinstance(statement, (ast.Import, ast.ImportFrom)) and statement not in deleted
        for alias in statement.names
        if id(alias) not in removed
    ]
    wanted = [intent for intent in intents if isinstance(intent, EnsureImport)]
    missing = {_statement(intent) for intent in wanted if not any(_binds(*pair, intent) for pair in present)}
    return sorted(missing, key=lambda code: (code.startswith("from "), code))


def _statement(intent: EnsureImport) -> str:
    return f"import {intent.module}" if intent.name is None else f"from {intent.module} import {intent.name}"


def _binds(statement: ast.Import | ast.ImportFrom, alias: ast.alias, intent: EnsureImport) -> bool:
    """Whether an import makes the wanted name usable under its own name."""
    if isinstance(statement, ast.ImportFrom):
        is_same = statement.module == intent.module and not statement.level and alias.name == intent.name
        return is_same and alias.asname in (None, alias.name)
    if intent.name is not None:
        return False
    if alias.asname is not None:
        return alias.asname == alias.name == intent.module
    return alias.name == intent.module or alias.name.startswith(f"{intent.module}.")


def import_place(tree: ast.Module, before: ast.stmt | None) -> ImportPlace | None:
    """Behind the last import that leads the module, at the latest in front of `before`; None for an empty module.

    Assignments and calls between imports (`os.environ[...] = ...`) are passed: what they set up is often meant for the
    imports that follow. A class, function or loop ends the search.
    """
    last: ast.stmt | None = None
    last_import: ast.stmt | None = None
    for index, statement in enumerate(tree.body):
        if statement is before and not isinstance(statement, (ast.Import, ast.ImportFrom)):
            break
        if _is_import(statement):
            last = last_import = statement
        elif index == 0 and _is_docstring(statement):
            last = statement
        elif not isinstance(statement, (ast.Expr, ast.Assign, ast.AnnAssign, ast.Delete)):
            break
    if last is not None:
        return ImportPlace(last, True, last is not last_import or _is_future(last))
    return ImportPlace(tree.body[0], False, True) if tree.body else None


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _is_import(statement: ast.stmt) -> bool:
    """Whether a top-level statement is an import, or an `if` or `try` of nothing else."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return True
    return isinstance(statement, (ast.If, ast.Try)) and any(map(_is_import, statement.body)) and _is_quiet(statement)


def _is_quiet(statement: ast.If | ast.Try) -> bool:
    quiet = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.Pass, ast.Raise)
    parts: list[ast.stmt] = [*statement.body, *statement.orelse, *getattr(statement, "finalbody", [])]
    for handler in getattr(statement, "handlers", []):
        parts += handler.body
    return all(isinstance(part, quiet) for part in parts)


def removes_all(statement: ast.Import | ast.ImportFrom, intents: Collection[Intent]) -> bool:
    """Whether the intents together remove every name that `statement` imports."""
    removed = {id(i.alias) for i in intents if isinstance(i, RemoveImport) and i.statement is statement}
    return all(id(alias) in removed for alias in statement.names)
