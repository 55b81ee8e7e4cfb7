"""A repair in the making: its parts, what they do to training, and the reason where one cannot be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.replica_scopes import may_run_in_replicas
from mpfix.rewriting.edits import Intent, ModuleEdits
from mpfix.rule import FixIntent
from mpfix.semantic.program import Program
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Module

SCALE_OF_LOSS = "replicas of a strategy may run the step: how the loss is divided among them is for the author to say"


class Refused(Exception):
    """A repair that cannot be written; the text says why."""


@dataclass
class Plan:
    """The parts of one repair of a program, gathered one after the other."""

    program: Program
    intents: dict[Module, list[Intent]] = field(default_factory=dict)
    is_unsafe: bool = False
    changes_training: bool = False
    title: str = ""
    shown_only: str | None = None
    """Why it is only shown; None where it may be written."""

    @property
    def is_for_keras_2(self) -> bool:
        """Whether the text must be right on Keras 2."""
        return 2 in self.program.generations

    @property
    def is_for_keras_3(self) -> bool:
        """Whether the text must be right on Keras 3."""
        return 3 in self.program.generations

    def add(self, module: Module, *intents: Intent) -> None:
        """Take intents in, each once."""
        known = self.intents.setdefault(module, [])
        known.extend(intent for intent in intents if intent not in known)

    def scaled(self, optimizer: str, loss: str) -> str:
        """A scaled loss, spelt for the generations at hand."""
        return f"{self.scaling(optimizer)}({loss})"

    def scaling(self, optimizer: str) -> str:
        """What scales a loss, spelt for the generations at hand."""
        if not self.is_for_keras_2:
            return f"{optimizer}.scale_loss"
        if not self.is_for_keras_3:
            return f"{optimizer}.get_scaled_loss"
        return f'(getattr({optimizer}, "scale_loss", None) or {optimizer}.get_scaled_loss)'

    def unscaling(self, optimizer: str) -> str:
        """What unscales gradients; Keras 2 needs it, Keras 3 does not have it."""
        if not self.is_for_keras_3:
            return f"{optimizer}.get_unscaled_gradients"
        return f'(getattr({optimizer}, "get_unscaled_gradients", None) or list)'

    def only_show_in_replicas(self, occurrence: Occurrence, reason: str = SCALE_OF_LOSS) -> None:
        """Only show the repair where replicas of a strategy may run what it changes."""
        if may_run_in_replicas(self.program, occurrence):
            self.shown_only = reason

    def offer(self) -> FixIntent:
        """The repair as a rule offers it."""
        parts = tuple(ModuleEdits(module, tuple(intents)) for module, intents in self.intents.items())
        applicability = Applicability.UNSAFE if self.is_unsafe or self.changes_training else Applicability.SAFE
        return FixIntent(
            self.title,
            Applicability.DISPLAY_ONLY if self.shown_only is not None else applicability,
            Effect.CHANGES_TRAINING if self.changes_training else Effect.REPAIRS,
            lambda: parts,
            reason=self.shown_only,
            generations=self.program.generations,
        )


Offer = tuple[FixIntent | None, str | None]
"""A repair, or the reason why there is none."""


def planned(program: Program, build: Callable[[Plan], None]) -> Offer:
    """The repair that `build` gathers, or the reason why it refused."""
    plan = Plan(program)
    try:
        build(plan)
    except Refused as refusal:
        return None, str(refusal)
    return plan.offer(), None
