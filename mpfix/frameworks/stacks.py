"""The layers of a Sequential as `add` and `pop` leave them: all of them, or at least the last ones."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.semantic.run import Run
from mpfix.semantic.values import NONE, Arguments, Object, Sequence, Value

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

TAIL = "last layers"
"""The property that holds what was added since the last loop began: the end of the model, whatever is before it."""


def add(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`model.add(layer)`."""
    if isinstance(receiver, Object) and arguments.positional:
        added = arguments.positional[0]
        content = run.get(receiver, "content")
        if isinstance(content, Sequence) or content == NONE:
            before = content if isinstance(content, Sequence) else Sequence(())
            run.set(receiver, "content", Sequence((*before.items, added)[-run.limits.entries :], before.open))
        else:
            run.set(receiver, "content", run.each(content, lambda one: _longer(one, added)))
        run.set(receiver, TAIL, run.each(run.get(receiver, TAIL), lambda one: _later(run, one, added)))
    return NONE


def _longer(content: Value, added: Value) -> Value:
    return Sequence((*content.items, added), content.open) if isinstance(content, Sequence) else content


def _later(run: Run, tail: Value, added: Value) -> Sequence:
    """What is surely last after one more layer; what varies in a loop says nothing of what came before."""
    items = tail.items if isinstance(tail, Sequence) else ()
    return Sequence((*items, added)[-run.limits.entries :])


def pop(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`model.pop()`."""
    if isinstance(receiver, Object):
        for name in ("content", TAIL):
            run.set(receiver, name, run.each(run.get(receiver, name), _shorter))
    return NONE


def _shorter(content: Value) -> Value:
    if isinstance(content, Sequence) and content.items:
        return Sequence(content.items[:-1], content.open)
    return content


def last_layers(run: Run, model: Object, content: Value) -> Value:
    """The layers of a model, where all are known; else those that are surely its last, None (the constant) for none."""
    if isinstance(content, Sequence) and content.items and not content.open:
        return content
    return run.get(model, TAIL)
