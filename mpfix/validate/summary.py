"""Inside the child: what can be told once, when the steps are done."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Iterable
from typing import Any

from mpfix.validate.arrays import as_array, dtype_name
from mpfix.validate.layers import LayerProbe
from mpfix.validate.optimizers import OptimizerProbe
from mpfix.validate.policies import global_policy
from mpfix.validate.steps import Steps

PACKAGES = ("tensorflow", "keras", "tf_keras", "jax", "torch", "numpy")


def summarise(steps: Steps, layers: LayerProbe, optimizers: Iterable[OptimizerProbe]) -> dict[str, Any]:
    """Memory, persistent bytes, layers, gradients of each variable, traces and versions."""
    gradients = {name: item.shares() for probe in optimizers for name, item in probe.gradients.items()}
    return {
        "memory": steps.memory.figures(),
        "bytes": _persistent(steps, layers),
        "layers": layers.table(),
        "head": layers.head,
        "policy": global_policy(layers.packages[-1]) if layers.packages else None,
        "gradients": gradients,
        # an update at the end of a window comes after the last step
        "evaluations": steps.evaluations,
        "updates": steps.updates,
        "skipped": steps.skipped,
        "scalings": steps.scalings,
        "wrapped": any(hasattr(item, "inner_optimizer") for item in steps.optimizers.values()),
        "traces": _traces(steps),
        **_machine(layers),
    }


def _persistent(steps: Steps, layers: LayerProbe) -> dict[str, int]:
    """Bytes of the variables of all models, and of what the optimizers keep for them."""
    variables = {id(item): item for model in layers.models() for item in _weights(model)}
    slots: dict[int, Any] = {}
    for optimizer in steps.optimizers.values():
        for item in _called(getattr(optimizer, "variables", ())):
            if id(item) not in variables:
                slots[id(item)] = item
    return {"variables": sum(map(_bytes, variables.values())), "slots": sum(map(_bytes, slots.values()))}


def _weights(model: Any) -> list[Any]:
    try:
        return list(model.weights)
    except (AttributeError, ValueError):
        # not built, or its `__init__` did not finish
        return []


def _called(value: Any) -> list[Any]:
    """Variables, which the legacy optimizers of Keras 2 give as a method."""
    try:
        return list(value() if callable(value) else value)
    except TypeError:
        return []


def _bytes(variable: Any) -> int:
    """Bytes of a variable by its shape: nothing is copied from a GPU."""
    import numpy

    name = dtype_name(variable)
    try:
        size = 2 if name == "bfloat16" else numpy.dtype(name or "").itemsize
        return math.prod(int(length) for length in variable.shape) * size
    except (AttributeError, TypeError, ValueError):
        array = as_array(variable)
        return 0 if array is None else int(array.nbytes)


def _traces(steps: Steps) -> dict[str, int]:
    """How often each function that trained was traced; one that is not public is left out."""
    counts = {}
    for function in steps.functions.values():
        count = getattr(function, "experimental_get_tracing_count", lambda: 0)()
        if count:
            counts[str(getattr(function, "__name__", "function"))] = int(count)
    return counts


def _machine(layers: LayerProbe) -> dict[str, Any]:
    backend = _backend(layers)
    return {
        "versions": {
            "python": platform.python_version(),
            **{
                name: str(sys.modules[name].__version__)
                for name in PACKAGES
                if hasattr(sys.modules.get(name), "__version__")
            },
        },
        "keras": [package.__name__ for package in layers.packages],
        "backend": backend,
        "gpus": _gpu_names(backend or "tensorflow"),
    }


def _backend(layers: LayerProbe) -> str | None:
    for package in layers.packages:
        chosen = getattr(getattr(package, "config", None), "backend", None)
        if callable(chosen):
            return str(chosen())
    return "tensorflow" if layers.packages else None


def _gpu_names(backend: str) -> list[str]:
    """The cards that the backend trains on."""
    library = sys.modules.get(backend)
    if library is None:
        return []
    if backend == "jax":
        return [str(device.device_kind) for device in library.local_devices() if device.platform != "cpu"]
    if backend == "torch":
        return [str(library.cuda.get_device_name(i)) for i in range(library.cuda.device_count())]
    return [
        str(library.config.experimental.get_device_details(device).get("device_name", device.name))
        for device in library.config.list_physical_devices("GPU")
    ]
