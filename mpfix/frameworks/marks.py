"""The library model's own state, kept so that several roots can continue one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary


def mark(lib: KerasLibrary) -> Callable[[], None]:
    """What brings models, learnt variables and promotion back to what they are now, any number of times."""
    models, promoting = lib.models.copy(), lib.promoting
    variables = {place: made.copy() for place, made in lib.learnt_variables.items()}

    def back() -> None:
        lib.models, lib.promoting = models.copy(), promoting
        lib.learnt_variables = {place: made.copy() for place, made in variables.items()}

    return back
