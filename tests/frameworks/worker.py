"""The child that builds the examples of the table rows under one Keras generation.

Usage: `python worker.py 2` or `python worker.py 3`. One JSON object comes in on standard input (`policies`, `setup`,
`examples`); a list for each policy goes out on standard output, one object for each example.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from typing import Any

ATTRIBUTES = ("activation", "dtype_policy")


def main(generation: str) -> None:
    """Answer one request."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1" if generation == "2" else "0"
    os.environ.update(KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="-1", TF_CPP_MIN_LOG_LEVEL="3")
    request = json.load(sys.stdin)
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answers = {policy: build_all(policy, request) for policy in request["policies"]}
    replies.write(json.dumps(answers))
    replies.flush()


def build_all(policy: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    """What each example gives under a policy."""
    names: dict[str, Any] = {"POLICY": policy}
    exec(request["setup"], names)  # the test's own text
    return [answer_to(example, names) for example in request["examples"]]


def answer_to(example: str, names: dict[str, Any]) -> dict[str, Any]:
    """What an example gives, or the error that it raises."""
    try:
        return described(*built(example, names))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:300]}


def built(example: str, names: dict[str, Any]) -> tuple[Any, Any]:
    """The value of an example, and the layer (or other object) that was called for it, if one was."""
    node = ast.parse(example, mode="eval").body
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Call):
        made = eval(ast.unparse(node.func), names)
        return eval(ast.unparse(ast.Call(ast.Name("made"), node.args, node.keywords)), {**names, "made": made}), made
    return eval(example, names), None


def described(value: Any, made: Any) -> dict[str, Any]:
    """Class, dtype and attributes, as JSON."""
    answer: dict[str, Any] = {"class": type(value).__name__, "bases": [one.__name__ for one in type(value).__mro__]}
    if isinstance(value, (list, tuple)) and value and hasattr(value[0], "dtype"):
        answer["dtypes"] = [dtype_name(one) for one in value]
    elif hasattr(value, "dtype") and not callable(value.dtype):
        answer["dtype"] = dtype_name(value)
    elif isinstance(value, (bool, int, float, str, type(None))):
        answer["constant"] = value
    if made is not None:
        answer["made"] = {"class": type(made).__name__, "bases": [one.__name__ for one in type(made).__mro__]}
        activation = getattr(made, "activation", None)
        answer["made"]["activation"] = getattr(activation, "__name__", None) or type(activation).__name__
        answer["made"]["compute dtype"] = getattr(made, "compute_dtype", None)
    return answer


def dtype_name(value: Any) -> str:
    """`float16` for whatever spelling of a dtype the library uses."""
    dtype = value.dtype
    return str(getattr(dtype, "name", dtype))


if __name__ == "__main__":
    main(sys.argv[1])
