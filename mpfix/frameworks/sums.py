"""Sums of gradients: what an accumulator is, and what adding to one gives.

An accumulator is a variable, or a cell (a name, an attribute, the content of a list) that a loop carries from one
iteration to the next.
"""

from __future__ import annotations

import ast

from mpfix.frameworks import scales
from mpfix.frameworks.events import Accumulated
from mpfix.record import record
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    At,
    Choice,
    Constant,
    Loop,
    LoopKey,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    widened,
)

HOLD = frozenset({"gradients", "variable", "list", "set", "dict"})
"""Kinds of records and objects that are gradients or variables, or may hold some."""

CARRIED = frozenset({"loop", "element", "item", "iteration"})
"""Origins of unknown values that a loop may carry: all others hold no sums (see `carried`)."""


@record
class Cell(Value):
    """A cell that a loop carries: its box and its name, whichever loop it is."""

    box: int
    name: str

    def __str__(self) -> str:
        return self.name


def is_gradients(value: Value) -> bool:
    """Whether a value is gradients."""
    return isinstance(value, Record) and value.kind == "gradients"


def is_variable(value: Value) -> bool:
    """Whether a value is a variable of the framework."""
    return isinstance(value, Object) and value.kind == "variable"


def are_made_alike(one: Value, other: Value) -> bool:
    """Whether two values are variables that one place made: slots of one list, for all that is asked of them."""
    return is_variable(one) and is_variable(other) and one.place == other.place  # type: ignore[attr-defined]


def is_zero(value: Value) -> bool:
    """Whether a value surely is zero, or a tensor of zeros."""
    value = widened(value)
    if isinstance(value, Constant):
        return value.value in (0, 0.0) and value.value is not False
    return isinstance(value, Record) and value.get("zeros") == TRUE_VALUE


# -- what a loop carries


def carried(run: Run, value: Value) -> Loop | Unknown | None:
    """The value of a cell as the loop carries it, where `value` is that, or an element of it."""
    for _ in range(8):
        match value:
            case Loop():
                return value
            case Unknown(origin=("loop", *_)):
                return value
            case Unknown(origin=("element" | "item", Value() as inner, *_)):
                value = inner
            case Unknown(origin=("iteration", _, Value() as inner)):
                value = inner
            case Object(kind="list"):
                value = run.get(value, "content")
            case _:
                return None
    return None


def cell_of(value: Loop | Unknown) -> Cell:
    """The cell of a carried value."""
    if isinstance(value, Loop):
        return Cell(value.box, value.name)
    return Cell(value.origin[2], value.origin[3])


def loops_of(value: Loop | Unknown) -> tuple[LoopKey, ...]:
    """The loops that hand a carried value on, innermost first."""
    found: list[LoopKey] = []
    current: Value = value
    while isinstance(current, Loop):
        found.append(current.loop)
        current = current.initial
        if isinstance(current, Object) and current.kind == "list":
            break
    if isinstance(current, Unknown) and current.origin[0] == "loop":
        found.append(current.origin[1])
    return tuple(dict.fromkeys(found))


def accumulator_of(run: Run, value: Value) -> Value | None:
    """The accumulator that a value is, or is read from: a variable or a cell; None for anything else."""
    if is_variable(value):
        return value
    if isinstance(value, Record):
        found = value.get("accumulator")
        return found if found != NONE else None
    found_in = carried(run, value)
    if isinstance(found_in, Loop) and isinstance(found_in.initial, Record):
        # a loop that goes over the parts of a sum
        before = found_in.initial.get("accumulator")
        if before != NONE:
            return before
    return cell_of(found_in) if found_in is not None else None


# -- what is known of a sum


def remember(run: Run, accumulator: Value, gradients: Record) -> None:
    """Keep what is known of gradients that are added to an accumulator."""
    if isinstance(accumulator, Object):
        run.set(accumulator, "added", gradients)
    elif isinstance(accumulator, Cell):
        run.set_global(_remembered_under(accumulator), gradients)


def remembered(run: Run, accumulator: Value) -> Record | None:
    """The gradients that were added last; None when none were."""
    if isinstance(accumulator, Object):
        found = _only_record(run.get(accumulator, "added"))
    elif isinstance(accumulator, Cell):
        found = widened(run.get_global(_remembered_under(accumulator)) or NONE)
    else:
        return None
    return found if isinstance(found, Record) else None


def _only_record(value: Value) -> Value:
    """What is added, where some iterations add nothing."""
    if not isinstance(value, Choice):
        return widened(value)
    every = [widened(one) for _, one in value]
    added = [one for one in every if isinstance(one, Record)]
    rest = [one for one in every if not isinstance(one, Record)]
    alike = [scales.kept(one, scales.OF_GRADIENTS) for one in added]
    is_told = alike[1:] == alike[:-1] and all(one == NONE or (isinstance(one, Unknown) and not one.cut) for one in rest)
    return added[0] if added and is_told else value


def _remembered_under(cell: Cell) -> str:
    return f"added to {cell.box} {cell.name}"


def total(run: Run, value: Value, node: ast.AST) -> Record | None:
    """What an accumulator holds, as gradients; None where nothing was added to it."""
    stored = stored_items(run, value)
    if stored is not None:
        return stored
    accumulator = accumulator_of(run, value)
    known = remembered(run, accumulator) if accumulator is not None else None
    if accumulator is None or known is None:
        return None
    return Record("gradients", run.place(node), {**scales.kept(known, scales.OF_GRADIENTS), "accumulator": accumulator})


def stored_items(run: Run, value: Value) -> Record | None:
    """What was stored by index in a list that a loop carries; a divided item stands for all."""
    found = carried(run, value)
    box = run.unknown_boxes.get(widened(found)) if found is not None else None
    if box is None:
        return None
    items = [run.pick(cells) for name, cells in sorted(box.cells.items()) if name.startswith("[")]
    sums = [one for one in map(_plain, items) if one is not None and one.get("accumulator") != NONE]
    return max(sums, key=lambda one: one.get("divided") != NONE, default=None)


def _plain(value: Value | None) -> Record | None:
    known = widened(value) if value is not None else None
    return known if isinstance(known, Record) and known.kind == "gradients" else None


# -- adding


def add(run: Run, operands: tuple[Value, ...], node: ast.AST) -> Record:
    """A sum with gradients among its operands."""
    place = run.place(node)
    fresh = [one for one in operands if _is_fresh(one)]
    totals = [one for one in operands if not _is_fresh(one) and _may_be_total(run, one)]
    if not fresh:
        # two sums added, or a sum and something else: whose sum this is cannot be told
        known = next(one for one in map(widened, operands) if isinstance(one, Record) and one.kind == "gradients")
        return known.having({}, place) if len(totals) < 2 else known.having({"accumulator": _nobody(node, run)}, place)
    gradients = fresh[-1]
    assert isinstance(gradients, Record)
    if not totals and any(isinstance(one, Unknown) and one.origin[0] != "operator" for one in operands):
        # a value that nobody knows may be the sum so far
        return gradients.having({"accumulator": _nobody(node, run)}, place)
    if len(fresh) == len(operands) or not totals:
        zeros = next((one for one in map(widened, operands) if isinstance(one, Record) and is_zero(one)), None)
        started = {"zeros": At(zeros.place), "zeros in": zeros.get("zeros in")} if zeros is not None else {}
        return gradients.having(started, place)
    return _add_to(run, totals[0], gradients, node)


def _is_fresh(value: Value) -> bool:
    return isinstance(value, Record) and value.kind == "gradients" and value.get("accumulator") == NONE


def _may_be_total(run: Run, value: Value) -> bool:
    if isinstance(value, Record):
        return value.kind == "gradients"
    return is_variable(value) or carried(run, value) is not None


def _add_to(run: Run, sum_before: Value, gradients: Record, node: ast.AST) -> Record:
    accumulator = accumulator_of(run, sum_before)
    place = run.place(node)
    if accumulator is None or isinstance(accumulator, Unknown) or _has_factor(sum_before):
        # a running average with decay is no accumulator
        return gradients.having({"accumulator": _nobody(node, run)}, place)
    if isinstance(accumulator, Cell):
        found = carried(run, sum_before)
        loops = loops_of(found) if found is not None else ()
        run.emit(Accumulated(node, accumulator, gradients, loops))
        remember(run, accumulator, gradients)
        return gradients.having({"accumulator": accumulator}, place)
    # a variable does not change by that: `joined` tells the sum from its content
    return gradients.having({"accumulator": accumulator, "joined": At(place)}, place)


def _has_factor(value: Value) -> bool:
    known = widened(value)
    return isinstance(known, Record) and known.get("factor") != NONE


def _nobody(node: ast.AST, run: Run) -> Unknown:
    return Unknown(("accumulator", run.place(node)), "accumulator")


def may_hold(value: Value) -> bool:
    """Whether a value can be or hold gradients: most of what calls are given cannot."""
    if type(value) is Unknown:
        return value.origin[0] in CARRIED
    if type(value) is Record or type(value) is Object:
        return value.kind in HOLD
    return isinstance(value, (Sequence, Choice, Loop))


def holders(run: Run, value: Value, depth: int = 0) -> list[Value]:
    """Gradients and accumulators in a value, such as an argument: records and variables."""
    value = widened(value)
    if not may_hold(value):
        return []
    if is_gradients(value) or is_variable(value):
        return [value]
    if depth < 3:
        content = list_content(run, value)
        if content is not None:
            return [one for item in content.items[:8] for one in holders(run, item, depth + 1)]
    known = total(run, value, run.module.tree) if isinstance(value, Unknown) and run.module is not None else None
    return [known] if known is not None else []
