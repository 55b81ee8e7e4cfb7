"""What a layer of the project has of its base class: whether it is built, what `super()` does."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mpfix.frameworks import activations, layers
from mpfix.frameworks.handlers import Methods
from mpfix.frameworks.policies import compute_dtype
from mpfix.semantic.run import Run
from mpfix.semantic.values import FALSE_VALUE, TRUE_VALUE, Arguments, Object, Record, Value, derived

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

_BUILT_IN = {"__init__": FALSE_VALUE, "build": FALSE_VALUE, "call": TRUE_VALUE}
"""What `built` is while a method of the layer runs: Keras builds a layer before its first `call`."""

OF_ONE_TENSOR = ("Dense", "Conv", "Embedding", "Normalization", "Dropout", "Pooling", "Activation")
"""Parts of the names of layers that give one tensor, in their compute dtype."""


def _built(lib: KerasLibrary, run: Run, receiver: Object, node: ast.AST) -> Value:
    """`layer.built`, where the program has not set it: told by the layer's own methods that are running."""
    own = {id(method) for cls in (receiver.cls.mro() if receiver.cls is not None else ()) for method in cls.node.body}
    for running in reversed(run.stack):
        if isinstance(running, ast.FunctionDef) and running.name in _BUILT_IN and id(running) in own:
            return _BUILT_IN[running.name]
    return derived("attribute", (receiver, "built"), f"{lib.role(receiver)}.built")


def _init(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`super().__init__(...)`: the base class keeps what it is given."""
    if isinstance(receiver, Object):
        activations.keep(run, receiver, arguments)
    return layers.METHODS["layer", "__init__"](lib, run, receiver, arguments, node)


def _call(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`super().call(x)` of a project's layer: what its base class computes."""
    if not isinstance(receiver, Object) or receiver.cls is None:
        return None
    bases = receiver.cls.library_bases()
    name = bases[0].key.rpartition(".")[2] if bases else ""
    if not any(part in name for part in OF_ONE_TENSOR) or "LSTM" in name or layers.signature(name).output is not None:
        return None
    return Record("tensor", run.place(node), {"dtype": compute_dtype(run, run.get(receiver, "policy"))})


ATTRIBUTES = {"built": _built}
METHODS: Methods = {("layer", "__init__"): _init, ("layer", "call"): _call}
