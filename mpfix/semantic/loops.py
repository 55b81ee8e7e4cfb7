"""Loops: a short known sequence is unrolled; any other body is run once to learn what it writes, then once for good.

Cells written in the body first read as `Loop(loop, name, initial)`; what an iteration leaves in them is their
recurrence.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from mpfix.semantic.comprehensions import iterate_loop
from mpfix.semantic.exits import BREAK, CONTINUE, STOP, leave, left_of, narrow, take
from mpfix.semantic.run import Recurrence, Run
from mpfix.semantic.store import Box, Cells, Frame
from mpfix.semantic.values import Choice, Loop, LoopKey, Mapping, Object, Sequence, Unknown, Value

UNROLLED_SHARE = 4
"""Unrolled loops may take the steps of a root divided by this; a loop whose body takes more is learnt."""

RUNS_TO_LEARN = 2

Journal = dict[tuple[int, str], tuple[Box, str, Cells | None]]


def execute_for(run: Run, node: ast.For | ast.AsyncFor, frame: Frame) -> None:
    """A `for` loop; its `else` runs where no `break` was taken."""
    from mpfix.semantic.expressions import evaluate

    path, mark = run.path, len(run.exits)
    value = evaluate(run, node.iter, frame)
    elements, elementwise = iterate_loop(run, value, node.iter, frame)
    if not narrow(run, path, mark):
        return
    if elements.open or not _may_unroll(run, len(elements.items)):
        _learn(run, node, elements, frame, counted=not elementwise)
        return
    run.unrolled *= max(len(elements.items), 1)
    try:
        rest = _unroll(run, node, elements.items, frame)
        if rest:
            _learn(run, node, Sequence(rest), frame, counted=not elementwise)
    finally:
        run.unrolled //= max(len(elements.items), 1)


def _learn(run: Run, node: ast.For | ast.AsyncFor, elements: Sequence, frame: Frame, *, counted: bool) -> None:
    """A body run for any of the elements."""
    from mpfix.semantic.assignments import assign
    from mpfix.semantic.statements import execute_block

    stand_in = elements.items[0] if elements.items else run.unknown(node.iter)
    if not elements.open:
        stand_in = Unknown(("some", tuple(dict.fromkeys(elements.items)), run.place(node)), "item")
    key = LoopKey(run.place(node), frame.box.serial)
    element = _per_iteration(stand_in, key)

    def body() -> None:
        assign(run, node.target, element, frame)
        execute_block(run, node.body, frame)

    _run_learnt(run, key, body, node.orelse, frame, counted=counted)


def _may_unroll(run: Run, count: int) -> bool:
    return count <= run.limits.unrolled_items and (count <= 1 or run.unrolled * count <= run.limits.unrolled_bodies)


def _is_too_dear(run: Run, steps: int) -> bool:
    """Whether a body of so many steps, run once for each item of the unrolled loops around it, takes too many."""
    return steps * run.unrolled > max(run.limits.root_steps // UNROLLED_SHARE, run.limits.spare_steps)


def _unroll(run: Run, node: ast.For | ast.AsyncFor, items: tuple[Value, ...], frame: Frame) -> tuple[Value, ...]:
    """A body once for each item; a path that left it does not come back.

    The items that are left where it proves too dear: the body is then learnt for them, in two runs.
    """
    from mpfix.semantic.assignments import assign
    from mpfix.semantic.statements import execute_block

    if len(items) > RUNS_TO_LEARN and _is_too_dear(run, run.dear_bodies.get(node, 0)):
        return items
    for index, item in enumerate(items):
        path, mark, begun = run.path, len(run.exits), run.steps
        assign(run, node.target, item, frame)
        execute_block(run, node.body, frame)
        take(run, mark, (CONTINUE,), frame)
        left = left_of(run, path, mark)
        take(run, mark, (BREAK,), frame)
        if left is None:
            return ()
        run.path = left
        if len(items) - index > RUNS_TO_LEARN + 1 and _is_too_dear(run, run.steps - begun):
            run.dear_bodies[node] = run.steps - begun
            return items[index + 1 :]
    execute_block(run, node.orelse, frame)
    return ()


def _run_learnt(
    run: Run, key: LoopKey, body: Callable[[], None], orelse: list[ast.stmt], frame: Frame, *, counted: bool
) -> bool:
    """A loop that is learnt, then its `else`; whether it has a `break`."""
    from mpfix.semantic.statements import execute_block

    path, mark = run.path, len(run.exits)
    run_loop(run, key, body, counted=counted)
    take(run, mark, (CONTINUE,), frame)
    left = left_of(run, path, mark)
    breaks = take(run, mark, (BREAK,), frame)
    if orelse and left is not None:
        run.path = left
        execute_block(run, orelse, frame)
    return bool(breaks)


def _per_iteration(value: Value, key: LoopKey) -> Value:
    """An element that nobody knows is one value within an iteration and another one in the next."""
    if isinstance(value, Unknown):
        return Unknown(("iteration", key, value), str(value), value.depth)
    if isinstance(value, Sequence) and any(isinstance(item, Unknown) for item in value.items):
        return Sequence(tuple(_per_iteration(item, key) for item in value.items), value.open)
    return value


def execute_while(run: Run, node: ast.While, frame: Frame) -> None:
    """A `while` loop; an endless one without `break` does not fall through."""
    from mpfix.semantic.conditions import test
    from mpfix.semantic.statements import execute_block

    endless: list[bool] = []

    def body() -> None:
        path, mark = run.path, len(run.exits)
        yes, no = test(run, node.test, frame)
        endless.append(no is None)
        inside = run.under(yes) if yes is not None and narrow(run, path, mark) else None
        if inside is not None:
            run.path = inside
            execute_block(run, node.body, frame)

    path = run.path
    breaks = _run_learnt(run, LoopKey(run.place(node), frame.box.serial), body, node.orelse, frame, counted=True)
    run.path = path
    if endless and endless[-1] and not breaks:
        leave(run, STOP)


def run_loop(run: Run, key: LoopKey, body: Callable[[], None], *, counted: bool) -> None:
    """Learn what the body writes, then run it for good; while an outer loop is being learnt, once is enough."""
    entry, born, mark = run.path, run.store.serial, len(run.exits)
    journal: Journal = {}
    run.store.journals.append(journal)
    pools = run.pools
    if not run.muted:
        # what is made while a loop is learnt is not what it makes for good: it takes no object's place
        run.pools = {}
    run.muted += 1
    try:
        body()
    finally:
        run.muted -= 1
        run.pools = pools
        run.store.journals.pop()
    run.path = entry
    if run.muted:
        return
    del run.exits[mark:]
    changed = [(box, name, old, box.cells.get(name)) for box, name, old in journal.values() if box.serial <= born]
    run.store.rollback(journal)
    varying = [cell for cell in (_vary(run, key, *cell) for cell in changed) if cell is not None]
    if counted:
        run.loops = (*run.loops, key)
    try:
        body()
    finally:
        if counted:
            run.loops = run.loops[:-1]
    run.path = entry
    for box, name, initial in varying:
        cells = run.store.read(box, name)
        after = run.pick(cells) if cells else None
        if after is not None and not run.muted:
            run.recurrences.append(Recurrence(key, box.serial, name, initial, after, entry))


def _vary(
    run: Run, key: LoopKey, box: Box, name: str, old: Cells | None, new: Cells | None
) -> tuple[Box, str, Value] | None:
    """Make a cell that the body changes a `Loop` value; None when each iteration leaves it as it was."""
    initial = run.pick(old) if old else None
    learnt = run.pick(new) if new else None
    if learnt is None or learnt == initial:
        return None
    # a name first bound in the body may be read before that in a later iteration
    before = initial if initial is not None else Unknown(("unbound", box.serial, name), name)
    value = _widen(run, key, box, name, before, learnt)
    run.store.write(box, name, value, run.path, literals=run.limits.guard_literals)
    return box, name, before


def _widen(run: Run, key: LoopKey, box: Box, name: str, initial: Value, learnt: Value) -> Value:
    """What a changing cell holds at the start of any iteration."""
    if name == "content":
        initial, learnt = _joined(initial), _joined(learnt)
    if isinstance(learnt, (Sequence, Mapping)) and name == "content":
        return _widen_content(run, key, box, initial, learnt)
    unknown = Unknown(("loop", key, box.serial, name), name)
    known = unknown if isinstance(initial, Choice) or isinstance(learnt, Choice) else run.library.widen(initial, learnt)
    if known is None and isinstance(initial, Sequence) and isinstance(learnt, Sequence):
        known = _widen_content(run, key, box, initial, learnt)
    if (
        known is None
        and isinstance(learnt, Object)
        and isinstance(initial, Object)
        and learnt.kind == initial.kind == "list"
    ):
        known = learnt
    return Loop(key, box.serial, name, initial, known if known is not None else unknown)


def _joined(value: Value) -> Value:
    """Contents of which the path chooses one, as one that may hold the items of all."""
    contents = [one for _, one in value.alternatives] if isinstance(value, Choice) else []
    sequences = [one for one in contents if isinstance(one, Sequence)]
    if not sequences or len(sequences) < len(contents):
        return value
    return Sequence(tuple(dict.fromkeys(item for one in sequences for item in one.items)), True)


def _widen_content(run: Run, key: LoopKey, box: Box, initial: Value, learnt: Value) -> Value:
    if not isinstance(learnt, Sequence) or not isinstance(initial, Sequence):
        return Mapping((), True) if isinstance(learnt, Mapping) else Sequence((), True)
    items = tuple(dict.fromkeys((*initial.items, *learnt.items)))
    if len(items) == 2 and initial.items and learnt.items:
        known = run.library.widen(initial.items[0], learnt.items[-1])
        if known is not None:
            return Sequence((Loop(key, box.serial, "content", initial.items[0], known),), True)
    return Sequence(items[: run.limits.entries], True)
