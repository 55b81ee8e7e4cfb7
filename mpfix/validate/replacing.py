"""Inside the child: functions and methods of libraries replaced where they are, whatever name they were imported by."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]


def replace_everywhere(original: Function, replacement: Function) -> None:
    """Put `replacement` where any loaded module of a Keras or TensorFlow holds `original`."""
    functools.update_wrapper(replacement, original)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("keras", "tf_keras", "tensorflow"):
            for key, value in list(getattr(module, "__dict__", {}).items()):
                if value is original:
                    setattr(module, key, replacement)


def wrap_method(owner: type, name: str, wrapper: Callable[[Function], Function]) -> bool:
    """Replace a method in the class of the MRO that defines it; False where none does."""
    for defining in owner.__mro__:
        original = defining.__dict__.get(name)
        if original is None:
            continue
        if not getattr(original, "mpfix_wraps", False):
            replacement = functools.update_wrapper(wrapper(original), original)
            replacement.mpfix_wraps = True  # type: ignore[attr-defined]
            # Keras looks at the parameters of `__init__` and `call`, and does not follow wrappers
            replacement.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
            setattr(defining, name, replacement)
        return True
    return False


def public(module: Any, path: str) -> Any:
    """What a dotted name means below a module; None where a part of it is missing."""
    for part in path.split("."):
        module = getattr(module, part, None)
    return module
