"""The child that calls the functions of `tables/half_kernels.toml` with float32, float16 and bfloat16.

One JSON object comes in on standard input, the arguments to judge by function; one goes out on standard output, an
answer for each function and argument.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

os.environ.update(KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="-1", TF_CPP_MIN_LOG_LEVEL="3")
os.environ["TF_USE_LEGACY_KERAS"] = "1"

REPLIES = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

keras, tf, tf_keras = (importlib.import_module(name) for name in ("keras", "tensorflow", "tf_keras"))
kernels = importlib.import_module("tensorflow.python.framework.kernels")
types_pb2 = importlib.import_module("tensorflow.core.framework.types_pb2")

SQUARE = [[2.0, 0.5], [0.5, 1.0]]
ROW = [[0.1, 0.2, 0.3, 0.4]]
WAVE = [[0.1 * (index % 7) for index in range(64)]]
BOXES = [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.5, 0.5]]
SCORES = [[[0.1, 0.2, 0.3]]] * 4
IMAGE = [[[[0.1, 0.5, 0.9]] * 8] * 8]
COLUMN = [[1.0], [2.0]]
PAIR = (ROW, ROW)
SIGNALS = {"signals": WAVE, "frame_length": 16, "frame_step": 8}
STFT = {"sequence_length": 16, "sequence_stride": 8, "fft_length": 16}
INPUTS: dict[str, dict[str, Any]] = {
    "tensorflow.signal.rfft3d": {"input_tensor": [SQUARE]},
    "tensorflow.signal.stft": SIGNALS,
    "tensorflow.signal.mdct": {"signals": WAVE, "frame_length": 16},
    "tensorflow.signal.dct": {"input": ROW},
    "tensorflow.signal.idct": {"input": ROW},
    "tensorflow.audio.encode_wav": {"audio": [[0.1], [0.2]], "sample_rate": 8000},
    "tensorflow.image.crop_and_resize": {"image": IMAGE, "boxes": BOXES, "box_indices": [0, 0], "crop_size": [2, 2]},
    "tensorflow.image.draw_bounding_boxes": {"images": IMAGE, "boxes": [BOXES], "colors": [[1.0, 0.0, 0.0]]},
    "tensorflow.image.non_max_suppression": {"boxes": BOXES, "scores": [0.9, 0.8], "max_output_size": 2},
    "tensorflow.image.non_max_suppression_overlaps": {
        "overlaps": SQUARE,
        "scores": [0.9, 0.8],
        "max_output_size": 2,
    },
    "tensorflow.image.combined_non_max_suppression": {
        "boxes": [[[one] for one in BOXES]],
        "scores": [[[0.9], [0.8]]],
        "max_output_size_per_class": 2,
        "max_total_size": 2,
    },
    "tensorflow.image.extract_glimpse": {"input": IMAGE, "size": [2, 2], "offsets": [[0.0, 0.0]]},
    "tensorflow.nn.ctc_greedy_decoder": {"inputs": SCORES, "sequence_length": [4]},
    "tensorflow.nn.ctc_beam_search_decoder": {"inputs": SCORES, "sequence_length": [4]},
    "tensorflow.nn.in_top_k": {"predictions": ROW, "targets": [0], "k": 1},
    "tensorflow.nn.fractional_max_pool": {"value": IMAGE, "pooling_ratio": [1.0, 1.4, 1.4, 1.0]},
    "tensorflow.nn.fractional_avg_pool": {"value": IMAGE, "pooling_ratio": [1.0, 1.4, 1.4, 1.0]},
    "tensorflow.nn.fused_batch_norm": {"x": IMAGE, "scale": [1.0, 1.0, 1.0], "offset": [0.0, 0.0, 0.0]},
    "tensorflow.histogram_fixed_width": {"values": ROW, "value_range": [0.0, 1.0]},
    "tensorflow.linalg.tridiagonal_solve": {"diagonals": [ROW[0]] * 3, "rhs": ROW[0]},
    "tensorflow.linalg.tridiagonal_matmul": {"diagonals": [ROW[0]] * 3, "rhs": [[one] for one in ROW[0]]},
    "tensorflow.linalg.solve": {"matrix": SQUARE, "rhs": COLUMN},
    "tensorflow.linalg.lstsq": {"matrix": SQUARE, "rhs": COLUMN},
    "tensorflow.math.bincount": {"arr": [1, 2], "weights": [0.1, 0.2]},
    "tensorflow.math.polygamma": {"a": [1.0], "x": [2.0]},
    "tensorflow.math.zeta": {"x": [2.0], "q": [2.0]},
    "tensorflow.math.betainc": {"a": [0.5], "b": [0.5], "x": [0.5]},
    "tensorflow.math.nextafter": {"x1": [0.5], "x2": [0.5]},
    "tensorflow.quantization.fake_quant_with_min_max_vars": {"inputs": ROW, "min": 0.0, "max": 1.0},
    "keras.backend.ctc_decode": {"y_pred": [[[0.1, 0.2, 0.7]] * 4], "input_length": [4]},
    "keras.backend.in_top_k": {"predictions": ROW, "targets": [0], "k": 1},
    "keras.metrics.top_k_categorical_accuracy": {"y_true": [[0.0, 0.0, 0.0, 1.0]], "y_pred": ROW, "k": 1},
    "keras.metrics.sparse_top_k_categorical_accuracy": {"y_true": [3], "y_pred": ROW, "k": 1},
    "keras.ops.in_top_k": {"predictions": ROW, "targets": [0], "k": 1},
    "keras.ops.rfft": {"x": ROW},
    "keras.ops.fft": {"x": PAIR},
    "keras.ops.fft2": {"x": PAIR},
    "keras.ops.ifft2": {"x": PAIR},
    "keras.ops.irfft": {"x": PAIR},
    "keras.ops.stft": {"x": WAVE, **STFT},
    "keras.ops.istft": {"x": ([[[0.1] * 9] * 9], [[[0.1] * 9] * 9]), **STFT},
    "keras.ops.solve": {"a": SQUARE, "b": COLUMN},
}
"""What a function is given, where that is more than one square matrix."""


def main() -> None:
    """Answer one request."""
    wanted: dict[str, list[str]] = json.load(sys.stdin)
    REPLIES.write(json.dumps(dict(answers(wanted))))
    REPLIES.flush()


def answers(wanted: dict[str, list[str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The answer for each argument of each function."""
    for key, names in wanted.items():
        given = INPUTS.get(key, dict.fromkeys(names, SQUARE))
        for name in names:
            yield f"{key} {name}", answer_to(function_of(key), given, name)


def answer_to(function: Callable[..., Any], given: dict[str, Any], name: str) -> dict[str, Any]:
    """What happens with each dtype, and where the argument stands."""
    errors = {dtype: outcome(lambda one=dtype: function(**in_dtype(given, name, one))) for dtype in DTYPES}
    half = "float16" if errors["float16"] else "bfloat16"
    compiled = tf.function(lambda: function(**in_dtype(given, name, "float16")), jit_compile=True)
    result = () if errors["float32"] else function(**in_dtype(given, name, "float32"))
    return {
        **errors,
        "position": list(inspect.signature(function).parameters).index(name),
        "gpu": has_kernel(errors[half], half),
        "compiled": outcome(compiled) == "",
        "gives": [tf.as_dtype(one.dtype).name for one in tf.nest.flatten(result)],
    }


DTYPES = ("float32", "float16", "bfloat16")


def function_of(key: str) -> Callable[..., Any]:
    """The function of a canonical key, in the newest package that has it."""
    root, *path = key.split(".")
    owners = {"keras": (tf_keras, keras)}.get(root, (tf, tf.compat.v1))
    for found in owners:
        for name in path:
            found = getattr(found, name, None)
        if found is not None:
            return found
    raise LookupError(key)


def in_dtype(given: dict[str, Any], name: str, dtype: str) -> dict[str, Any]:
    """Arguments as tensors; the judged one and those that must have its dtype in `dtype`."""
    whole = {one: value if is_plain(one, value) else as_tensors(value) for one, value in given.items()}
    judged = {one for one in whole if one == name or (dtype != "float32" and one in TOGETHER.get(name, ()))}
    return {one: cast(value, dtype) if one in judged else value for one, value in whole.items()}


TOGETHER = {
    "real": ("imag",), "imag": ("real",), "matrix": ("rhs",), "rhs": ("matrix", "diagonals"), "diagonals": ("rhs",),
    "boxes": ("scores",), "scores": ("boxes",), "a": ("b", "x"), "b": ("a", "x"), "x": ("a", "b", "q"), "q": ("x",),
    "x1": ("x2",), "x2": ("x1",), "scale": ("offset",), "offset": ("scale",), "values": ("value_range",),
}  # fmt: skip
"""Arguments that have one dtype: another one raises for that alone."""


def is_plain(name: str, value: Any) -> bool:
    """Whether a value stays as it is: numbers, and lists of whole ones."""
    return (
        name == "pooling_ratio"
        or isinstance(value, (int, float))
        or (isinstance(value, list) and isinstance(value[0], int))
    )


def as_tensors(value: Any) -> Any:
    """A tuple keeps its items apart, a list is one tensor."""
    return tuple(tf.constant(one) for one in value) if isinstance(value, tuple) else tf.constant(value)


def cast(value: Any, dtype: str) -> Any:
    """A tensor, or each of several, in a dtype."""
    return tf.nest.map_structure(lambda one: tf.cast(one, dtype), value)


def outcome(call: Callable[[], Any]) -> str:
    """Empty where a call works, else the error."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    return ""


def has_kernel(error: str, dtype: str) -> bool:
    """Whether the GPU has a kernel in a dtype for the operation that a missing kernel is told of."""
    named = re.search(r"Could not find device for node: \{\{node (\w+)\}\}", error)
    wanted = types_pb2.DT_HALF if dtype == "float16" else types_pb2.DT_BFLOAT16
    found = kernels.get_registered_kernels_for_op(named[1]).kernel if named else ()
    return any(
        one.device_type == "GPU" and all(wanted in limit.allowed_values.list.type for limit in one.constraint)
        for one in found
        if one.constraint
    )


if __name__ == "__main__":
    main()
