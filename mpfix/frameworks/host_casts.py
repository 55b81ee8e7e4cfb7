"""Casts to half inside functions that a dataset maps over its elements, and the arithmetic behind them."""

from __future__ import annotations

import ast

from mpfix.frameworks.half_values import HalfComputed
from mpfix.frameworks.policy_traces import MAPPING
from mpfix.frameworks.training import HALF
from mpfix.record import record
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.values import TRUE_VALUE, At, Constant, Record, Value


@record
class HostCast(Event):
    """A tensor was cast to `dtype` inside a mapped function."""

    dtype: Value


def note_cast(run: Run, dtype: Value, node: ast.AST) -> None:
    """A tensor is cast."""
    if run.get_global(MAPPING) == TRUE_VALUE:
        run.emit(HostCast(node, dtype))


@record
class HostHalf:
    """A cast to the half `dtype` on the host whose result `use` computes with."""

    cast: Occurrence
    dtype: str
    use: Occurrence


@fact
def host_halves(program: Program) -> tuple[HostHalf, ...]:
    """Casts to half in mapped functions before arithmetic; one that is the last step only halves what is copied."""
    found: dict[object, HostHalf] = {}
    for occurrence in program.happened(HostCast):
        assert isinstance(occurrence.event, HostCast)
        for _, dtype in alternatives(occurrence.event.dtype, occurrence.guard):
            name = dtype.value if isinstance(dtype, Constant) else None
            use = _use_of(program, occurrence) if name in HALF else None
            if use is not None:
                found.setdefault(occurrence.place, HostHalf(occurrence, str(name), use))
    return tuple(found.values())


def _use_of(program: Program, cast: Occurrence) -> Occurrence | None:
    """The first operation of the same mapped function that gets the cast tensor."""
    for occurrence in program.happened(HalfComputed):
        event = occurrence.event
        assert isinstance(event, HalfComputed)
        if cast.chain and occurrence.chain[:1] != cast.chain[:1]:
            continue
        operands = (one for side in (event.left, event.right) for _, one in alternatives(side, occurrence.guard))
        if any(isinstance(one, Record) and one.get("cast at") == At(cast.place) for one in operands):
            return occurrence
    return None
