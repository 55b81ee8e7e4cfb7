"""Records: frozen dataclasses for the type checker, plain ones at run time.

There are hundreds: making a frozen class costs the start of the command three times as much, and making an instance of
one costs the interpreter three times as much. Tests of types keep what `frozen=True` would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

C = TypeVar("C")

if TYPE_CHECKING:
    from dataclasses import field

    from typing_extensions import dataclass_transform

    @dataclass_transform(frozen_default=True, field_specifiers=(field,))
    def record(cls: type[C]) -> type[C]:
        """A class of records that are compared and hashed by what they hold."""
else:
    record = dataclass(slots=True, repr=False, unsafe_hash=True)
