"""How a run ended, in a sentence, and what the user can do about it."""

from __future__ import annotations

import ast
import builtins
import os
import re
import signal
import symtable
from collections.abc import Iterator
from pathlib import Path

from mpfix.validate.runner import ChildResult, Line
from mpfix.validation import Ending

_LABELS = ("y", "label", "labels", "target", "targets", "classes", "digits")
_EXIT = "the script called"
_UNREACHABLE = re.compile(r"URL fetch failure on (?P<address>\S+?):? ")
"""What `keras.utils.get_file` says."""


def ending_of(result: ChildResult, script: Path, timeout: float, text: str) -> Ending:
    """The ending of one run; `text` is what was run."""
    steps = len(result.of_kind("step"))
    after = f"after {steps} training step{'' if steps == 1 else 's'}"
    if result.ended == "timeout":
        return Ending("timeout", f"ended after {timeout:g} s, {after}", advice="`--timeout SECONDS` gives it more time")
    if result.ended == "memory":
        return Ending("memory", f"killed {after}: it held {_megabytes(result.peak_bytes)}, more than `--memory-limit`")
    told = result.last("end")
    if told is None:
        return _untold(result, after)
    match told["outcome"]:
        case "raised":
            return _raised(result, told, after, script, text)
        case "exit" if told.get("code"):
            return _exited(result, told, after)
        case "exit" if steps == 0:
            return Ending("exit", f"{_EXIT} `sys.exit` before it trained")
        case "stopped":
            return Ending("stopped", f"stopped {after}, as asked")
        case _ if steps == 0:
            return Ending("finished", "the script ended without a training step", advice=_NOTHING_TRAINED)
    return Ending("finished", f"ran to its end {after}")


_NOTHING_TRAINED = (
    "steps are counted in `fit`, `train_on_batch`, and loops that use `tf.GradientTape` or `optimizer.apply`;"
    " arguments for the script go behind `--`"
)


def _untold(result: ChildResult, after: str) -> Ending:
    """The process ended without a word."""
    if result.status < 0:
        name = signal.Signals(-result.status).name
        hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
        return Ending("died", f"killed by {name} {after}{hint}", result.output[-3000:])
    return Ending("died", f"{_EXIT} `os._exit({result.status})` {after}", result.output[-3000:])


def _exited(result: ChildResult, told: Line, after: str) -> Ending:
    last = next((line.strip() for line in reversed(result.output.splitlines()) if line.strip()), "")
    if "usage:" in result.output and told["code"] == 2:
        return Ending("exit", f"the script needs arguments: {last}", advice="put them behind `--`: `-- ARGS`")
    said = f": {last}" if last else ""
    return Ending("exit", f"{_EXIT} `sys.exit({told['code']})` {after}{said}", result.output[-3000:])


def _raised(result: ChildResult, told: Line, after: str, script: Path, text: str) -> Ending:
    what = f"{told['type']}: {' '.join(str(told['text']).split())[:300]}"
    place = f" at {shown_place(told['place'], script)}" if told["place"] else ""
    sentence, advice = f"raised {what}{place} {after}", None
    missing = told["name"]
    if told["type"] == "ModuleNotFoundError" and missing in ("tensorflow", "keras", "tf_keras"):
        package = "tf_keras" if missing == "tf_keras" else "mpfix[validate]"
        sentence, advice = f"{missing} is not installed", f"pip install '{package}'"
        if missing == "tensorflow" and os.path.join("keras", "src", "") in told["traceback"]:
            advice += ", or set KERAS_BACKEND to jax or torch, which Keras 3 runs on too"
    elif told["type"] == "NameError" and not result.of_kind("step"):
        names = undefined_names(text)
        advice = " ".join(f"--define '{name}={guessed_spec(name, text)}'" for name in names) if names else None
    elif told["type"] == "EOFError" and result.of_kind("input"):
        sentence, advice = f"the script reads `input()`{place}, and nobody answers", "take the answer from an argument"
    elif told["path"] is not None and told["type"] == "FileNotFoundError":
        sentence = f"the script needs data that are not here: `{told['path']}`{place}"
        advice = "put the file there, or name data that stand in: `--define NAME=SPEC`"
    elif found := _UNREACHABLE.search(str(told["text"])):
        sentence = f"the script needs data that cannot be fetched here: `{found['address']}`{place}"
        advice = "put the data where the script looks first, or name a stand-in: `--define NAME=SPEC`"
    return Ending("raised", sentence, str(told["traceback"]), advice)


def shown_place(place: str, script: Path) -> str:
    """`file:line` relative to the script's folder."""
    return place.removeprefix(f"{script.parent}/")


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"


def undefined_names(text: str) -> tuple[str, ...]:
    """Names that a script reads and nobody defines, in alphabetical order."""
    try:
        top = symtable.symtable(text, "script", "exec")
    except (SyntaxError, ValueError):
        return ()
    known = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    known |= {child.get_name() for child in top.get_children()} | set(dir(builtins))
    known |= {"__file__", "__name__", "__doc__", "__annotations__", "__builtins__"}
    tables = list(_tables(top))
    # a function can define a name for all
    known |= {
        s.get_name() for table in tables for s in table.get_symbols() if s.is_declared_global() and s.is_assigned()
    }
    used = {
        symbol.get_name()
        for table in tables
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (symbol.is_global() or table is top)
    }
    return tuple(sorted(used - known))


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def guessed_spec(name: str, text: str) -> str:
    """A stand-in that fits a name at first sight: integers for labels, numbers in the shape of the input for others."""
    words = re.split(r"[_\d]+", name.lower())
    if any(word in _LABELS for word in words):
        return "int32[1024]<10"
    return f"float32[{','.join(map(str, (1024, *_input_shape(text))))}]"


def _input_shape(text: str) -> tuple[int, ...]:
    """The shape in the first `Input(...)` or `input_shape=` that is written out; else 32 features."""
    try:
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    except (SyntaxError, ValueError, RecursionError):
        return (32,)
    for call in calls:
        given = [keyword.value for keyword in call.keywords if keyword.arg in ("input_shape", "shape")]
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        for node in [*given, *(call.args[:1] if name == "Input" else ())]:
            match node:
                case ast.Tuple(elts=parts) if all(isinstance(part, ast.Constant) for part in parts):
                    sizes = [part.value for part in parts if isinstance(part, ast.Constant)]
                    if sizes and all(isinstance(size, int) for size in sizes):
                        return tuple(size for size in sizes if isinstance(size, int))
    return (32,)
