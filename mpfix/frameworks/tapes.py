"""Gradient tapes: what opens and closes them, which of them record at a moment, and who else gets hold of one."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from mpfix.frameworks.events import GradientsGiven, TapeGiven, TapeOpened
from mpfix.frameworks.handlers import Functions, Methods
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    Choice,
    Library,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

OPEN = "open tapes"
"""The global property that holds the tapes that record right now, outermost first."""


def make_tape(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`tf.GradientTape(persistent=...)`.

    Each call makes an object of its own, however many there are of the site: a tape lives for one step only.
    """
    box = run.store.new_box(run.path)
    run.objects_made += 1
    tape = Object(box.serial, "tape", run.place(node), box, key=function.key)
    run.set(tape, "persistent", arguments.get(0, "persistent") or FALSE_VALUE)
    run.set(tape, "active", FALSE_VALUE)
    return tape


def enter_tape(lib: KerasLibrary, run: Run, tape: Object, node: ast.AST) -> Value:
    """`with tape:` starts (or goes on) recording."""
    before = run.store.read(run.globals, OPEN)
    _start(run, tape)
    lib.entered_tapes[tape] = before, run.store.read(run.globals, OPEN)
    run.emit(TapeOpened(node, tape, run.get(tape, "persistent")))
    return tape


def exit_tape(lib: KerasLibrary, run: Run, tape: Object, node: ast.AST) -> None:
    """The `with` block of a tape ends: what records is what recorded before, unless the block changed that."""
    before, within = lib.entered_tapes.pop(tape, (None, None))
    if within is not None and run.store.read(run.globals, OPEN) is within:
        run.set(tape, "active", FALSE_VALUE)
        run.leave_global(OPEN, before)
    else:
        _stop(run, tape)


def enter_pause(run: Run, pause: Object, node: ast.AST) -> Value:
    """`with tape.stop_recording():` begins."""
    tape = run.get(pause, "tape")
    if isinstance(tape, Object):
        _stop(run, tape)
    return NONE


def exit_pause(run: Run, pause: Object, node: ast.AST) -> None:
    """`with tape.stop_recording():` ends."""
    tape = run.get(pause, "tape")
    if isinstance(tape, Object):
        _start(run, tape)


def recorders(run: Run, tape: Value) -> tuple[Object, ...]:
    """The tapes that record what `tape.gradient` does, outermost first; an ordinary tape closes itself before."""
    if isinstance(tape, Object) and run.get(tape, "persistent") == FALSE_VALUE:
        _stop(run, tape)
    return open_tapes(run)


def open_tapes(run: Run) -> tuple[Object, ...]:
    """The tapes that surely record on the current path."""
    sides = _open(run)
    return tuple(one for one in sides[0] if isinstance(one, Object) and all(one in side for side in sides))


def may_record(run: Run) -> bool:
    """Whether some tape may record on the current path."""
    return any(_open(run))


def _open(run: Run) -> list[tuple[Value, ...]]:
    """The open tapes in each alternative."""
    found = widened(run.get_global(OPEN) or NONE)
    sides = [widened(one) for _, one in found] if isinstance(found, Choice) else [found]
    return [one.items if isinstance(one, Sequence) else () for one in sides]


def note_given(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> None:
    """A call outside the project that receives a tape, or gradients while a tape records."""
    is_recorded = isinstance(function, Unknown) and bool(open_tapes(run))
    for value in arguments.values():
        if isinstance(value, Object) and value.kind == "tape":
            run.emit(TapeGiven(node, value))
        elif is_recorded:
            gradients = _gradients_in(run, value)
            if gradients is not None:
                run.emit(GradientsGiven(node, gradients))


def _gradients_in(run: Run, value: Value) -> Record | None:
    if isinstance(value, Record):
        return value if value.kind == "gradients" else None
    content = list_content(run, value)
    return next((one for one in content.items if isinstance(one, Record)), None) if content is not None else None


def _start(run: Run, tape: Object) -> None:
    run.set(tape, "active", TRUE_VALUE)
    _change(run, lambda tapes: (*(one for one in tapes if one is not tape), tape))


def _stop(run: Run, tape: Object) -> None:
    if run.get(tape, "active") != FALSE_VALUE:
        run.set(tape, "active", FALSE_VALUE)
        _change(run, lambda tapes: tuple(one for one in tapes if one is not tape))


def _change(run: Run, change: Callable[[tuple[Value, ...]], tuple[Value, ...]]) -> None:
    def changed(one: Value) -> Value:
        known = widened(one)
        return Sequence(change(known.items if isinstance(known, Sequence) else ()))

    run.set_global(OPEN, run.each(run.get_global(OPEN) or NONE, changed))


def distributed_tape(
    lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST
) -> Value | None:
    """A Horovod tape is the tape it is given, which reduces over processes besides."""
    tape = arguments.get(0, "gradtape")
    if isinstance(tape, Object):
        run.set(tape, "distributed", TRUE_VALUE)
    return tape


def _stop_recording(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    pause = run.new_object("tape pause", node)
    run.set(pause, "tape", receiver)
    return pause


FUNCTIONS: Functions = {
    "tensorflow.GradientTape": make_tape,
    "horovod.tensorflow.DistributedGradientTape": distributed_tape,
    "horovod.tensorflow.keras.DistributedGradientTape": distributed_tape,
}
METHODS: Methods = {("tape", "stop_recording"): _stop_recording}
