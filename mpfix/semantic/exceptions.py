"""`try` and `raise`: what handlers catch, of the exceptions that the program raises and of those that nobody sees."""

from __future__ import annotations

import ast
import builtins as python_builtins

from mpfix.semantic.exits import RAISE, Exit, leave, take
from mpfix.semantic.guards import Equal, Guard, conjoin, either, relative
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.values import Class, Library, Object, Sequence, Unknown, Value


def execute_try(run: Run, node: ast.Try, frame: Frame) -> None:
    """The body may have stopped anywhere: it runs under "nothing was raised", handlers under the opposite.

    What the program itself raises in the body goes to the first handler that catches it. `finally` always runs.
    """
    from mpfix.semantic.statements import execute_block

    entry, mark = run.path, len(run.exits)
    raised = Unknown(("raised", run.place(node)), f"an exception in line {node.lineno}")
    if node.handlers and not _passes_on(node):
        run.path = run.under(frozenset({(raised, False)})) or entry
    run.trying += bool(node.handlers)
    try:
        falls = execute_block(run, node.body, frame)
    finally:
        run.trying -= bool(node.handlers)
    caught = take(run, mark, (RAISE,)) if node.handlers else []
    if falls:
        execute_block(run, node.orelse, frame)
    _run_handlers(run, node, frame, entry, raised, caught)
    run.path = entry
    execute_block(run, node.finalbody, frame)


def _passes_on(node: ast.Try) -> bool:
    """Whether every handler ends in a `raise`: then what nobody saw ends the program, as it does anywhere else."""
    return all(isinstance(handler.body[-1], ast.Raise) for handler in node.handlers)


def _run_handlers(run: Run, node: ast.Try, frame: Frame, entry: Guard, raised: Unknown, caught: list[Exit]) -> None:
    from mpfix.semantic.statements import execute_block

    waiting = [Exit(RAISE, relative(one.guard, entry) - {(raised, False)}, None, one.exception) for one in caught]
    which = Unknown(("handler", run.place(node)), f"the exception in line {node.lineno}")
    unforeseen: Guard = frozenset({(raised, True)})
    for index, handler in enumerate(node.handlers):
        run.path = entry
        wanted = _evaluated_type(run, handler, frame)
        is_last = index == len(node.handlers) - 1
        here: Guard | None = unforeseen if is_last else unforeseen | {(Equal(which, index), True)}
        unforeseen = unforeseen | {(Equal(which, index), False)}
        guards, waiting = _sorted_out(run, waiting, wanted, handler)
        for guard in guards:
            here = either(here, guard)
        path = run.under_from(entry, here) if here is not None else None
        mark = len(run.exits)
        if path is not None:
            run.path = path
            _bind_exception(run, handler, frame)
            execute_block(run, handler.body, frame)
        if not caught and _passes_on(node):
            take(run, mark, (RAISE,))
    run.exits.extend(Exit(RAISE, conjoin(entry, one.guard) or entry, None, one.exception) for one in waiting)


def _evaluated_type(run: Run, handler: ast.ExceptHandler, frame: Frame) -> Value | None:
    from mpfix.semantic.expressions import evaluate

    return evaluate(run, handler.type, frame) if handler.type is not None else None


def _bind_exception(run: Run, handler: ast.ExceptHandler, frame: Frame) -> None:
    from mpfix.semantic.assignments import assign_name

    if handler.name:
        assign_name(run, handler.name, run.unknown(handler, handler.name), frame)


def _sorted_out(
    run: Run, waiting: list[Exit], wanted: Value | None, handler: ast.ExceptHandler
) -> tuple[list[Guard], list[Exit]]:
    """The guards under which a handler catches one of several exceptions, and those that go on."""
    here: list[Guard] = []
    rest: list[Exit] = []
    for index, one in enumerate(waiting):
        answer = catches(wanted, one.exception)
        if answer is None:
            open_answer = Unknown(
                ("catches", run.place(handler), index, one.exception), f"line {handler.lineno} catches"
            )
            here.append(one.guard | {(open_answer, True)})
            rest.append(Exit(RAISE, one.guard | {(open_answer, False)}, None, one.exception))
        elif answer:
            here.append(one.guard)
        else:
            rest.append(one)
    return here, rest


def catches(wanted: Value | None, exception: Value | None) -> bool | None:
    """Whether a handler of a type catches an exception that the program raises; None where nobody knows."""
    if wanted is None:
        return True
    if isinstance(wanted, Sequence):
        answers = [catches(one, exception) for one in wanted.items]
        return True if True in answers else (None if None in answers or wanted.open else False)
    if isinstance(wanted, Library) and wanted.key in ("builtins.Exception", "builtins.BaseException"):
        return True
    raised = _exception_class(exception)
    if isinstance(raised, Library):
        return _is_subclass(raised, wanted)
    if isinstance(raised, Class):
        if wanted in raised.mro():
            return True
        answers = [_is_subclass(base, wanted) for base in raised.library_bases()]
        return True if True in answers else (None if None in answers or raised.has_unknown_base() else False)
    return None


def _exception_class(exception: Value | None) -> Value | None:
    if isinstance(exception, Object):
        return exception.cls
    if isinstance(exception, Unknown) and exception.origin[0] == "call":
        exception = exception.origin[1]
    return exception if isinstance(exception, (Library, Class)) else None


def _is_subclass(raised: Library, wanted: Value) -> bool | None:
    if not isinstance(wanted, Library):
        return False if isinstance(wanted, Class) else None
    first, second = _python_exception(raised), _python_exception(wanted)
    if first is not None and second is not None:
        return issubclass(first, second)
    return True if raised.key == wanted.key else None


def _python_exception(value: Library) -> type[BaseException] | None:
    found = (
        getattr(python_builtins, value.key.removeprefix("builtins."), None)
        if value.key.startswith("builtins.")
        else None
    )
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def execute_raise(run: Run, node: ast.Raise, frame: Frame) -> None:
    """`raise`: the path ends."""
    from mpfix.semantic.expressions import evaluate

    exception = evaluate(run, node.exc, frame) if node.exc is not None else None
    leave(run, RAISE, None, exception)


def execute_assert(run: Run, node: ast.Assert, frame: Frame) -> None:
    """`assert`: the path ends where the test is false."""
    from mpfix.semantic.conditions import test

    _, no = test(run, node.test, frame)
    path = run.under(no) if no is not None else None
    if path is not None:
        run.path = path
        leave(run, RAISE, None, Library("builtins.AssertionError"))


def suppressed(run: Run, manager: Value, mark: int) -> None:
    """`with contextlib.suppress(...)`: exceptions of the body end at the end of the block."""
    if not (isinstance(manager, Unknown) and manager.origin[:2] == ("call", Library("contextlib.suppress"))):
        return
    wanted = [part for part in manager.origin[2:] if isinstance(part, (Library, Class))]
    for one in take(run, mark, (RAISE,)):
        if all(catches(part, one.exception) is False for part in wanted) and wanted:
            run.exits.append(one)


__all__ = ["catches", "execute_assert", "execute_raise", "execute_try", "suppressed"]
