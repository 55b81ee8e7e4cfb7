"""What leaves models: each output tensor with its position and name, told when a run has ended."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mpfix.frameworks.compiled_losses import run_losses
from mpfix.frameworks.events import ModelOutput
from mpfix.semantic.calls import parameter_unknown
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    NONE,
    Arguments,
    Choice,
    Constant,
    Function,
    Mapping,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


MOST_OUTPUTS = 4
"""Results of a model's own `call` that are remembered."""

PASSED_BY_KERAS = ("inputs", "training", "mask")
"""What `fit` passes to `call`."""


def emit_outputs(lib: KerasLibrary, run: Run) -> None:
    """At the end of a run: the tensors that leave each model, and the losses that get them."""
    from mpfix.frameworks.models import model_output

    for model in dict.fromkeys(lib.models):
        with run.on_path(model.box.base):
            if model.summary or model in lib.ambient.tried:
                continue
            saved, run.module = run.module, model.place.module
            plain = run.get(model, "call outputs")
            seen = plain if plain != NONE else run.get(model, "other outputs")
            outputs = list(seen.items) if isinstance(seen, Sequence) else []
            if not outputs and (model.cls is None or run.get(model, "content") != NONE):
                unseen = Unknown(("input", model.serial), "input")
                outputs.append(model_output(lib, run, model, unseen, model.place.node))
            for one in outputs:
                _emit_each(run, model, one)
            run.module = saved
    run_losses(lib, run)


def given_by_keras(model: Object, call: Function) -> Arguments:
    """What `fit` passes to a project's `call`: inputs, `training` and `mask`; other parameters keep their defaults."""
    spec = call.node.args
    names = {parameter.arg for parameter in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
    keywords = tuple((name, parameter_unknown(call, name)) for name in PASSED_BY_KERAS[1:] if name in names)
    return Arguments((Unknown(("input", model.serial), "inputs"),), keywords)


def note_output(run: Run, model: Object, arguments: Arguments, output: Value) -> None:
    """What a model's own `call` gave: another result, say of training, does not replace it.

    A call with other keywords than `fit` passes (`return_state=True`) may give more than what is trained on.
    """
    is_plain = all(name in PASSED_BY_KERAS for name, _ in arguments.keywords)
    kind = "call outputs" if is_plain else "other outputs"
    seen = run.get(model, kind)
    known = seen.items if isinstance(seen, Sequence) else ()
    if output not in known:
        run.set(model, kind, Sequence((*known, output)[-MOST_OUTPUTS:]))


def _emit_each(run: Run, model: Object, outputs: Value) -> None:
    """Each alternative under its guard, each tensor of a structure with its index and its key."""
    outputs = widened(outputs)
    if isinstance(outputs, Choice):
        for guard, one in outputs:
            path = run.under(guard)
            if path is not None:
                with run.on_path(path):
                    _emit_each(run, model, one)
        return
    entries = list(_entries(run, outputs))
    for index, (key, item) in enumerate(entries):
        for tensor in _alternatives(item):
            _emit(run, model, tensor, index, len(entries), key)


def _alternatives(value: Value) -> Iterator[Value]:
    if isinstance(value, Choice):
        yield from (one for _, one in value)
    else:
        yield widened(value)


def _entries(run: Run, outputs: Value) -> Iterator[tuple[Value, Value]]:
    """The tensors of a structure with their keys; nested lists are flattened."""
    if isinstance(outputs, Object) and outputs.kind == "dict":
        content = run.get(outputs, "content")
        for key, item in content.entries if isinstance(content, Mapping) else ():
            yield from ((key, one) for _, one in _entries(run, item))
        return
    several = list_content(run, outputs)
    if several is None:
        yield NONE, outputs
        return
    for item in several.items:
        yield from _entries(run, item)


def _emit(run: Run, model: Object, tensor: Value, index: int, count: int, key: Value) -> None:
    if not isinstance(tensor, Record) or tensor.kind != "tensor" or tensor.get("input") != NONE:
        return
    names = tuple(one for one in (key, tensor.get("name")) if isinstance(one, Constant) and one != NONE)
    is_part = run.get(model, "part") != NONE
    run.emit(
        ModelOutput(model.place.node, model, tensor, run.get(model, "policy"), index, count, Sequence(names), is_part)
    )


def each_tensor(run: Run, outputs: Value, change: Callable[[Record], Value], node: ast.AST) -> Value:
    """A structure of tensors with each tensor changed; lists become tuples, other values stay."""

    def changed(one: Value) -> Value:
        one = widened(one)
        if isinstance(one, Record):
            return change(one) if one.kind == "tensor" else one
        content = list_content(run, one) if not (isinstance(one, Object) and one.kind == "dict") else None
        if content is not None:
            return Sequence(tuple(run.each(item, changed) for item in content.items), content.open)
        if isinstance(one, Object) and one.kind == "dict":
            return _changed_dict(run, one, changed, node)
        return one

    return run.each(outputs, changed)


def _changed_dict(run: Run, one: Object, changed: Callable[[Value], Value], node: ast.AST) -> Value:
    from mpfix.semantic.containers import new_dict

    content = run.get(one, "content")
    if not isinstance(content, Mapping):
        return one
    entries = tuple((key, run.each(item, changed)) for key, item in content.entries)
    return new_dict(run, Mapping(entries, content.open), node)
