"""Which Keras generations a file is judged for."""

from __future__ import annotations

from collections.abc import Sequence

from mpfix.frameworks.generation import decide_generation
from mpfix.frameworks.keys import outside_names
from mpfix.report import GenerationUsed
from mpfix.semantic.program import ModuleNames
from mpfix.semantic.syntax import Module
from mpfix.settings import GENERATIONS, Settings

EVERY_GENERATION = (2, 3)


def possible_generations(settings: Settings) -> tuple[int, ...]:
    """The generations that files may be judged for; with `auto` each file decides among them."""
    if settings.keras == GENERATIONS[0]:
        return EVERY_GENERATION
    return tuple(int(part) for part in settings.keras.split("+"))


def generation_used(modules: Sequence[Module], settings: Settings) -> tuple[tuple[int, ...], GenerationUsed]:
    """The generations to interpret a component under, and what decided."""
    name = modules[0].document.display
    if settings.keras != GENERATIONS[0]:
        reason = f"{settings.label('keras')} says so"
        return possible_generations(settings), GenerationUsed(name, settings.keras, reason)
    names = [ModuleNames(module, outside_names(module)) for module in modules]
    decided = decide_generation(names, modules[0].document.path.parent)
    used = GenerationUsed(name, str(decided.value), decided.reason, decided.defaulted, decided.first_k2_call)
    return (decided.value,), used
