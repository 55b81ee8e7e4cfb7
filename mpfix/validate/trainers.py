"""Inside the child: `fit` and its relatives, counted, kept short and kept from writing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from mpfix.validate.arrays import as_array, leaves
from mpfix.validate.diversions import WRITING_CALLBACKS, divert_keras
from mpfix.validate.record import Config, Recorder
from mpfix.validate.replacing import wrap_method
from mpfix.validate.steps import Steps

NEVER = 10**9
"""Epochs between two validations: none happens, and the split of the data stays as it is."""


class TrainerPatch:
    """The patched methods of one Keras' `Model`."""

    def __init__(self, keras: Any, steps: Steps, recorder: Recorder, config: Config) -> None:
        self.keras = keras
        self.steps = steps
        self.recorder = recorder
        self.batch_size: int | None = config["batch_size"]
        self.model: Any = None
        """The model trained last, kept: a script that ends without it still has it told of."""

    def fit(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`fit` with every train-function call as a step."""
        signature = inspect.signature(original)

        def fit(model: Any, *arguments: Any, **keywords: Any) -> Any:
            self.steps.check_end()
            bound = signature.bind(model, *arguments, **keywords)
            chosen = bound.arguments
            chosen["verbose"] = 0
            chosen["validation_freq"] = NEVER
            chosen["callbacks"] = self._callbacks(chosen.get("callbacks"))
            self._set_batch(chosen)
            self.model = model
            self._make_eager(model)
            return self._inside(original, *bound.args, **bound.kwargs)

        return fit

    def train_on_batch(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`train_on_batch` as one step."""

        def train_on_batch(model: Any, *arguments: Any, **keywords: Any) -> Any:
            if self.steps.in_trainer:
                return original(model, *arguments, **keywords)
            self.model = model
            self._make_eager(model)
            self.steps.begin("train_on_batch")
            result = self._inside(original, model, *arguments, **keywords)
            self.steps.end(_first_number(result))
            return result

        return train_on_batch

    def briefly(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`evaluate` and `predict`, which train nothing: one batch each."""

        def call(model: Any, *arguments: Any, **keywords: Any) -> Any:
            if self.steps.in_trainer:
                return original(model, *arguments, **keywords)
            self.steps.check_end()
            bound = inspect.signature(original).bind(model, *arguments, **keywords)
            bound.arguments["verbose"] = 0
            if bound.arguments.get("steps") is None and original.__name__ == "evaluate":
                bound.arguments["steps"] = 1
            return self._inside(original, *bound.args, **bound.kwargs)

        return call

    def compute_loss(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The loss that `compile` was given, noted."""

        def compute_loss(model: Any, *arguments: Any, **keywords: Any) -> Any:
            loss = original(model, *arguments, **keywords)
            self.steps.compiled_loss(loss)
            return loss

        return compute_loss

    def _inside(self, original: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        self.steps.in_trainer += 1
        try:
            return original(*arguments, **keywords)
        finally:
            self.steps.in_trainer -= 1

    def _callbacks(self, given: Any) -> Any:
        probe = self._probe()
        if hasattr(given, "append") and not isinstance(given, list):
            # a CallbackList that the script built itself
            given.append(probe)
            return given
        callbacks = list(given) if isinstance(given, list | tuple) else [given] if given is not None else []
        kept = [item for item in callbacks if type(item).__name__ not in WRITING_CALLBACKS]
        for item in callbacks:
            if item not in kept:
                self.recorder.once("diverted", f"the callback {type(item).__name__}")
        return [*kept, probe]

    def _probe(self) -> Any:
        steps = self.steps

        def begin(callback: Any, batch: int, logs: Any = None) -> None:
            steps.begin("fit").is_training = True

        def end(callback: Any, batch: int, logs: Any = None) -> None:
            steps.end(_first_number(logs))

        members = {"on_train_batch_begin": begin, "on_train_batch_end": end}
        return type("StepProbe", (self.keras.callbacks.Callback,), members)()

    def _make_eager(self, model: Any) -> None:
        """Let probes see values in a backend that TensorFlow's switch does not reach."""
        if self.steps.has_probes and "tensorflow" not in str(_backend(self.keras)):
            model.run_eagerly = True

    def _set_batch(self, chosen: dict[str, Any]) -> None:
        data: Any = chosen.get("x")
        if self.batch_size is None:
            return
        if hasattr(data, "unbatch"):
            chosen["x"] = data.unbatch().batch(self.batch_size)
        elif all(hasattr(leaf, "shape") for leaf in leaves(data)):
            chosen["batch_size"] = self.batch_size
        else:
            self.recorder.once("problem", "the batch size stays: the data of `fit` come in batches of their own")


def patch_models(keras: Any, steps: Steps, recorder: Recorder, config: Config) -> None:
    """Patch the `Model` of a Keras."""
    patch = TrainerPatch(keras, steps, recorder, config)
    model = keras.Model
    wrap_method(model, "fit", patch.fit)
    wrap_method(model, "train_on_batch", patch.train_on_batch)
    for name in ("evaluate", "predict"):
        wrap_method(model, name, patch.briefly)
    # Keras 3 calls the inner one, which a model that overrides `compute_loss` cannot hide
    wrap_method(model, "_compute_loss", patch.compute_loss) or wrap_method(model, "compute_loss", patch.compute_loss)
    divert_keras(keras, recorder)


def patch_batches(tensorflow: Any, steps: Steps, batch_size: int | None) -> None:
    """Give the script's own `Dataset.batch` the batch size of the run."""

    def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
        def batch(dataset: Any, size: Any, *arguments: Any, **keywords: Any) -> Any:
            return original(dataset, size if steps.in_trainer else batch_size, *arguments, **keywords)

        return batch

    if batch_size is not None:
        wrap_method(tensorflow.data.Dataset, "batch", wrapper)


def _backend(keras: Any) -> str:
    # the public function is missing while the package is still being imported
    chosen = getattr(getattr(keras, "config", None), "backend", None)
    return str(chosen()) if callable(chosen) else "tensorflow"


def _first_number(result: Any) -> tuple[float, str | None] | None:
    """The loss in what a trainer gives: logs, a number, or numbers of which the first is the loss."""
    first = _loss_in(result) if isinstance(result, dict) else next(leaves(result), None)
    array = as_array(first)
    return None if array is None or array.size != 1 else (float(array), None)


def _loss_in(logs: dict[str, Any]) -> Any:
    """The loss among the logs of a step; one that a model reports in parts, in alphabetical order, has a total."""
    named = [name for name in ("loss", "total_loss", *(key for key in logs if "loss" in key), *logs) if name in logs]
    return logs[named[0]] if named else None
