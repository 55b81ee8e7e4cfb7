"""`isinstance` against classes of the framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpfix.frameworks import dispatch, optimizers
from mpfix.semantic.library import CONTAINERS
from mpfix.semantic.run import Run
from mpfix.semantic.values import Constant, Library, Object, Record, Value

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


def is_instance(lib: KerasLibrary, run: Run, value: Value, of: Value) -> bool | None:
    """Whether a value is an instance of a class of the framework; None where nobody knows."""
    if not isinstance(of, Library):
        return None
    if of.key in optimizers.WRAPPERS and isinstance(value, Object) and value.kind == "optimizer":
        wrapped = run.get(value, "wrapped")
        return bool(wrapped.value) if isinstance(wrapped, Constant) else None
    role = dispatch.role_of(of.key)
    if role is not None and isinstance(value, Object):
        own = lib.role(value)
        if own is None:
            return False if value.kind in CONTAINERS and value.cls is None else None
        if own != role:
            return (own, role) == ("model", "layer")
        return True if of.key in (f"keras.{role}s.{role.capitalize()}", "keras.Model") else None
    if role is not None and isinstance(value, (Constant, Record)):
        return False
    return None
