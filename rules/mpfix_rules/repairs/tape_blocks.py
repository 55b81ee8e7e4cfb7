"""The repair of a tape's block: the gradient, and what follows it, leave the block."""

from __future__ import annotations

import ast

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.surroundings import function_around, scope_around, statements_around
from mpfix.frameworks.tape_uses import RecordedBackward, recorded_backwards
from mpfix.rewriting.edits import ModuleEdits, MoveOutOfBlock
from mpfix.rule import FixIntent
from mpfix.semantic.program import Program

TITLE = "Take the gradient after the tape's block"
LATER = "a later gradient is taken of something that is computed after the first one"


def leave_block(program: Program, backward: RecordedBackward) -> FixIntent | None:
    """Move the first gradient that is recorded, and all statements after it, behind the block of the tape."""
    block = _block(program, backward)
    if block is None:
        return None
    first = min(filter(None, (_index(block, one.place.node) for one in _in_block(program, backward))), default=0)
    if first == 0:
        return None
    moved = tuple(block.body[first:])
    module = backward.place.module
    needed = _needs_tape(program, backward, moved)
    return FixIntent(
        TITLE,
        Applicability.DISPLAY_ONLY if needed else Applicability.UNSAFE,
        Effect.BITWISE_EQUAL,
        lambda: (ModuleEdits(module, (MoveOutOfBlock(moved, block),)),),
        reason=LATER if needed else None,
    )


def _block(program: Program, backward: RecordedBackward) -> ast.With | None:
    """The `with` of the tape that records, where the gradient stands in it."""
    opened = backward.recorder.opened.place
    for statement in statements_around(scope_around(program, opened), opened.node):
        if isinstance(statement, ast.With) and any(item.context_expr is opened.node for item in statement.items):
            return statement
    return None


def _in_block(program: Program, backward: RecordedBackward) -> list[RecordedBackward]:
    """Every recorded gradient of the same block that matters as much."""
    same = (one for one in recorded_backwards(program) if one.recorder.opened.place == backward.recorder.opened.place)
    return [one for one in same if one.harmless == backward.harmless]


def _index(block: ast.With, node: ast.AST) -> int | None:
    found = (index for index, one in enumerate(block.body) if any(inner is node for inner in ast.walk(one)))
    return next(found, None)


def _needs_tape(program: Program, backward: RecordedBackward, moved: tuple[ast.stmt, ...]) -> bool:
    """Whether a gradient, in the block or behind a helper, is of something that only the moved statements compute."""
    scope = scope_around(program, backward.place)
    assigned = {name for statement in moved for name in _names(statement, ast.Store)}
    gradients = {name for one in moved if _takes_gradient(one) for name in _names(one, ast.Store)}
    for call in _gradient_calls(scope):
        if any(name in assigned - gradients for one in _targets(call) for name in _names(one, ast.Load)):
            return True
    return _computes_its_target(program, backward)


def _computes_its_target(program: Program, backward: RecordedBackward) -> bool:
    """Whether a helper that takes the gradient computes what it differentiates: that must stay recorded."""
    place = backward.gradient.place
    helper = function_around(program, place)
    if place == backward.place or helper is None or isinstance(helper, ast.Lambda):
        return False
    parameters = {one.arg for one in (*helper.args.posonlyargs, *helper.args.args, *helper.args.kwonlyargs)}
    stored = {name for statement in helper.body for name in _names(statement, ast.Store)}
    return not all(_is_parameter(one, parameters - stored) for one in _targets(place.node))


def _is_parameter(node: ast.AST, parameters: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in parameters


def _takes_gradient(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call) and any(_targets(statement.value))
    )


def _gradient_calls(scope: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(scope) if isinstance(node, ast.Call) and any(_targets(node))]


def _targets(node: ast.AST) -> list[ast.expr]:
    """What a call of `gradient` differentiates; nothing for other nodes."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return []
    if node.func.attr not in ("gradient", "jacobian", "batch_jacobian"):
        return []
    return [*node.args[:1], *(one.value for one in node.keywords if one.arg == "target")]


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, context)}
