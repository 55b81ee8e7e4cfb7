"""Inputs that are cast to half by hand before a layer or model that casts its input anyway."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import dtypes
from mpfix.frameworks.events import HalfInput
from mpfix.frameworks.layers import first_tensor
from mpfix.frameworks.policies import compute_dtype
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    Arguments,
    At,
    Choice,
    Constant,
    Object,
    Record,
    Sequence,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary
    from mpfix.semantic.store import Cells

HALF = frozenset({"float16", "bfloat16"})
CALLING = "calling"
"""The global property that holds the model whose `call` is running."""


def note_input(lib: KerasLibrary, run: Run, target: Object, arguments: Arguments, node: ast.AST) -> None:
    """A layer or model gets a tensor that was just cast to half."""
    given = arguments.positional[0] if arguments.positional else arguments.keyword("inputs")
    if given is None:
        return
    for one in [value for _, value in given] if isinstance(given, Choice) else [given]:
        tensor = widened(one)
        if not isinstance(tensor, Record) or tensor.kind != "tensor" or not _is_just_cast(tensor):
            continue
        layer = first_layer(lib, run, target)
        if layer is not None and dtypes.casts_inputs(lib, run, layer):
            owner = run.get_global(CALLING) or NONE
            model = target if lib.role(target) == "model" else owner
            run.emit(
                HalfInput(
                    node,
                    tensor,
                    layer,
                    compute_dtype(run, run.get(layer, "policy")),
                    model,
                    run.get(model if isinstance(model, Object) else layer, "policy"),
                    is_inside=lib.nesting(run) > 0,
                    takes_integers=target.cls is None and lib.role(target) == "model",
                )
            )


def _is_just_cast(tensor: Record) -> bool:
    cast, dtype = tensor.get("cast at"), tensor.get("dtype")
    return isinstance(cast, At) and cast.place == tensor.place and isinstance(dtype, Constant) and dtype.value in HALF


def first_layer(lib: KerasLibrary, run: Run, target: Object) -> Object | None:
    """The layer that gets a model's input, or the layer itself; None where nobody knows."""
    if lib.role(target) == "layer":
        return target
    outputs = run.get(target, "outputs")
    if outputs != NONE:
        tensor = first_tensor(run, outputs)
        first = tensor.get("first") if isinstance(tensor, Record) else NONE
        return first if isinstance(first, Object) else None
    if target.cls is not None:
        return target
    content = run.get(target, "content")
    layers = [one for one in content.items if not isinstance(one, Record)] if isinstance(content, Sequence) else []
    first = layers[0] if layers else NONE
    return first_layer(lib, run, first) if isinstance(first, Object) else None


def enter_call(run: Run, model: Object) -> tuple[Cells | None, Cells | None]:
    """A model's own `call` begins; gives what was running before."""
    return run.enter_global(CALLING, model), dtypes.enter_scope(run, model)


def leave_call(run: Run, before: tuple[Cells | None, Cells | None]) -> None:
    """A model's own `call` ends."""
    run.leave_global(CALLING, before[0])
    dtypes.leave_scope(run, before[1])
