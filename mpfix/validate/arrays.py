"""Inside the child: tensors of any backend as arrays, and what is asked of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

HALF_SMALLEST = 2.0**-25
"""Magnitudes up to this round to zero in float16."""


def as_array(tensor: Any) -> Any:
    """A NumPy array of a concrete tensor or variable; None for what has no value yet, or is no tensor."""
    import numpy

    # only the rows that were used, for the gradient of an embedding
    tensor = getattr(tensor, "values", tensor) if type(tensor).__name__ == "IndexedSlices" else tensor
    while type(tensor).__module__.startswith("jax.") and hasattr(tensor, "primal"):
        # JAX differentiates eagerly by wrapping each value; under `jit` there is none inside
        tensor = tensor.primal
    try:
        if hasattr(tensor, "detach"):
            tensor = tensor.detach().cpu()
            tensor = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
        elif hasattr(tensor, "value") and not callable(tensor.value):
            return as_array(tensor.value)
        array = tensor.numpy() if callable(getattr(tensor, "numpy", None)) else numpy.asarray(tensor)
    except Exception:
        # a symbolic tensor raises whatever its backend likes
        return None
    return array if isinstance(array, numpy.ndarray | numpy.generic) and array.dtype != object else None


def is_float(array: Any) -> bool:
    """Whether an array holds real numbers; bfloat16 is one of the dtypes that NumPy does not know by kind."""
    return array is not None and (array.dtype.kind == "f" or "float" in array.dtype.name)


def dtype_name(tensor: Any) -> str | None:
    """`float16` for any spelling of it; None for what has no dtype."""
    dtype = getattr(tensor, "dtype", None)
    return None if dtype is None else str(getattr(dtype, "name", dtype)).replace("torch.", "")


def mean_of(tensor: Any) -> float | None:
    """The mean of a tensor, in float64; None where it has no value."""
    import numpy

    array = as_array(tensor)
    return float(numpy.mean(array.astype("float64"))) if is_float(array) and array.size else None


def is_finite(tensor: Any) -> bool:
    """Whether no number of a tensor is NaN or infinite; True for what is no tensor of numbers."""
    import numpy

    array = as_array(tensor)
    if not is_float(array):
        return True
    return bool(numpy.isfinite(array.astype("float32") if array.dtype.kind != "f" else array).all())


def norm_of(arrays: list[Any]) -> float:
    """The Euclidean norm of all numbers of several arrays."""
    import numpy

    with numpy.errstate(all="ignore"):
        return math.sqrt(sum(float(numpy.sum(numpy.square(array.astype("float64")))) for array in arrays))


def leaves(value: Any) -> Iterator[Any]:
    """The tensors in nested lists, tuples and dictionaries."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    elif value is not None:
        yield value


def finite_or_text(number: float | None) -> float | str | None:
    """A number that JSON can carry: `nan`, `inf` and `-inf` as text."""
    return number if number is None or math.isfinite(number) else str(number)
