"""Measures how fast mpfix starts and interprets, as ratios whose two sides run in turn; see README.md."""

from __future__ import annotations

import argparse
import ast
import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpfix.cli.app import GARBAGE_THRESHOLD
from mpfix.errors import SourceError
from mpfix.frameworks import interpret
from mpfix.semantic.syntax import Module, SyntaxProblem, parse_module
from mpfix.source.document import Document, document_from_bytes, read_document

RUNS = 9
LINES = 300
HEAD = 'model.add(keras.layers.Dense(10, activation="softmax"{dtype}))\n'
TOP = """\
import keras

keras.mixed_precision.set_global_policy("mixed_float16")
model = keras.Sequential()
"""
BLOCK = """\


def block_{number}(inputs, filters={number}):
    hidden = keras.layers.Conv2D(filters, 3, padding="same")(inputs)
    hidden = keras.layers.BatchNormalization()(hidden)
    hidden = keras.layers.Activation("relu")(hidden)
    return keras.layers.Add()([hidden, inputs])
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured ratio and the bound it must keep."""

    name: str
    ratio: float
    bound: float

    def __str__(self) -> str:
        verdict = "ok" if self.ratio <= self.bound else "TOO SLOW"
        return f"{self.ratio:6.2f}  (at most {self.bound:g})  {verdict:8}  {self.name}"


def main() -> int:
    """Print every figure; status 1 when one is beyond its bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="repositories or files to interpret")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of each side of a ratio")
    arguments = parser.parse_args()
    figures = start_up(arguments.runs)
    for path in arguments.paths:
        figures += interpretation(path, arguments.runs)
    print(*figures, sep="\n")
    return int(any(figure.ratio > figure.bound for figure in figures))


def start_up(runs: int) -> list[Figure]:
    """The command on a clean and on a flawed training file, against the import of LibCST alone."""
    baseline = [sys.executable, "-c", "import libcst"]
    command = [sys.executable, "-m", "mpfix", "check", "--isolated", "--no-cache", "--exit-zero", "--output-format"]
    with tempfile.TemporaryDirectory() as folder:
        clean, flawed = Path(folder, "clean.py"), Path(folder, "flawed.py")
        clean.write_text(training_file(HEAD.format(dtype=', dtype="float32"')))
        flawed.write_text(training_file(HEAD.format(dtype="")))
        concise = ratio(process([*command, "concise", str(clean)]), process(baseline), runs)
        text = ratio(process([*command, "text", str(flawed)]), process(baseline), runs)
    return [
        Figure("check of a clean file, concise, against `import libcst`", concise, 1.6),
        Figure("check of a fixable finding, text, against `import libcst`", text, 3.0),
    ]


def training_file(head: str) -> str:
    """A training file of 300 lines that ends with `head`."""
    blocks: list[str] = []
    while len(f"{TOP}{''.join(blocks)}".splitlines()) < LINES - 8:
        blocks.append(BLOCK.format(number=len(blocks)))
    return f'{TOP}{"".join(blocks)}\n\n{head}model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")\n'


def interpretation(path: Path, runs: int) -> list[Figure]:
    """Parsing and interpreting the files below `path`, each alone, against `ast.parse` of the same files."""
    documents = parsable(path)
    lines = sum(document.text.count("\n") for document in documents)
    doubled = [twice(document) for document in documents]
    whole = ratio(lambda: analyse(documents), lambda: parse(documents), runs)
    growth = ratio(lambda: analyse(doubled), lambda: analyse(documents), runs)
    size = f"{path.name} ({len(documents)} files, {lines} lines)"
    return [
        Figure(f"parse and interpret {size}, against `ast.parse`", whole, 12),
        Figure("the same with each file twice over, against once", growth, 2.2),
    ]


def twice(document: Document) -> Document:
    """The document with its text written twice."""
    return document_from_bytes(f"{document.text}\n{document.text}".encode(), document.path, document.display)


def parsable(path: Path) -> list[Document]:
    """The Python files below `path` that this Python parses."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [document for document in map(readable, files) if document is not None]


def readable(file: Path) -> Document | None:
    """The file, if it can be read and parsed."""
    try:
        document = read_document(file, str(file))
        module_of(document)
    except (SyntaxProblem, SourceError) as error:
        print(f"left out: {file}: {error}", file=sys.stderr)
        return None
    return document


def module_of(document: Document) -> Module:
    """The parsed file."""
    return parse_module(document, document.path.stem)


def analyse(documents: Sequence[Document]) -> None:
    """What `check` does before the rules ask, with its setting for garbage."""
    usual = gc.get_threshold()
    gc.set_threshold(GARBAGE_THRESHOLD)
    for document in documents:
        interpret((module_of(document),), generation=3)
    gc.set_threshold(*usual)


def parse(documents: Sequence[Document]) -> None:
    """The unit of measure."""
    for document in documents:
        ast.parse(document.text)


def process(command: Sequence[str]) -> Callable[[], None]:
    """A child process as something to measure; it has run once, so that bytecode is there as in an installation."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def start() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

    start()
    return start


def ratio(measured: Callable[[], None], unit: Callable[[], None], runs: int) -> float:
    """Median time of one side over that of the other, run in turn."""
    pairs = [(seconds(measured), seconds(unit)) for _ in range(runs)]
    return statistics.median(pair[0] for pair in pairs) / statistics.median(pair[1] for pair in pairs)


def seconds(action: Callable[[], None]) -> float:
    """Processor time of one run, children included, without garbage of the run before."""
    gc.collect()
    start = processor_time()
    action()
    return processor_time() - start


def processor_time() -> float:
    """Seconds that this process and its ended children have computed; other programs do not disturb them much."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    sys.exit(main())
