"""Inside the child: the layers; what each computes in and why, and which is the first to give a number that is none."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

from mpfix.validate.arrays import as_array, dtype_name, is_finite, is_float, leaves
from mpfix.validate.policies import forced_dtype, global_policy, policy_name
from mpfix.validate.record import Config, Recorder
from mpfix.validate.replacing import wrap_method
from mpfix.validate.sources import user_place
from mpfix.validate.steps import Steps

HALF = ("float16", "bfloat16")
MAX_LAYERS = 1000


class Birth:
    """Where and how a layer was built."""

    __slots__ = ("dtype", "place", "policy")

    def __init__(self, place: str | None, policy: str, dtype: str | None) -> None:
        self.place = place
        self.policy = policy
        self.dtype = dtype


class LayerProbe:
    """Watches the layers of all Keras packages of a run."""

    def __init__(self, config: Config, recorder: Recorder, steps: Steps) -> None:
        self.forced: str | None = config["policy"]
        self.recorder = recorder
        self.steps = steps
        self.births: dict[int, Birth] = {}
        self.outputs: dict[int, str | None] = {}
        self.packages: list[Any] = []
        self.depth = 0
        self.last_leaf: Any = None
        self.had_inner = False
        self.head: dict[str, Any] | None = None

    def patch(self, keras: Any) -> None:
        """Watch the layers of one Keras."""
        self.packages.append(keras)
        wrap_method(keras.layers.Layer, "__init__", lambda original: self._init(original, keras))
        if self.steps.has_probes:
            wrap_method(keras.layers.Layer, "__call__", self._call)

    def models(self) -> list[Any]:
        """Every model that is alive, outer ones first as far as they were built."""
        kinds = tuple(package.Model for package in self.packages)
        # a dead weak proxy raises when it is asked for its class
        return [item for item in gc.get_objects() if kinds and issubclass(type(item), kinds)]

    def table(self) -> list[dict[str, Any]]:
        """What is known of each layer that has a dtype, in the order in which models hold them."""
        rows: dict[int, dict[str, Any]] = {}
        for layer in self._layers():
            if id(layer) not in rows and len(rows) < MAX_LAYERS:
                rows[id(layer)] = self._row(layer)
        return list(rows.values())

    def _layers(self) -> Iterator[Any]:
        for model in self.models():
            for layer in _below(model):
                if layer is not model and type(layer).__name__ != "InputLayer" and hasattr(layer, "compute_dtype"):
                    yield layer

    def _row(self, layer: Any) -> dict[str, Any]:
        birth = self.births.get(id(layer))
        return {
            "name": str(layer.name),
            "class": type(layer).__name__,
            "compute": dtype_text(layer.compute_dtype),
            "variable": dtype_text(getattr(layer, "variable_dtype", None)),
            "output": self.outputs.get(id(layer)),
            "place": birth and birth.place,
            "reason": _reason(birth),
        }

    def _init(self, original: Callable[..., Any], keras: Any) -> Callable[..., Any]:
        def init(layer: Any, *arguments: Any, **keywords: Any) -> None:
            if self.forced is not None and keywords.get("dtype") is not None:
                keywords["dtype"] = forced_dtype(keywords["dtype"], self.forced)
            birth = Birth(user_place(), global_policy(keras), policy_name(keywords.get("dtype")))
            self.births.setdefault(id(layer), birth)
            original(layer, *arguments, **keywords)

        return init

    def _call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(layer: Any, *arguments: Any, **keywords: Any) -> Any:
            self.depth += 1
            self.had_inner = False
            try:
                result = original(layer, *arguments, **keywords)
            finally:
                self.depth -= 1
            if not self.had_inner:
                self.last_leaf = layer
            self.had_inner = True
            self._look(layer, (arguments, keywords), result)
            return result

        return call

    def _look(self, layer: Any, given: Any, result: Any) -> None:
        outputs = list(leaves(result))[:4]
        if outputs:
            self.outputs[id(layer)] = dtype_name(outputs[0])
        if not any(is_float(as_array(output)) for output in outputs):
            # a symbol, in the script's construction of a model or in a trace
            return
        if not self.depth:
            self._note_head(outputs[0])
        if not all(map(is_finite, outputs)):
            birth = self.births.get(id(layer))
            self.recorder.once(
                "nonfinite",
                "first",
                number=self.steps.done + 1,
                layer=str(layer.name),
                layer_class=type(layer).__name__,
                dtype=dtype_name(outputs[0]),
                place=birth and birth.place,
                inputs_finite=all(map(is_finite, leaves([*given[0], *given[1].values()]))),
                weights_finite=all(map(is_finite, getattr(layer, "weights", ()))),
            )

    def _note_head(self, output: Any) -> None:
        """What the script's own call of a model gave, and the layer that made it."""
        leaf = self.last_leaf
        birth = self.births.get(id(leaf))
        self.head = {
            "dtype": dtype_name(output),
            "layer": str(getattr(leaf, "name", "?")),
            "activation": _activation(leaf),
            "place": birth and birth.place,
        }


def dtype_text(dtype: Any) -> str | None:
    """A dtype, which Keras gives as text or as an object, as text."""
    return None if dtype is None else str(getattr(dtype, "name", dtype))


def _below(model: Any) -> Iterator[Any]:
    """A model's layers, those inside other layers too."""
    flatten = getattr(model, "_flatten_layers", None)
    try:
        yield from flatten(recursive=True, include_self=False) if callable(flatten) else model.layers
    except (AttributeError, ValueError):
        # a model whose own `__init__` did not finish
        return


def _activation(layer: Any) -> str | None:
    activation = getattr(layer, "activation", None)
    if activation is None:
        return {"Softmax": "softmax"}.get(type(layer).__name__)
    return str(getattr(activation, "__name__", type(activation).__name__))


def _reason(birth: Birth | None) -> str:
    """Why a layer computes in the dtype it does."""
    if birth is None:
        return "built before it could be watched"
    if birth.dtype is not None:
        return f'it was built with dtype="{birth.dtype}"'
    return f"the policy was {birth.policy} when it was built"
