"""Inside the child: what the script would write. Models and logs go nowhere; its own files are its own, and told."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from mpfix.validate.record import Recorder
from mpfix.validate.replacing import public, replace_everywhere, wrap_method

WRITING_CALLBACKS = frozenset({"BackupAndRestore", "CSVLogger", "ModelCheckpoint", "RemoteMonitor", "TensorBoard"})
_SAVING_METHODS = ("save", "save_weights", "export")
_SAVING_FUNCTIONS = ("saving.save_model", "models.save_model", "saving.save_weights")
_WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FILE_EVENTS = {"os.remove": "removed", "os.rename": "renamed", "os.mkdir": "made", "os.rmdir": "removed"}


def divert_keras(keras: Any, recorder: Recorder) -> None:
    """Make saving a model do nothing but tell."""
    for name in _SAVING_METHODS:
        wrap_method(keras.Model, name, lambda original: _nothing(original, f"Model.{original.__name__}", recorder))
    for name in _SAVING_FUNCTIONS:
        original = public(keras, name)
        if callable(original):
            replace_everywhere(original, _nothing(original, name.rpartition(".")[2], recorder))


def divert_tensorflow(tensorflow: Any, recorder: Recorder) -> None:
    """Make checkpoints, saved models and summaries do nothing but tell."""
    train = tensorflow.train
    for owner, name in ((train.Checkpoint, "save"), (train.Checkpoint, "write"), (train.CheckpointManager, "save")):
        label = f"{owner.__name__}.{name}"
        wrap_method(owner, name, lambda original, label=label: _nothing(original, label, recorder, path="diverted"))
    save = public(tensorflow, "saved_model.save")
    replace_everywhere(save, _nothing(save, "saved_model.save", recorder))
    writer = tensorflow.summary.create_file_writer
    noop = tensorflow.summary.create_noop_writer

    def create_file_writer(*arguments: Any, **keywords: Any) -> Any:
        recorder.once("diverted", "summary.create_file_writer")
        return noop()

    replace_everywhere(writer, create_file_writer)


def watch_writes(recorder: Recorder) -> None:
    """Tell which files Python code opens for writing, makes, renames and removes, outside temporary folders."""
    ignored = tuple(os.path.realpath(path) + os.sep for path in {tempfile.gettempdir(), "/proc", "/dev", "/sys"})

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        what = _FILE_EVENTS.get(event)
        if event == "open" and _is_for_writing(arguments[1], arguments[2]):
            what = "wrote"
        if what is None or not isinstance(arguments[0], str | bytes):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if not f"{path}{os.sep}".startswith(ignored) and sys.is_finalizing() is False:
            recorder.once("file", path, what=what)

    sys.addaudithook(watch)


def _is_for_writing(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITING_FLAGS)


def _nothing(
    original: Callable[..., Any], label: str, recorder: Recorder, *, path: str | None = None
) -> Callable[..., Any]:
    def divert(*arguments: Any, **keywords: Any) -> Any:
        recorder.once("diverted", label)
        return path

    return divert
