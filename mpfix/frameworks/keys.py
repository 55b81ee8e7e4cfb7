"""Canonical keys: one name for an API, however its package and module are spelt.

Everything of Keras lives under `keras.`, everything of TensorFlow under `tensorflow.`; of several public names of one
object (`keras.layers.MaxPool2D`, `tensorflow.math.reduce_mean`) `tables/aliases.toml` says which is canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from weakref import WeakKeyDictionary

from mpfix.frameworks.tables import load_table
from mpfix.record import record
from mpfix.semantic.names import NamesResult, NameUse, resolve_names
from mpfix.semantic.syntax import Module


@record
class Key:
    """An outside name, canonical, with what its spelling tells."""

    name: str
    package: str
    """The package as the user reaches it: `keras`, `tensorflow.keras`, `tf_keras`; else the first part of the name."""
    generation: int | None = None
    """The only generation of Keras in which the name as spelt exists; None for both, or not Keras."""


ROOTS: tuple[tuple[str, str, str, int | None], ...] = (
    ("tensorflow.python.keras.api._v2.keras", "keras", "tensorflow.keras", 2),
    ("tensorflow_core.python.keras", "keras", "tensorflow.keras", 2),
    ("tensorflow.python.keras", "keras", "tensorflow.keras", 2),
    ("tensorflow.compat.v1.keras", "keras", "tensorflow.compat.v1.keras", None),
    ("tensorflow.compat.v2.keras", "keras", "tensorflow.keras", None),
    ("tensorflow._api.v2.keras", "keras", "tensorflow.keras", None),
    ("tensorflow.keras", "keras", "tensorflow.keras", None),
    ("tensorflow.initializers", "keras.initializers", "tensorflow.keras", None),
    ("tensorflow.optimizers", "keras.optimizers", "tensorflow.keras", None),
    ("tensorflow.metrics", "keras.metrics", "tensorflow.keras", None),
    ("tensorflow.losses", "keras.losses", "tensorflow.keras", None),
    ("tf_keras.api._v2.keras", "keras", "tf_keras", 2),
    ("tf_keras.api", "keras", "tf_keras", 2),
    ("tf_keras.src", "keras", "tf_keras", 2),
    ("tf_keras", "keras", "tf_keras", 2),
    ("keras._tf_keras.keras", "keras", "keras", 3),
    ("keras.api._v2.keras", "keras", "keras", 2),
    ("keras.api", "keras", "keras", None),
    ("keras.src", "keras", "keras", None),
    ("keras.python.keras", "keras", "keras", 2),
    ("keras_core.src", "keras", "keras_core", 3),
    ("keras_core", "keras", "keras_core", 3),
    ("keras", "keras", "keras", None),
    ("tensorflow.compat.v2", "tensorflow", "tensorflow", None),
    ("tensorflow._api.v2", "tensorflow", "tensorflow", None),
    ("tensorflow", "tensorflow", "tensorflow", None),
)
"""Spelt prefix, canonical prefix, package, generation; the longer before the shorter."""

FAMILIES = frozenset(
    [
        "activations",
        "callbacks",
        "constraints",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "mixed_precision",
        "models",
        "optimizers",
        "regularizers",
        "utils",
    ]
)
"""Namespaces of Keras whose private submodules (`keras.layers.core.dense`) are dropped from a name."""

PUBLIC_SUBMODULES = frozenset({"bounding_boxes", "experimental", "legacy", "schedules"})

PRIVATE_SUBMODULES = frozenset(
    [
        "activation",
        "attention",
        "convolutional",
        "convolutional_recurrent",
        "core",
        "cudnn_recurrent",
        "dense_attention",
        "embeddings",
        "advanced_activations",
        "local",
        "loss_scale_optimizer",
        "merge",
        "merging",
        "noise",
        "normalization",
        "policy",
        "pooling",
        "preprocessing",
        "recurrent",
        "regularization",
        "reshaping",
        "rnn",
        "serialization",
        "wrappers",
    ]
)
"""Submodules of those namespaces that may stand last, because only they are imported."""

ENGINE = {
    "Functional": "keras.Model",
    "Input": "keras.Input",
    "InputLayer": "keras.layers.InputLayer",
    "InputSpec": "keras.layers.InputSpec",
    "Layer": "keras.layers.Layer",
    "Model": "keras.Model",
    "Network": "keras.Model",
    "Sequential": "keras.Sequential",
}
"""Classes of the private `keras.engine`, `keras.models` and `keras.legacy` modules."""


@lru_cache(maxsize=4096)
def canonical(qualified: str) -> Key:
    """The key of a dotted outside name such as `tensorflow.keras.layers.MaxPool2D`."""
    for spelt, root, package, generation in ROOTS:
        if qualified == spelt or qualified.startswith(spelt + "."):
            name = root + qualified[len(spelt) :]
            if root == "tensorflow":
                return Key(_without_alias(name, "tensorflow"), package)
            public = _public(name)
            only = generation or _only_generation(name) or _only_generation(public)
            return Key(_without_alias(public, "keras"), package, only)
    return Key(qualified, qualified.partition(".")[0])


def is_keras(qualified: str) -> bool:
    """Whether a dotted outside name belongs to Keras, in any spelling."""
    return canonical(qualified).name.partition(".")[0] == "keras"


def public_names(module: str) -> frozenset[str]:
    """What `from module import *` binds; empty for a module that is not known."""
    return _public_names().get(canonical(module).name, frozenset())


def outside_names(module: Module) -> NamesResult:
    """What the outside names of a module mean: asked by what chooses the generation and by each program, found once."""
    found = _NAMES.get(module)
    if found is None:
        found = _NAMES[module] = resolve_names(module.tree, public_names)
    return found


_NAMES: WeakKeyDictionary[Module, NamesResult] = WeakKeyDictionary()


def uses_of(module: Module, names: frozenset[str]) -> list[NameUse]:
    """Where a module uses one of some canonical names; a text without the words of any is not resolved at all."""
    if not any(word in module.document.text for word in _words(names)):
        return []
    return [use for use in outside_names(module).uses if canonical(use.qualified).name in names]


@cache
def _words(names: frozenset[str]) -> frozenset[str]:
    """The last parts of canonical names in every spelling."""
    spelt = (alias for root in ("keras", "tensorflow") for alias, name in _aliases(root).items() if name in names)
    return frozenset(name.rpartition(".")[2] for name in (*names, *spelt))


def _public(name: str) -> str:
    """A Keras name without private modules: `keras.layers.core.dense.Dense` is `keras.layers.Dense`."""
    parts = name.split(".")
    if len(parts) < 3:
        return name
    if parts[1:] == ["models", "Input"]:
        return "keras.Input"
    if parts[1] == "engine":
        return ENGINE.get(parts[2] if len(parts) == 3 else parts[3], name)
    if parts[1] in ("optimizer_v2", "optimizer_v1", "optimizer_experimental"):
        parts[1] = "optimizers"
    if parts[1] == "ops" and parts[2] in ("nn", "numpy", "linalg") and len(parts) > 3:
        return ".".join(parts[:2] + parts[3:])
    if parts[1:3] == ["backend", "tensorflow_backend"]:
        return ".".join(parts[:2] + parts[3:])
    if parts[1] in FAMILIES:
        return _without_private_modules(parts)
    return ".".join(_without_owner_module(parts))


def _without_private_modules(parts: list[str]) -> str:
    """Drops the modules between a namespace and the first name that is not a module."""
    kept = parts[:2]
    for index, part in enumerate(parts[2:], 2):
        last = index == len(parts) - 1
        if part == "learning_rate_schedule":
            kept.append("schedules")
        elif part in PUBLIC_SUBMODULES:
            kept.append(part)
        elif not (part.islower() and (part in PRIVATE_SUBMODULES if last else True)):
            return ".".join([*kept, *parts[index:]])
        elif part == "preprocessing" and kept[-1] == "experimental":
            kept.pop()
    return ".".join(kept)


def _without_owner_module(parts: list[str]) -> list[str]:
    """`keras.applications.resnet50.ResNet50` without the module: the class is public one level higher."""
    if parts[1] == "applications" and len(parts) > 3 and not parts[3].islower():
        return [*parts[:2], *parts[3:]]
    return parts


def _without_alias(name: str, root: str) -> str:
    """`name` with the longest prefix that is an alias replaced; an attribute of an aliased class keeps its tail."""
    aliases = _aliases(root)
    head, tail = name, ""
    while head != root and "." in head:
        found = aliases.get(head)
        if found is not None:
            return found + tail
        head, _, last = head.rpartition(".")
        tail = f".{last}{tail}"
    return name


def _only_generation(name: str) -> int | None:
    """The only generation that has a public name, or a namespace around it."""
    only = _generations()
    head = name
    while "." in head:
        if head in only:
            return only[head]
        head = head.rpartition(".")[0]
    return None


@cache
def _aliases(root: str) -> Mapping[str, str]:
    rows = load_table("aliases")[root]
    return {f"{root}.{spelt}": f"{root}.{name}" for spelt, name in rows.items()}


@cache
def _generations() -> Mapping[str, int]:
    table = load_table("generations")
    return {f"keras.{name}": generation for generation in (2, 3) for name in table[f"only_{generation}"]}


@cache
def _public_names() -> Mapping[str, frozenset[str]]:
    return {module: frozenset(names.split()) for module, names in load_table("public_names").items()}
