"""Records: frozen dataclasses for the type checker, plain ones at run time.

There are hundreds: making a frozen class costs the start of the command four times as much, and making an instance of
one costs the interpreter three times as much. Tests of types keep what `frozen=True` would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from reprlib import recursive_repr
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

C = TypeVar("C")

if TYPE_CHECKING:
    from dataclasses import field

    from typing_extensions import dataclass_transform

    @dataclass_transform(frozen_default=True, field_specifiers=(field,))
    def record(cls: type[C]) -> type[C]:
        """A class of records that are compared and hashed by what they hold."""
else:

    def record(cls):
        return _completed(dataclass(slots=True, repr=False, eq=False)(cls))


_COMPARISON = """\
def __eq__(self, other):
    if other.__class__ is self.__class__:
        return ({mine}) == ({others})
    return NotImplemented

def __hash__(self):
    return hash(({mine}))
"""


def _completed(cls: type[C]) -> type[C]:
    """Give a class what `dataclass` would compile for it alone; the comparisons of all come from the same code."""
    names = [one.name for one in fields(cls) if one.compare]  # type: ignore[arg-type]
    given: Mapping[str, Any] = vars(cls)
    for code in _codes(len(names)):
        if given.get(code.co_name) is None:
            named = tuple(names[int(name[1:])] if name[0] == "<" else name for name in code.co_names)
            setattr(cls, code.co_name, FunctionType(code.replace(co_names=named), _BUILT_IN, code.co_name))
    if given.get("__repr__") is None:
        cls.__repr__ = _shown  # type: ignore[method-assign]
    return cls


@recursive_repr()
def _shown(record: Any) -> str:
    """How a record prints, as if it were written in code."""
    shown = (f"{one.name}={getattr(record, one.name)!r}" for one in fields(record) if one.repr)
    return f"{type(record).__qualname__}({', '.join(shown)})"


_BUILT_IN: dict[str, Any] = {}
"""The methods use no names of a module."""


@cache
def _codes(count: int) -> tuple[CodeType, ...]:
    """The code of `__eq__` and of `__hash__` for so many fields, which are named `<0`, `<1`, ... there."""
    mine, others = ("".join(f"{owner}.f{number}_," for number in range(count)) for owner in ("self", "other"))
    module = compile(_COMPARISON.format(mine=mine, others=others), __file__, "exec")
    codes = (constant for constant in module.co_consts if isinstance(constant, CodeType))
    return tuple(code.replace(co_names=tuple(map(_placeholder, code.co_names))) for code in codes)


def _placeholder(name: str) -> str:
    """A name that no field has, so that a field may have any."""
    return f"<{name[1:-1]}" if name[0] == "f" and name[-1] == "_" else name
