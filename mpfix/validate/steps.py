"""Inside the child: what a training step is, counted and timed.

A step is one call of the train function in `fit`, one `train_on_batch`, one call of the outermost `tf.function` that
differentiates or applies; in a loop without any, one round: it begins when a tape is opened at a place where one was
already opened in the current step.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from mpfix.validate.arrays import dtype_name, finite_or_text, leaves, mean_of
from mpfix.validate.memory import MemoryWatch, wait_for_devices
from mpfix.validate.plan import NUMERICS
from mpfix.validate.record import Config, Recorder, StopTraining
from mpfix.validate.replacing import wrap_method
from mpfix.validate.sources import user_frames

PATIENCE = 3
"""Times the script may swallow the exception that tells it to stop."""


class Notes:
    """What the current step has shown so far."""

    __slots__ = ("compiled", "differentiated", "is_training", "places", "returned", "source", "started")

    def __init__(self, source: str, started: float) -> None:
        self.source = source
        self.started = started
        self.places: set[tuple[str, ...]] = set()
        self.is_training = False
        self.returned: list[tuple[float, str | None]] = []
        self.differentiated: list[tuple[float, str | None]] = []
        self.compiled: list[tuple[float, str | None]] = []


class Steps:
    """Counts the steps of one run, and ends it after the last."""

    def __init__(self, config: Config, recorder: Recorder) -> None:
        self.limit: int = config["steps"]
        self.warmup: int = min(config["warmup"], self.limit - 1)
        self.has_probes = config["kind"] == NUMERICS
        self.is_reference: bool = config["is_reference"]
        self.recorder = recorder
        self.memory = MemoryWatch()
        self.done = 0
        self.current: Notes | None = None
        self.in_trainer = 0
        self.function: Any = None
        self.functions: dict[int, Any] = {}
        self.training: dict[int, Any] = {}
        self.evaluations = self.updates = self.skipped = self.scalings = 0
        self.optimizers: dict[int, Any] = {}
        self.scales: dict[int, float] = {}
        """Loss scale by optimizer, where its own variables are not kept up to date during training."""
        self.swallowed = 0
        self.on_swallowed: Callable[[], None] = lambda: None
        self.tensorflow: Any = None
        self.has_tape = False

    @property
    def is_at_top(self) -> bool:
        """Whether the script's own loop is running: no trainer, no traced function around."""
        return not self.in_trainer and self.function is None

    def is_eager(self) -> bool:
        """Whether tensors have values now."""
        return self.tensorflow is None or bool(self.tensorflow.executing_eagerly())

    def check_end(self) -> None:
        """Stop the script once its last step is done."""
        if self.done >= self.limit:
            self.swallowed += 1
            if self.swallowed > PATIENCE:
                self.on_swallowed()
            raise StopTraining("the last step is done")

    def begin(self, source: str, *, may_end: bool = True) -> Notes:
        """A step starts now; or, where the last one is done, the script ends, unless it `may_end` only later."""
        if may_end:
            self.check_end()
        if not self.done:
            self.memory.mark_level()
        self.current = Notes(source, time.perf_counter())
        return self.current

    def end(self, loss: tuple[float, str | None] | None = None) -> None:
        """The current step is over."""
        notes, self.current = self.current, None
        if notes is None:
            return
        wait_for_devices()
        seconds = time.perf_counter() - notes.started
        if loss is not None:
            notes.returned.append(loss)
        self.done += 1
        self.recorder.write("step", number=self.done, seconds=seconds, **self._content(notes))
        if self.done == self.warmup:
            self.memory.end_warmup()

    def close(self) -> None:
        """The script is over: so is a round that it did not begin again."""
        if self.current is not None and self.current.is_training and self.is_at_top:
            self.end()

    def tape_opened(self) -> None:
        """A tape is entered; in the script's own loop that may begin the next round."""
        if not self.is_at_top or not self.is_eager():
            return
        place = user_frames()
        if self.current is not None and place in self.current.places:
            if self.current.is_training:
                self.end()
            else:
                self.current = None
        if self.current is None:
            self.begin("loop")
        if self.current is not None:
            self.current.places.add(place)

    def differentiated(self, target: Any) -> None:
        """The gradient with respect to variables was taken, now or while tracing."""
        self.has_tape = True
        self._mark()
        if self.is_eager():
            self.evaluations += 1
            if self.has_probes and self.current is not None:
                self.current.differentiated += [pair for leaf in leaves(target) if (pair := loss_of(leaf))]

    def applied(self, optimizer: Any) -> None:
        """An optimizer is handed gradients, now or while tracing.

        Where a tape was seen, that is part of the round that took the gradients; else each update is a step.
        """
        self.optimizers.setdefault(id(optimizer), optimizer)
        if self.has_tape:
            return
        if self.is_at_top and self.is_eager():
            self.end()
            self.begin("loop")
        self._mark()

    def compiled_loss(self, loss: Any) -> None:
        """The loss that `compile` was given has been computed."""
        pair = loss_of(loss) if self.has_probes and self.is_eager() else None
        if pair is not None and self.current is not None:
            self.current.compiled.append(pair)

    def _scale(self, optimizer: Any) -> float | None:
        known = self.scales.get(id(optimizer))
        return loss_scale(optimizer) if known is None else known

    def _mark(self) -> None:
        if self.function is not None:
            self.training.setdefault(id(self.function), self.function)
        if self.current is not None:
            self.current.is_training = True

    def _content(self, notes: Notes) -> dict[str, Any]:
        return {
            "source": notes.source,
            "losses": {
                kind: [(finite_or_text(value), dtype) for value, dtype in pairs]
                for kind in ("compiled", "returned", "differentiated")
                if (pairs := getattr(notes, kind))
            },
            "scales": [scale for item in self.optimizers.values() if (scale := self._scale(item)) is not None],
            "evaluations": self.evaluations,
            "updates": self.updates,
            "skipped": self.skipped,
        }


def loss_of(tensor: Any) -> tuple[float, str | None] | None:
    """Value and dtype of a loss; its mean where it has one number for each sample."""
    value = mean_of(tensor)
    return None if value is None else (value, dtype_name(tensor))


def returned_loss(result: Any) -> tuple[float, str | None] | None:
    """The first real number or vector that a step returns: nearly always its loss."""
    for leaf in leaves(result):
        rank = getattr(getattr(leaf, "shape", None), "rank", None)
        if rank in (0, 1) and "float" in (dtype_name(leaf) or ""):
            return loss_of(leaf)
    return None


def loss_scale(optimizer: Any) -> float | None:
    """The loss scale that an optimizer holds now; None where it does not scale, or nothing has a value."""
    for name in ("dynamic_scale", "loss_scale"):
        value = getattr(optimizer, name, None)
        if value is not None:
            try:
                return float(value)
            except (TypeError, ValueError, NotImplementedError):
                return mean_of(value)
    return None


def patch_tensorflow(tensorflow: Any, steps: Steps) -> None:
    """Count calls of traced functions and gradients of tapes."""
    steps.tensorflow = tensorflow
    if steps.has_probes:
        # every tensor then has a value where Python can look at it
        tensorflow.config.run_functions_eagerly(True)
    tape = tensorflow.GradientTape
    wrap_method(tape, "__enter__", lambda original: _tape_enter(original, steps))
    wrap_method(tape, "gradient", lambda original: _gradient(original, steps))
    wrap_method(type(tensorflow.function(lambda: None)), "__call__", lambda original: _call(original, steps))


def patch_torch(torch: Any, steps: Steps) -> None:
    """Count gradients taken by `backward`, of a tensor too; which step they belong to an optimizer tells."""
    original = torch.autograd.backward

    @functools.wraps(original)
    def backward(*arguments: Any, **keywords: Any) -> Any:
        steps.evaluations += 1
        return original(*arguments, **keywords)

    torch.autograd.backward = backward


def _tape_enter(original: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    def enter(tape: Any) -> Any:
        steps.tape_opened()
        return original(tape)

    return enter


def _gradient(original: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    def gradient(tape: Any, target: Any, sources: Any, *arguments: Any, **keywords: Any) -> Any:
        result = original(tape, target, sources, *arguments, **keywords)
        if any(hasattr(source, "assign") for source in leaves(sources)):
            steps.differentiated(target)
        return result

    return gradient


def _call(original: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    def call(function: Any, *arguments: Any, **keywords: Any) -> Any:
        if steps.function is not None or not steps.is_eager():
            return original(function, *arguments, **keywords)
        counts = not steps.in_trainer
        is_known = counts and id(function) in steps.training
        open_step = steps.current
        if counts and (is_known or open_step is None):
            # a function that has not trained so far may be about to: it is timed, and dropped if it does not
            # what was called before and did not train, such as an update at the end of a window, still belongs to
            # the last step
            may_end = is_known or id(function) not in steps.functions
            notes = steps.begin(str(getattr(function, "__name__", "function")), may_end=may_end)
        steps.function = function
        steps.functions.setdefault(id(function), function)
        try:
            result = original(function, *arguments, **keywords)
        finally:
            steps.function = None
        if counts and (is_known or open_step is None):
            if id(function) in steps.training:
                steps.end(returned_loss(result))
            elif steps.current is notes:
                steps.current = None
        return result

    return call
