"""Gradients as values: from tapes through arithmetic, accumulators and clips to `apply_gradients`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import scales, sums, tapes
from mpfix.frameworks.events import Clipped, Divided, GradientTaken
from mpfix.frameworks.handlers import Method, Methods
from mpfix.frameworks.layers import first_tensor
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Choice,
    Constant,
    Loop,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


SMALL_SCALE = 64
"""Gradients over a smaller constant are averaged; over a larger or unknown one they may be unscaled by hand."""

# -- tapes


def _take(method: str) -> Method:
    def handler(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        target = arguments.get(0, "target") or run.unknown(node)
        sources = arguments.get(1, "sources") or run.unknown(node)
        inside = (
            run.get(receiver, "active") if isinstance(receiver, Object) else Unknown(("inside", receiver), "inside")
        )
        again = arguments.get(None, "experimental_use_pfor") == FALSE_VALUE
        recorders = tapes.recorders(run, receiver)
        run.emit(GradientTaken(node, receiver, target, sources, inside, method, recorders, again))
        half = trained_half(run, sources)
        return run.each(target, lambda one: taken(run, one, receiver, node, half))

    return handler


def taken(run: Run, target: Value, tape: Value, node: ast.AST, half: Value = NONE) -> Record:
    """The gradients of one target: they keep what is known of the loss; `half` is what is known of the variables."""
    loss = first_tensor(run, target) if not isinstance(target, Record) else target
    if isinstance(loss, Record):
        kept = scales.kept(loss, scales.OF_LOSS)
    else:
        kept = {
            "vector": Unknown(("vector", target), "vector"),
            "scaled": scales.scale_of(target),
            "divided": Unknown(("divided", target), "divided"),
        }
    if half != NONE:
        kept["half"] = half
    kept["taken"] = At(run.place(node))
    if isinstance(tape, Object) and run.get(tape, "distributed") == TRUE_VALUE:
        kept["distributed"] = TRUE_VALUE
    return Record("gradients", run.place(node), kept)


def trained_half(run: Run, sources: Value) -> Value:
    """Where the policy of the model was set whose variables are trained, when it computes in float16."""
    owner = run.property(sources, "owner") if isinstance(sources, Record) else NONE
    return run.get(owner, "half") if isinstance(owner, Object) else NONE


# -- from whatever holds gradients to one record


def gradients_of(lib: KerasLibrary, run: Run, value: Value, node: ast.AST) -> Value:
    """The gradients in an argument: a record, `zip(gradients, variables)`, a list of either, an accumulator."""
    return run.each(value, lambda one: _gradients_of(lib, run, one, node))


def _gradients_of(lib: KerasLibrary, run: Run, value: Value, node: ast.AST) -> Value:
    if isinstance(value, Loop):
        inner = widened(value)
        if isinstance(inner, Record) and inner.kind == "gradients":
            before = sums.accumulator_of(run, value) or NONE
            return inner.having({"accumulator": before}) if inner.get("accumulator") == NONE else inner
        return sums.total(run, value, node) or _gradients_of(lib, run, inner, node)
    if isinstance(value, Record):
        return value
    if isinstance(value, Object) and value.kind == "variable":
        return sums.total(run, value, node) or Record("gradients", run.place(node), {"accumulator": value})
    content = list_content(run, value)
    if content is not None and content.items:
        first = content.items[0]
        return run.each(first, lambda one: _gradients_of(lib, run, one, node))
    return sums.total(run, value, node) or value


def variables_of(run: Run, value: Value) -> Value:
    """The variables in `zip(gradients, variables)`; None (the constant) when they cannot be told."""
    content = list_content(run, value)
    if content is not None and content.items:
        first = content.items[0]
        if isinstance(first, Sequence) and len(first.items) == 2:
            return first.items[1]
    return NONE


# -- arithmetic


def arithmetic(lib: KerasLibrary, run: Run, name: str, operands: tuple[Value, ...], node: ast.AST) -> Value | None:
    """Operators with gradients or sums of them; None where none takes part."""
    if name == "Mult" and any(sums.is_zero(operand) for operand in operands):
        nothing = _zeros(run, operands, node)
        if nothing is not None:
            return nothing
    if not any(_is_gradients(widened(operand)) for operand in operands):
        return _of_total(run, name, operands, node)
    if name == "Add":
        return _sum(run, operands, node)
    if name in ("Div", "Mult", "FloorDiv"):
        return _multiple(run, name, operands, tuple(widened(operand) for operand in operands), node)
    known = next(one for one in map(widened, operands) if isinstance(one, Record) and _is_gradients(one))
    involved = [one for one in operands if sums.accumulator_of(run, one) is not None]
    return known.having({"accumulator": Unknown(("accumulator", run.place(node)), name)}) if involved else known


def _zeros(run: Run, operands: tuple[Value, ...], node: ast.AST) -> Record | None:
    """Gradients, or a sum of them, times 0; None where there are none."""
    for one in map(widened, operands):
        if _is_gradients(one) or sums.is_variable(one):
            dtype = run.get(one, "dtype") if isinstance(one, Object) else NONE
            return Record("tensor", run.place(node), {"zeros": TRUE_VALUE, "dtype": dtype})
    return None


def _is_gradients(value: Value) -> bool:
    return isinstance(value, Record) and value.kind == "gradients"


def _sum(run: Run, operands: tuple[Value, ...], node: ast.AST) -> Record:
    result = sums.add(run, operands, node)
    for operand in map(widened, operands):
        if isinstance(operand, Record) and operand.get("random") == TRUE_VALUE:
            run.emit(Clipped(node, result, "noise", NONE))
    return result


def _multiple(run: Run, name: str, operands: tuple[Value, ...], plain: tuple[Value, ...], node: ast.AST) -> Value:
    if _is_gradients(plain[0]):
        gradients, factor, original = plain[0], operands[-1], operands[0]
    else:
        gradients, factor, original = plain[-1], operands[0], operands[-1]
    assert isinstance(gradients, Record)
    accumulator = sums.accumulator_of(run, original)
    if accumulator is not None:
        # a number that is not known may be 0
        is_told = name != "Mult" or isinstance(factor, Constant)
        gradients = gradients.having({"accumulator": accumulator, "factor": TRUE_VALUE if is_told else factor})
    scale = widened(factor)
    if isinstance(scale, Record) and scale.kind == "scale":
        return _over_scale(run, name, gradients, scale, node)
    is_small = (
        isinstance(factor, Constant) and isinstance(factor.value, (int, float)) and abs(factor.value) < SMALL_SCALE
    )
    # a sum is divided by the number of its parts
    if accumulator is None and not is_small:
        divisor = factor if name == "Div" else Unknown(("hand divisor", run.place(node)), name)
        gradients = gradients.having({"divided by hand": At(run.place(node)), "hand divisor": divisor})
    is_division = name != "Mult"
    if not is_division and isinstance(factor, Constant) and isinstance(factor.value, (int, float)):
        is_division = abs(factor.value) < 1
    if not is_division and not isinstance(factor, Constant):
        is_division = True  # times something unknown: it may well be one over the window
    if not is_division:
        return gradients.having({}, run.place(node))
    result = divided(run, gradients, factor, node)
    run.emit(Divided(node, accumulator if accumulator is not None else NONE, result))
    return result


def _over_scale(run: Run, name: str, gradients: Record, scale: Record, node: ast.AST) -> Record:
    """Gradients over, or times, the loss scale of an optimizer."""
    optimizer, place = scale.get("optimizer"), run.place(node)
    if scales.divides(name, scale):
        again = {"unscaled again": gradients.get("unscaled at")} if gradients.get("unscaled") != NONE else {}
        return gradients.having({**again, "unscaled": optimizer, "unscaled at": At(place)}, place)
    if gradients.get("unscaled") == optimizer and gradients.get("unscaled again") == NONE:
        # they carry the scale again
        return gradients.having({"unscaled": NONE, "unscaled at": NONE}, place)
    return gradients.having({"unscaled": Unknown(("scaled by hand", place), "unscaled")}, place)


def divided(run: Run, value: Record, by: Value, node: ast.AST) -> Record:
    """A loss or gradients divided by something; a second division is remembered besides."""
    changed: dict[str, Value] = {"divided": by, "divided at": At(run.place(node))}
    if value.get("divided") != NONE:
        changed = {"divided again": by, "divided again at": At(run.place(node))}
    return value.having(changed, run.place(node))


def _of_total(run: Run, name: str, operands: tuple[Value, ...], node: ast.AST) -> Value | None:
    """`accumulator / n`: a variable, or a cell that a loop carries, that gradients were added to."""
    if name not in ("Div", "Mult", "FloorDiv") or len(operands) != 2:
        return None
    for index, operand in enumerate(operands):
        known = sums.total(run, operand, node)
        if known is not None:
            both = (known, operands[1]) if index == 0 else (operands[0], known)
            return _multiple(run, name, both, tuple(map(widened, both)), node)
    return None


# -- clips


def clip(lib: KerasLibrary, run: Run, key: str, threshold: int, arguments: Arguments, node: ast.AST) -> Value | None:
    """A clip or norm of gradients; None when its argument is something else."""
    if not arguments.positional:
        return None
    value = arguments.positional[0]
    gradients = gradients_of(lib, run, value, node)
    if not any(_is_gradients(one) for one in _alternatives(gradients)):
        return None
    limit = arguments.positional[threshold] if 0 <= threshold < len(arguments.positional) else None
    if limit is None and threshold >= 0:
        limit = next(
            (arguments.keyword(name) for name in ("clip_norm", "clip_value_max", "x_max") if arguments.keyword(name)),
            None,
        )

    def clipped(one: Value) -> Value:
        if not (isinstance(one, Record) and one.kind == "gradients"):
            return one
        run.emit(Clipped(node, one, key, limit or NONE))
        if threshold < 0:
            return Record("tensor", run.place(node), {"norm of": At(one.place)})
        return one.having({"clipped": Constant(key), "clipped at": At(run.place(node))}, run.place(node))

    result = run.each(gradients, clipped)
    if key == "tensorflow.clip_by_global_norm":
        return Sequence((result, Record("tensor", run.place(node), {"norm of": At(run.place(node))})))
    return result


def _alternatives(value: Value) -> tuple[Value, ...]:
    return tuple(one for _, one in value) if isinstance(value, Choice) else (value,)


METHODS: Methods = {
    ("tape", "gradient"): _take("gradient"),
    ("tape", "jacobian"): _take("jacobian"),
    ("tape", "batch_jacobian"): _take("batch_jacobian"),
}
