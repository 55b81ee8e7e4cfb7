"""Inside the child: data that stand in for what is not there."""

from __future__ import annotations

import ast
import builtins
import re
import socket
from collections.abc import Callable
from typing import Any

from mpfix.validate.record import Recorder
from mpfix.validate.replacing import public, replace_everywhere

DOWNLOAD_SECONDS = 10
IMAGES = {
    "mnist": ((28, 28), 10, ()),
    "fashion_mnist": ((28, 28), 10, ()),
    "cifar10": ((32, 32, 3), 10, (1,)),
    "cifar100": ((32, 32, 3), 100, (1,)),
}
"""Shape of an image, classes, shape of a label."""
NUMBERS = {"boston_housing": 13, "california_housing": 8}
"""Features of a house."""
WORDS = {"imdb": 2, "reuters": 46}
"""Classes of a text."""
SAMPLES = {
    "mnist": (60000, 10000),
    "fashion_mnist": (60000, 10000),
    "cifar10": (50000, 10000),
    "cifar100": (50000, 10000),
    "boston_housing": (404, 102),
    "california_housing": (16512, 4128),
    "imdb": (25000, 25000),
    "reuters": (8982, 2246),
}
"""For training and for testing, as the Keras pages say."""
_ARRAY = re.compile(r"(?P<dtype>[a-z]+[0-9]*)\[(?P<shape>[0-9, ]*)\](?:<(?P<below>[0-9]+))?")
_DATASET = re.compile(r"dataset\((?P<parts>.*)\)")


def defined_values(defines: list[str], seed: int) -> dict[str, Any]:
    """The value of each `NAME=SPEC`."""
    pairs = (text.partition("=")[::2] for text in defines)
    return {name.strip(): value_of(spec.strip(), seed) for name, spec in pairs}


def value_of(spec: str, seed: int) -> Any:
    """What a specification stands for.

    `float32[1024,784]` is an array of numbers between 0 and 1, `int32[1024]<10` one of integers below 10,
    `dataset(SPEC, SPEC, batch=32)` a `tf.data.Dataset` of such arrays; anything else is read as a Python literal.

    Raises:
        ValueError: it is none of these.
    """
    if match := _DATASET.fullmatch(spec):
        return _dataset(match["parts"], seed)
    if match := _ARRAY.fullmatch(spec):
        shape = tuple(int(part) for part in match["shape"].split(",") if part.strip())
        return array(match["dtype"], shape, int(match["below"] or 10), seed)
    try:
        return ast.literal_eval(spec)
    except (SyntaxError, ValueError):
        raise ValueError(f"`{spec}` is no stand-in: write `float32[1024,784]`, `int32[1024]<10` or a literal") from None


def array(dtype: str, shape: tuple[int, ...], below: int, seed: int) -> Any:
    """Random numbers of that dtype and shape; integers are below `below`."""
    import numpy

    generator = numpy.random.default_rng(seed)
    if dtype.startswith(("int", "uint")):
        return generator.integers(0, below, size=shape).astype({"int": "int64", "uint": "uint64"}.get(dtype, dtype))
    if dtype == "bool":
        return generator.random(shape) < 0.5
    return generator.random(shape).astype({"float": "float32"}.get(dtype, dtype))


def replace_loaders(keras: Any, recorder: Recorder) -> None:
    """Let the loaders of `keras.datasets` give arrays of the documented shape where the data cannot be had."""
    for name in (*IMAGES, *NUMBERS, *WORDS):
        original = public(keras, f"datasets.{name}.load_data")
        if callable(original):
            replace_everywhere(original, _loader(original, name, recorder))
    for name in WORDS:
        original = public(keras, f"datasets.{name}.get_word_index")
        if callable(original):
            replace_everywhere(original, _word_index(original, name, recorder))


def _word_index(original: Callable[..., Any], name: str, recorder: Recorder) -> Callable[..., Any]:
    def get_word_index(*arguments: Any, **keywords: Any) -> Any:
        try:
            return _briefly(original, *arguments, **keywords)
        except Exception as error:
            # whatever the network or a broken archive makes of it
            recorder.once("stand_in", f"words of keras.datasets.{name}", why=f"{type(error).__name__}: {error}"[:200])
            return {f"word{number}": number for number in range(1, 10000)}

    return get_word_index


def _briefly(original: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call what may download something, and do not wait for long."""
    waits = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        return original(*arguments, **keywords)
    finally:
        socket.setdefaulttimeout(waits)


def replace_input(recorder: Recorder) -> None:
    """Let `input` say at once that nobody will answer."""

    def no_input(prompt: object = "") -> str:
        recorder.once("input", str(prompt))
        raise EOFError("nobody answers `input()` while a script is validated")

    builtins.input = no_input


def _loader(original: Callable[..., Any], name: str, recorder: Recorder) -> Callable[..., Any]:
    def load_data(*arguments: Any, **keywords: Any) -> Any:
        try:
            return _briefly(original, *arguments, **keywords)
        except Exception as error:
            # whatever the network or a broken archive makes of it
            recorder.once("stand_in", f"keras.datasets.{name}", why=f"{type(error).__name__}: {error}"[:200])
            return tuple(_split(name, samples, part, keywords) for part, samples in enumerate(SAMPLES[name]))

    return load_data


def _split(name: str, samples: int, seed: int, keywords: dict[str, Any]) -> tuple[Any, Any]:
    import numpy

    generator = numpy.random.default_rng(seed)
    if name in IMAGES:
        shape, classes, label_shape = IMAGES[name]
        labels = generator.integers(0, classes, size=samples)
        # each class has its own pattern, the same in both parts, so that there is something to learn
        patterns = numpy.random.default_rng(99).integers(0, 160, size=(classes, *shape), dtype="uint8")
        images = patterns[labels] + generator.integers(0, 96, size=(samples, *shape), dtype="uint8")
        return images, labels.reshape((samples, *label_shape)).astype("uint8")
    if name in NUMBERS:
        features = generator.normal(size=(samples, NUMBERS[name])).astype("float32")
        return features, (features @ numpy.arange(1, NUMBERS[name] + 1) / 10 + 20).astype("float32")
    lengths = generator.integers(20, keywords.get("maxlen") or 200, size=samples)
    words = generator.integers(1, keywords.get("num_words") or 10000, size=lengths.sum())
    texts = numpy.empty(samples, dtype=object)
    texts[:] = [part.tolist() for part in numpy.split(words, lengths.cumsum()[:-1])]
    return texts, generator.integers(0, WORDS[name], size=samples)


def _dataset(parts: str, seed: int) -> Any:
    """A dataset of the arrays in `parts`, which are separated by commas outside brackets."""
    import sys

    pieces = [piece.strip() for piece in re.split(r",(?![^\[]*\])", parts)]
    batch = next((int(piece.partition("=")[2]) for piece in pieces if piece.startswith("batch=")), 32)
    arrays = tuple(value_of(piece, seed + i) for i, piece in enumerate(pieces) if not piece.startswith("batch="))
    tensorflow = sys.modules.get("tensorflow") or __import__("tensorflow")
    return tensorflow.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(batch)
