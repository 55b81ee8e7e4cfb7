"""Inside the child: runs the script under the patches that count and measure its training steps.

The only file that waits for TensorFlow, PyTorch and Keras: they are patched when the script imports them, because it
may choose a backend or a generation first.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import itertools
import json
import os
import random
import re
import sys
import traceback
import types
from collections.abc import Callable, Sequence
from typing import Any

from mpfix.validate import memory
from mpfix.validate.diversions import divert_tensorflow, watch_writes
from mpfix.validate.layers import LayerProbe
from mpfix.validate.optimizers import OptimizerProbe, patch_optimizers
from mpfix.validate.policies import patch_policies
from mpfix.validate.record import Config, Recorder, StopTraining
from mpfix.validate.sources import TextFinder, is_our_file, is_user_file, run_as_main
from mpfix.validate.stand_ins import defined_values, replace_input, replace_loaders
from mpfix.validate.steps import Steps, patch_tensorflow, patch_torch
from mpfix.validate.summary import summarise
from mpfix.validate.trainers import patch_batches, patch_models

PATCHED = ("torch", "tensorflow", "keras", "tf_keras")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def main() -> None:
    """Read the order from standard input, run the script, and tell how it ended."""
    config = json.loads(sys.stdin.buffer.read())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    recorder = Recorder(config["record_fd"])
    worker = Worker(config, recorder)
    recorder.write("end", **worker.run())
    # what the script left, such as threads that never end, must not keep a finished run alive
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class Worker:
    """One run of the script."""

    def __init__(self, config: Config, recorder: Recorder) -> None:
        self.config = config
        self.recorder = recorder
        self.steps = Steps(config, recorder)
        self.layers = LayerProbe(config, recorder, self.steps)
        self.optimizers: list[OptimizerProbe] = []
        self.ended_by: BaseException | None = None
        """Its frames keep alive what the script held when it ended."""
        self.steps.on_swallowed = self.leave

    def run(self) -> dict[str, Any]:
        """Run the script to its end, its last step or its failure; how it ended."""
        script = self.config["script"]
        sys.meta_path[:0] = [TextFinder(self.config["texts"]), ImportHook(self.patch)]
        sys.path[0:1] = [os.path.dirname(script)]
        sys.argv = [script, *self.config["arguments"]]
        self._seed()
        watch_writes(self.recorder)
        replace_input(self.recorder)
        ending = self._ending(script)
        self._finish()
        return ending

    def patch(self, module: types.ModuleType) -> None:
        """Patch TensorFlow, PyTorch or a Keras that has just been imported."""
        if module.__name__ == "torch":
            patch_torch(module, self.steps)
            return
        if module.__name__ == "tensorflow":
            memory.grow_on_demand(module)
            module.random.set_seed(self.config["seed"])
            patch_tensorflow(module, self.steps)
            divert_tensorflow(module, self.recorder)
            patch_batches(module, self.steps, self.config["batch_size"])
            return
        patch_policies(module, self.recorder, self.config)
        module.utils.set_random_seed(self.config["seed"])
        replace_loaders(module, self.recorder)
        patch_models(module, self.steps, self.recorder, self.config)
        self.optimizers.append(patch_optimizers(module, self.steps))
        self.layers.patch(module)

    def leave(self) -> None:
        """End a script that swallows the exception which tells it to stop."""
        self._finish()
        self.recorder.write("end", outcome="stopped", swallowed=True)
        os._exit(0)

    def _seed(self) -> None:
        random.seed(self.config["seed"])
        try:
            import numpy
        except ImportError:
            return
        numpy.random.seed(self.config["seed"])
        numpy.random.default_rng = _repeatable(numpy.random.default_rng, self.config["seed"])

    def _ending(self, script: str) -> dict[str, Any]:
        try:
            text = self.config["texts"].get(os.path.realpath(script))
            run_as_main(script, text, defined_values(self.config["defines"], self.config["seed"]))
        except StopTraining as ending:
            self.ended_by = ending
            return {"outcome": "stopped"}
        except SystemExit as ending:
            return {"outcome": "exit", "code": ending.code if isinstance(ending.code, int | None) else 1}
        except BaseException as error:
            self.ended_by = error
            return {"outcome": "raised", **_description(error)}
        return {"outcome": "finished"}

    def _finish(self) -> None:
        """Close the step that is still open, and tell what can be told of the whole run."""
        try:
            self.steps.close()
            self.recorder.write("summary", **summarise(self.steps, self.layers, self.optimizers))
        except Exception as error:
            self.recorder.once("problem", f"no summary of the run: {type(error).__name__}: {error}")


class ImportHook(importlib.abc.MetaPathFinder):
    """Calls `patch` with TensorFlow, PyTorch and Keras once each is imported whole.

    TensorFlow imports its Keras on the way, and tries more than once, so the hook stays armed until an import succeeds.
    """

    def __init__(self, patch: Callable[[types.ModuleType], None]) -> None:
        self.patch = patch
        self.depth = 0
        self.waiting: dict[str, types.ModuleType] = {}
        self.done: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The ordinary spec of a module to patch, with a loader that tells when it is done."""
        if fullname not in PATCHED or fullname in self.done:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            self.depth += 1
            try:
                execute(module)
                self.waiting[fullname] = module
            finally:
                self.depth -= 1
            if not self.depth:
                self._patch_waiting()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _patch_waiting(self) -> None:
        for name in PATCHED:
            module = self.waiting.pop(name, None)
            if module is not None and name not in self.done:
                self.done.add(name)
                self.patch(module)


def _repeatable(default_rng: Callable[..., Any], start: int) -> Callable[..., Any]:
    """`default_rng` that gives the same numbers in each run where the script gives it no seed."""
    seeds = itertools.count(start)

    def repeatable(seed: Any = None) -> Any:
        return default_rng(next(seeds) if seed is None else seed)

    return functools.update_wrapper(repeatable, default_rng)


def _description(error: BaseException) -> dict[str, Any]:
    """An exception as data: type, text, the project's lines it passed, the traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not is_our_file(frame.filename)]
    mine = [frame for frame in frames if is_user_file(frame.filename)]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames)]
    lines += traceback.format_exception_only(type(error), error)
    return {
        "type": type(error).__name__,
        "text": _COLOUR.sub("", str(error))[:2000],
        "place": f"{mine[-1].filename}:{mine[-1].lineno}" if mine else None,
        "name": getattr(error, "name", None) if isinstance(error, NameError | ImportError) else None,
        "path": str(error.filename) if isinstance(error, OSError) and error.filename is not None else None,
        "traceback": _COLOUR.sub("", "".join(lines))[-6000:],
    }
