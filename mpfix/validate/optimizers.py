"""Inside the child: every update goes through an optimizer; what is handed to it, and what it does with it.

A wrapper that scales losses calls the optimizer inside it: the outermost call is what the script asked for, the
innermost one the update. A wrapper that calls nothing has skipped the step.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from mpfix.validate.arrays import HALF_SMALLEST, as_array, finite_or_text, is_float, norm_of
from mpfix.validate.replacing import public, wrap_method
from mpfix.validate.steps import Steps, loss_scale

MAX_VARIABLES = 400
"""Variables beyond this are counted in norms, but have no line of their own."""


class Gradients:
    """Zeros and smallness of the gradients of one variable, added up over the updates."""

    __slots__ = ("lost_scaled", "lost_unscaled", "numbers", "zeros")

    def __init__(self) -> None:
        self.numbers = self.zeros = self.lost_unscaled = self.lost_scaled = 0

    def add(self, array: Any, scale: float) -> None:
        """Count one gradient that is `scale` times too large."""
        import numpy

        magnitudes = numpy.abs(array.astype("float64")) / scale
        present = magnitudes > 0
        self.numbers += array.size
        self.zeros += int((magnitudes == 0).sum())
        self.lost_unscaled += int((present & (magnitudes <= HALF_SMALLEST)).sum())
        self.lost_scaled += int((present & (magnitudes <= HALF_SMALLEST / 2**15)).sum())

    def shares(self) -> dict[str, float]:
        """Shares of all numbers: exact zeros, too small for float16 without and with a scale of 32768."""
        total = max(self.numbers, 1)
        names = ("zeros", "lost_unscaled", "lost_scaled")
        return {name: getattr(self, name) / total for name in names}


class OptimizerProbe:
    """Watches the optimizers of one Keras."""

    def __init__(self, steps: Steps, *, takes_pairs: bool) -> None:
        self.steps = steps
        self.takes_pairs = takes_pairs
        """Whether gradients come in pairs with their variables, as in Keras 2."""
        self.depth = 0
        self.innermost: list[Any] = []
        self.has_applied = False
        self.gradients: dict[str, Gradients] = {}

    def wrapper(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The `apply` of an optimizer, watched."""

        def apply(optimizer: Any, gradients: Any, *arguments: Any, **keywords: Any) -> Any:
            gradients = list(gradients)
            call = partial(original, optimizer, gradients, *arguments, **keywords)
            if self.depth:
                return self._inner(gradients, call)
            variables = next(iter(arguments), keywords.get("trainable_variables"))
            return self._outer(optimizer, gradients, variables, call)

        return apply

    def scaler(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The scaling of a loss, counted."""

        def scale_loss(optimizer: Any, *arguments: Any, **keywords: Any) -> Any:
            self.steps.scalings += 1
            return original(optimizer, *arguments, **keywords)

        return scale_loss

    def _outer(self, optimizer: Any, gradients: list[Any], variables: Any, call: Callable[[], Any]) -> Any:
        steps = self.steps
        if steps.is_reference and getattr(optimizer, "loss_scale_factor", None):
            optimizer.loss_scale_factor = None
        steps.applied(optimizer)
        if not steps.is_eager():
            return self._counted(gradients, call)
        pairs = self._pairs(optimizer, gradients, variables) if steps.has_probes else []
        before = [as_array(variable) for _, variable in pairs]
        before = [None if array is None else array.copy() for array in before]
        iterations = _iterations(optimizer)
        result = self._counted(gradients, call)
        has_update = self.has_applied if iterations is None else _iterations(optimizer) != iterations
        steps.updates += has_update
        steps.skipped += hasattr(optimizer, "inner_optimizer") and not self.has_applied
        if steps.has_probes:
            self._tell(optimizer, pairs, before, has_update)
        return result

    def _counted(self, gradients: list[Any], call: Callable[[], Any]) -> Any:
        self.depth, self.has_applied, self.innermost = 1, False, gradients
        try:
            result = call()
        finally:
            self.depth = 0
        return result

    def _inner(self, gradients: list[Any], call: Callable[[], Any]) -> Any:
        self.depth += 1
        self.innermost, self.has_applied = gradients, True
        try:
            return call()
        finally:
            self.depth -= 1

    def _pairs(self, optimizer: Any, gradients: list[Any], variables: Any) -> list[tuple[Any, Any]]:
        if self.takes_pairs:
            return [(gradient, variable) for gradient, variable in gradients if gradient is not None]
        if variables is None:
            inner = getattr(optimizer, "inner_optimizer", optimizer)
            variables = getattr(inner, "_trainable_variables", ())
        return [pair for pair in zip(gradients, variables, strict=False) if pair[0] is not None]

    def _tell(self, optimizer: Any, pairs: list[tuple[Any, Any]], before: list[Any], has_update: bool) -> None:
        scale = (loss_scale(optimizer) or 1.0) if not self.takes_pairs else 1.0
        given = [(name_of(variable), as_array(gradient)) for gradient, variable in pairs]
        inner = [as_array(item[0] if self.takes_pairs else item) for item in self.innermost]
        after = [as_array(variable) for _, variable in pairs]
        self.tell(type(optimizer).__name__, given, scale, inner, list(zip(before, after, strict=True)), has_update)

    def tell(
        self,
        optimizer: str,
        given: list[tuple[str, Any]],
        scale: float,
        inner: list[Any],
        variables: list[tuple[Any, Any]],
        has_update: bool,
    ) -> None:
        """Note one update.

        Args:
            given: gradients by variable, `scale` times too large.
            inner: the gradients that the update was made with.
            variables: each variable before and after.
        """
        given = [(name, array) for name, array in given if is_float(array)]
        for name, array in given:
            if name in self.gradients or len(self.gradients) < MAX_VARIABLES:
                self.gradients.setdefault(name, Gradients()).add(array, scale)
        changes = [new.astype("float64") - old for old, new in variables if is_float(new) and old is not None]
        norm = norm_of([array for array in inner if is_float(array)]) if has_update else None
        self.steps.recorder.write(
            "update",
            number=self.steps.done + 1,
            optimizer=optimizer,
            has_update=has_update,
            gradient_norm=finite_or_text(norm),
            update_norm=finite_or_text(norm_of(changes)),
            nonfinite=[name for name, array in given if not _all_finite(array)][:5],
        )


def name_of(variable: Any) -> str:
    """How a variable is called: its path in Keras 3, its name in Keras 2."""
    return str(getattr(variable, "path", None) or getattr(variable, "name", "?"))


def watch_stateless(probe: OptimizerProbe, original: Callable[..., Any]) -> Callable[..., Any]:
    """The form of `apply` in which the JAX backend hands the state in and takes it out; seen where it has values."""

    def stateless_apply(optimizer: Any, state: Any, gradients: Any, variables: Any) -> Any:
        if probe.depth:
            return original(optimizer, state, gradients, variables)
        probe.steps.optimizers.setdefault(id(optimizer), optimizer)
        probe.depth = 1
        try:
            changed, new_state = original(optimizer, state, gradients, variables)
        finally:
            probe.depth = 0
        if as_array(next(iter(gradients), None)) is not None:
            _note_stateless(probe, optimizer, gradients, (variables, changed), (state, new_state))
        return changed, new_state

    return stateless_apply


def _note_stateless(
    probe: OptimizerProbe, optimizer: Any, gradients: Any, values: tuple[Any, Any], states: tuple[Any, Any]
) -> None:
    """Count one update of which all is at hand: before and after, of the variables and of the optimizer's own."""
    own = {id(item): pair for item, *pair in zip(optimizer.variables, *states, strict=False)}
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    old, new = (as_array(value) for value in own.get(id(inner._iterations), (0, 1)))
    scale, new_scale = (
        as_array(value) for value in own.get(id(getattr(optimizer, "dynamic_scale", None)), (1.0, None))
    )
    if new_scale is not None:
        probe.steps.scales[id(optimizer)] = float(new_scale)
    has_update = bool(old != new)
    probe.steps.evaluations += 1
    probe.steps.updates += has_update
    probe.steps.skipped += not has_update
    names = [name_of(variable) for variable in getattr(inner, "_trainable_variables", ())]
    arrays = [as_array(gradient) for gradient in gradients]
    given = list(zip(names, arrays, strict=False))
    unscaled = [array / scale for array in arrays if is_float(array)]
    pairs = [(as_array(before), as_array(after)) for before, after in zip(*values, strict=True)]
    probe.tell(type(optimizer).__name__, given, float(scale), unscaled, pairs, has_update)


def patch_optimizers(keras: Any, steps: Steps) -> OptimizerProbe:
    """Watch the optimizers of a Keras; a wrapper that scales is neutral in a reference run."""
    takes_pairs = keras.__name__ == "tf_keras"
    probe = OptimizerProbe(steps, takes_pairs=takes_pairs)
    for owner in _optimizer_classes(keras):
        wrap_method(owner, "apply_gradients" if takes_pairs else "apply", probe.wrapper)
        if steps.is_reference and owner.__name__.startswith("LossScaleOptimizer"):
            wrap_method(owner, "__init__", _neutral_scaling)
    if not takes_pairs:
        for owner in _optimizer_classes(keras):
            wrap_method(owner, "stateless_apply", partial(watch_stateless, probe))
    for owner in _scaler_classes(keras):
        wrap_method(owner, "get_scaled_loss" if takes_pairs else "scale_loss", probe.scaler)
    return probe


def _optimizer_classes(keras: Any) -> list[type]:
    names = ("optimizers.Optimizer", "optimizers.legacy.Optimizer")
    found = [public(keras, name) for name in names]
    return [owner for owner in [*_scaler_classes(keras), *found] if isinstance(owner, type)]


def _scaler_classes(keras: Any) -> list[type]:
    found = [public(keras, name) for name in ("optimizers.LossScaleOptimizer", "mixed_precision.LossScaleOptimizer")]
    # Keras 2 has a second class for its newer optimizers, which its public one makes
    home = sys.modules.get("tf_keras.src.mixed_precision.loss_scale_optimizer")
    found.append(getattr(home, "LossScaleOptimizerV3", None) if keras.__name__ == "tf_keras" else None)
    return [owner for owner in found if isinstance(owner, type)]


def _neutral_scaling(original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    def init(optimizer: Any, *arguments: Any, **keywords: Any) -> None:
        bound = signature.bind(optimizer, *arguments, **keywords)
        bound.arguments["initial_scale"] = 1.0
        if "dynamic" in signature.parameters:
            bound.arguments["dynamic"] = False
            bound.arguments["dynamic_growth_steps"] = None
        else:
            bound.arguments["dynamic_growth_steps"] = 10**9
        original(*bound.args, **bound.kwargs)

    return init


def _iterations(optimizer: Any) -> float | None:
    """How many updates an optimizer has made; with built-in accumulation that is fewer than its calls."""
    array = as_array(getattr(optimizer, "iterations", None))
    return None if array is None else float(array)


def _all_finite(array: Any) -> bool:
    import numpy

    return bool(numpy.isfinite(array.astype("float32")).all())
