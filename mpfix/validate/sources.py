"""Inside the child: rewritten texts served in place of the files, so that tracebacks show the rewritten lines."""

from __future__ import annotations

import contextlib
import functools
import glob
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import os
import sys
import sysconfig
import types
from collections.abc import Mapping, Sequence
from typing import Any

_LIBRARIES = tuple(
    os.path.realpath(path) + os.sep
    for path in {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    if path
)
_OURS = os.path.realpath(os.path.dirname(__file__)) + os.sep


class TextFinder(importlib.abc.MetaPathFinder):
    """Finds modules as Python does, and gives those that have another text a loader for it."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module whose file has another text; None for all others."""
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or os.path.realpath(spec.origin) not in self.texts:
            return None
        loader = TextLoader(fullname, spec.origin, self.texts[os.path.realpath(spec.origin)])
        return importlib.util.spec_from_file_location(
            fullname, spec.origin, loader=loader, submodule_search_locations=spec.submodule_search_locations
        )


class TextLoader(importlib.machinery.SourceFileLoader):
    """Loads a module from a text under the name of its file; no bytecode is read or written."""

    def __init__(self, fullname: str, path: str, text: str) -> None:
        super().__init__(fullname, path)
        self.text = text

    def get_code(self, fullname: str) -> types.CodeType:
        """The code of the text, whatever the file holds."""
        remember_lines(self.path, self.text)
        return compile(self.text, self.path, "exec", dont_inherit=True)

    def get_source(self, fullname: str) -> str:
        """The text."""
        return self.text


def remember_lines(filename: str, text: str) -> None:
    """Make tracebacks and `inspect` read `text` for that file; without a time stamp the entry is never refreshed."""
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)


def run_as_main(filename: str, text: str | None, values: Mapping[str, Any]) -> None:
    """Run a script as Python does: as the module `__main__`, from its file or from `text`; it starts with `values`."""
    module = types.ModuleType("__main__")
    vars(module).update(__file__=filename, __builtins__=__builtins__, __cached__=None, __spec__=None, **values)
    sys.modules["__main__"] = module
    code: Any
    if text is None:
        with open(filename, "rb") as file:
            code = compile(file.read(), filename, "exec", dont_inherit=True)
    else:
        remember_lines(filename, text)
        code = compile(text, filename, "exec", dont_inherit=True)
    exec(code, vars(module))


def is_user_file(filename: str) -> bool:
    """Whether code of that file belongs to the project, not to Python, a library or mpfix."""
    if filename.startswith("<"):
        return False
    real = os.path.realpath(filename)
    if real.startswith((*_LIBRARIES, _OURS)) or f"{os.sep}site-packages{os.sep}" in real:
        return False
    return not any(_is_installed_in(path, real) for path in sys.path if path)


def _is_installed_in(folder: str, real: str) -> bool:
    """Whether a file was installed to that folder, as `pip install --target` does."""
    start = os.path.join(os.path.realpath(folder), "")
    return real.startswith(start) and real.removeprefix(start).partition(os.sep)[0] in _installed(folder)


@functools.cache
def _installed(folder: str) -> frozenset[str]:
    """The packages and modules that the records of installations in a folder name."""
    found: set[str] = set()
    for record in glob.glob(os.path.join(glob.escape(folder), "*.dist-info", "RECORD")):
        with contextlib.suppress(OSError), open(record, encoding="utf-8", errors="replace") as file:
            found.update(line.partition(",")[0].partition("/")[0] for line in file)
    return frozenset(found)


def is_our_file(filename: str) -> bool:
    """Whether code of that file is a patch of mpfix, which is no part of what the script does."""
    return os.path.realpath(filename).startswith(_OURS)


_IS_USER: dict[str, bool] = {}


def user_frames(limit: int = 12) -> tuple[str, ...]:
    """`file:line` of the project's frames that led here, innermost first."""
    frame: types.FrameType | None = sys._getframe(1)
    places: list[str] = []
    while frame is not None and len(places) < limit:
        name = frame.f_code.co_filename
        if name not in _IS_USER:
            _IS_USER[name] = is_user_file(name)
        if _IS_USER[name]:
            places.append(f"{name}:{frame.f_lineno}")
        frame = frame.f_back
    return tuple(places)


def user_place() -> str | None:
    """The innermost line of the project that led here."""
    return next(iter(user_frames(1)), None)
