"""The long-lived child that runs the proofs of the rule pages under one Keras generation.

Usage: `python worker.py 2` or `python worker.py 3`. One JSON object a line comes in on standard input (`name`, `line`,
`code`), one a line goes out on standard output (`ok`, `error`, `seconds`). What a block prints goes to standard error.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import IO, Any

SEED = 20


def main(generation: str) -> None:
    """Serve blocks until standard input closes."""
    replies = _private_stdout()
    _choose_keras(generation)
    forget = _state_reset(generation)
    with tempfile.TemporaryDirectory(prefix="proofs-") as folder:
        for request in sys.stdin:
            block = json.loads(request)
            forget()
            reply = _run(block["name"], block["line"], block["code"], Path(folder))
            replies.write(json.dumps(reply) + "\n")
            replies.flush()


def _private_stdout() -> IO[str]:
    """The real standard output, kept for replies; everything else that is printed goes to standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies


def _choose_keras(generation: str) -> None:
    """Set what must be set before TensorFlow is imported."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1" if generation == "2" else "0"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _state_reset(generation: str) -> Callable[[], None]:
    """A function that puts back all state that one block may leave to the next."""
    tf: Any = importlib.import_module("tensorflow")
    keras: Any = tf.keras
    loaded = "2" if keras.__name__.startswith("tf_keras") else "3"
    if loaded != generation:
        raise SystemExit(f"tf.keras is Keras {loaded}, wanted {generation}")
    environment = dict(os.environ)

    def forget() -> None:
        os.environ.clear()
        os.environ.update(environment)
        gc.collect()
        tf.config.run_functions_eagerly(False)
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision": False})
        keras.backend.set_floatx("float32")
        keras.backend.set_epsilon(1e-7)
        # Keras 3 forgets its policy here, Keras 2 on None: layers follow floatx again, as in a fresh process.
        keras.backend.clear_session()
        if generation == "2":
            keras.mixed_precision.set_global_policy(None)
        keras.utils.set_random_seed(SEED)

    return forget


def _run(name: str, line: int, code: str, folder: Path) -> dict[str, object]:
    """Run one block as a script of its own; its lines have the numbers they have on the page."""
    script = folder / name
    script.write_text("\n" * (line - 1) + code, encoding="utf-8")
    started = time.perf_counter()
    error = None
    with _kept_main():
        try:
            # A real file: tf.function reads the source of what it traces.
            runpy.run_path(str(script), run_name="__main__")
        except (Exception, SystemExit):
            error = traceback.format_exc()
    _forget_modules(folder)
    return {"ok": error is None, "error": error, "seconds": round(time.perf_counter() - started, 2)}


@contextlib.contextmanager
def _kept_main() -> Any:
    """The worker's own `__main__` and arguments, back in place whatever the block did to them."""
    kept: ModuleType = sys.modules["__main__"]
    arguments, path = list(sys.argv), list(sys.path)
    try:
        yield
    finally:
        sys.modules["__main__"], sys.argv[:], sys.path[:] = kept, arguments, path


def _forget_modules(folder: Path) -> None:
    """Drop modules a block imported from its own folder."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


if __name__ == "__main__":
    main(sys.argv[1])
