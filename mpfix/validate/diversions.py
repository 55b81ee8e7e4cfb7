"""Inside the child: what the script would write. Models and logs go nowhere; its own files are its own, and told."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

from mpfix.validate.record import Recorder
from mpfix.validate.replacing import public, replace_everywhere, wrap_method

WRITING_CALLBACKS = frozenset({"BackupAndRestore", "CSVLogger", "ModelCheckpoint", "RemoteMonitor", "TensorBoard"})
_SAVING_METHODS = ("save", "save_weights", "export")
_SAVING_FUNCTIONS = ("saving.save_model", "models.save_model", "saving.save_weights")
_WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FILE_EVENTS = {
    "os.remove": ("removed", 1),
    "os.rename": ("renamed", 2),
    "os.mkdir": ("made", 2),
    "os.rmdir": ("removed", 1),
}
"""What happened, and which argument is the descriptor of the folder that a relative name starts at; -1 for none."""


def divert_keras(keras: Any, recorder: Recorder) -> None:
    """Make saving a model do nothing but tell."""
    for name in _SAVING_METHODS:
        wrap_method(keras.Model, name, partial(_nothing, f"Model.{name}", recorder, None))
    for name in _SAVING_FUNCTIONS:
        original = public(keras, name)
        if callable(original):
            replace_everywhere(original, _nothing(name.rpartition(".")[2], recorder, None, original))


def divert_tensorflow(tensorflow: Any, recorder: Recorder) -> None:
    """Make checkpoints, saved models and summaries do nothing but tell."""
    train = tensorflow.train
    for owner, name in ((train.Checkpoint, "save"), (train.Checkpoint, "write"), (train.CheckpointManager, "save")):
        wrap_method(owner, name, partial(_nothing, f"{owner.__name__}.{name}", recorder, "diverted"))
    save = public(tensorflow, "saved_model.save")
    replace_everywhere(save, _nothing("saved_model.save", recorder, None, save))
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
        what, position = _FILE_EVENTS.get(event, (None, 0))
        if event == "open" and _is_for_writing(arguments[1], arguments[2]):
            what = "wrote"
        if what is None or not isinstance(arguments[0], str | bytes):
            return
        path = os.path.join(_folder(arguments[position] if position else -1), os.fsdecode(arguments[0]))
        if not f"{os.path.abspath(path)}{os.sep}".startswith(ignored) and not sys.is_finalizing():
            recorder.once("file", os.path.abspath(path), what=what)

    sys.addaudithook(watch)


def _folder(descriptor: int) -> str:
    """The folder that an open descriptor stands for; the working folder for none."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}") if descriptor >= 0 else os.getcwd()
    except OSError:
        return os.sep


def _is_for_writing(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITING_FLAGS)


def _nothing(label: str, recorder: Recorder, result: str | None, original: Callable[..., Any]) -> Callable[..., Any]:
    """What stands in for `original`: it tells that it was called, and gives `result`."""

    def divert(*arguments: Any, **keywords: Any) -> Any:
        recorder.once("diverted", label)
        return result

    return divert
