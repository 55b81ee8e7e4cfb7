"""Edit intents: what a fix wants done to the tree, told in terms of `ast` nodes; turned into text by `resolve`.

Nodes are `ast` nodes of the module that was analysed; code arguments are Python source of one expression, or of one or
more statements (unindented, `\n` newlines; they are indented and given the file's newline where they land).
"""

from __future__ import annotations

import ast

from mpfix.record import record
from mpfix.semantic.syntax import Module


@record
class InsertBefore:
    """Put statements in front of `statement`, in its block."""

    statement: ast.stmt
    code: str


@record
class InsertAfter:
    """Put statements after `statement`, in its block."""

    statement: ast.stmt
    code: str


@record
class AppendToBlock:
    """Put statements at the end of the body of the compound `statement`."""

    statement: ast.stmt
    code: str


@record
class MoveStatement:
    """Move `statement` in front of (`before`) another statement, with its comment on the same line."""

    statement: ast.stmt
    before: ast.stmt


@record
class MoveOutOfBlock:
    """Take the last statements of a compound statement's body out of it: dedent them behind `block`."""

    statements: tuple[ast.stmt, ...]
    block: ast.stmt


@record
class DeleteStatement:
    """Remove `statement`; `pass` takes its place when its block would be empty.

    Not possible where a comment would be lost.
    """

    statement: ast.stmt


@record
class ReplaceExpression:
    """Put another expression in place of `expression`; parentheses are added where the new one needs them."""

    expression: ast.expr
    code: str


@record
class WrapExpression:
    """`before` + the expression's own source + `after`, such as `tf.reduce_mean(` and `)`."""

    expression: ast.expr
    before: str
    after: str


@record
class ReplaceStatement:
    """Put other statements in place of a simple `statement`; a comment at its line's end stays."""

    statement: ast.stmt
    code: str


@record
class AddKeyword:
    """Add `name=code` to a call, as its last keyword (before `**kwargs`), in the layout of the call."""

    call: ast.Call
    name: str
    code: str


@record
class SetKeyword:
    """Replace the value of keyword `name` of a call."""

    call: ast.Call
    name: str
    code: str


@record
class RemoveArgument:
    """Remove a positional argument (index) or a keyword (name) of a call."""

    call: ast.Call
    argument: int | str


@record
class RemoveImport:
    """Remove one alias of an import statement (the whole statement when it is the only one)."""

    statement: ast.Import | ast.ImportFrom
    alias: ast.alias


@record
class EnsureImport:
    """Make sure `import module` or `from module import name` is in force at module level.

    A new one goes behind the docstring, `__future__` and the imports that lead the module.
    """

    module: str
    name: str | None = None


type_names = (
    InsertBefore,
    InsertAfter,
    AppendToBlock,
    MoveStatement,
    MoveOutOfBlock,
    DeleteStatement,
    ReplaceExpression,
    WrapExpression,
    ReplaceStatement,
    AddKeyword,
    SetKeyword,
    RemoveArgument,
    RemoveImport,
    EnsureImport,
)
Intent = (
    InsertBefore
    | InsertAfter
    | AppendToBlock
    | MoveStatement
    | MoveOutOfBlock
    | DeleteStatement
    | ReplaceExpression
    | WrapExpression
    | ReplaceStatement
    | AddKeyword
    | SetKeyword
    | RemoveArgument
    | RemoveImport
    | EnsureImport
)


@record
class ModuleEdits:
    """The intents of one fix in one module."""

    module: Module
    intents: tuple[Intent, ...]
