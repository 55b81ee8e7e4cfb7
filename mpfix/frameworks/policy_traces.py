"""What surrounds a policy: who gets it, the graph rewrite beside it, layers that work in a dataset's `map`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mpfix.frameworks import labels
from mpfix.frameworks.events import LayerMapped, PolicyUsed, RewriteSwitched
from mpfix.frameworks.handlers import Functions, Methods
from mpfix.semantic.calls import call_back
from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Arguments,
    At,
    Bound,
    Choice,
    Constant,
    Library,
    Mapping,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    derived,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

OPTION = "auto_mixed_precision"
VARIABLES = ("TF_ENABLE_AUTO_MIXED_PRECISION", "TF_ENABLE_AUTO_MIXED_PRECISION_GRAPH_REWRITE")
LOGGERS = ("builtins", "logging", "absl.logging", "loguru")
"""What is told of a policy does not set it."""

CONTENT = frozenset({"list", "set", "dict"})
"""Kinds of objects whose content is looked through."""

MAPPING = "mapping"
"""The global property that says that a dataset's `map` is calling."""

# -- policies that are given to somebody


def note_given(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> None:
    """A call outside the project that receives a policy object."""
    if isinstance(function, Library) and function.key.rpartition(".")[0] in LOGGERS:
        return
    note_values(run, arguments.values(), node)


def note_values(run: Run, values: Iterable[Value], node: ast.AST) -> None:
    """Policy objects among values that somebody gets."""
    for value in values:
        if isinstance(value, (Constant, Unknown, Library)) or (isinstance(value, Record) and value.kind != "policy"):
            continue
        for policy in _policies_in(run, value, 2):
            run.emit(PolicyUsed(node, policy))


def _policies_in(run: Run, value: Value, depth: int) -> Iterator[Record]:
    value = widened(value)
    if isinstance(value, Record):
        if value.kind == "policy" and value.get("made at") != NONE:
            yield value
    elif isinstance(value, Choice):
        for _, one in value:
            yield from _policies_in(run, one, depth)
    elif depth and (isinstance(value, Sequence) or (isinstance(value, Object) and value.kind in CONTENT)):
        for one in _items(run, value):
            yield from _policies_in(run, one, depth - 1)


def _items(run: Run, value: Value) -> tuple[Value, ...]:
    if isinstance(value, Object) and value.kind == "dict":
        content = run.get(value, "content")
        return tuple(one for _, one in content.entries) if isinstance(content, Mapping) else ()
    found = list_content(run, value)
    return found.items if found is not None else ()


# -- the graph rewrite


def _set_options(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`tf.config.optimizer.set_experimental_options({"auto_mixed_precision": True})`."""
    options = arguments.get(0, "options")
    content = run.get(options, "content") if isinstance(options, Object) and options.kind == "dict" else None
    if isinstance(content, Mapping):
        on = content.get(Constant(OPTION))
        if on is not None:
            _switched(run, on, OPTION, node, alone=len(content.entries) == 1 and not content.open)
    return NONE


def note_variable(run: Run, name: Value, value: Value, node: ast.AST) -> None:
    """`os.environ["TF_ENABLE_AUTO_MIXED_PRECISION"] = "1"`."""
    if isinstance(name, Constant) and name.value in VARIABLES:
        on = run.each(value, _is_on)
        _switched(run, on, name.value, node, alone=True)


def _switched(run: Run, on: Value, option: str, node: ast.AST, *, alone: bool) -> None:
    run.emit(RewriteSwitched(node, on, option, alone, run.get_global("policy") or NONE))
    place = At(run.place(node))
    run.set_global("rewrite", run.each(on, lambda one: place if one == TRUE_VALUE else NONE))


def _is_on(value: Value) -> Value:
    if not isinstance(value, Constant):
        return value
    return TRUE_VALUE if str(value.value).lower() in ("1", "true") else FALSE_VALUE


# -- layers in a dataset's map


def duck_map(receiver: Unknown) -> Bound:
    """`dataset.map` of a receiver nobody knows."""
    return Bound(Library("dataset.map"), receiver)


def _map(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """Functions that are mapped run now, on elements nobody knows."""
    before = run.enter_global(MAPPING, TRUE_VALUE)
    try:
        with run.contained():
            for element in call_back(run, arguments, node):
                labels.note_elements(run, element, node)
        for value in arguments.positional[:1]:
            if isinstance(value, Object) and lib.role(value) in ("layer", "model"):
                run.call(value, Arguments((run.unknown(node),)), node)
    finally:
        run.leave_global(MAPPING, before)
    text = f"{receiver}.map()" if not isinstance(receiver, Unknown) or receiver.depth < 6 else "map()"
    return derived("call", (receiver, "map", run.place(node)), text)


def note_mapped(run: Run, called: Object, node: ast.AST) -> None:
    """A layer or model that is called; inside a mapped function it works there, with all layers in it."""
    if run.get_global(MAPPING) == TRUE_VALUE:
        for layer in _layers_of(run, called, 3):
            run.emit(LayerMapped(node, layer))


def _layers_of(run: Run, called: Object, depth: int) -> Iterator[Object]:
    yield called
    content = run.get(called, "content") if called.kind == "model" or called.cls is not None else NONE
    for one in content.items if isinstance(content, Sequence) and depth else ():
        if isinstance(one, Object):
            yield from _layers_of(run, one, depth - 1)


FUNCTIONS: Functions = {"tensorflow.config.optimizer.set_experimental_options": _set_options}
METHODS: Methods = {("dataset", "map"): _map}
