"""Every limit of the interpreter, and what was cut because of one. Limits count steps, never seconds."""

from __future__ import annotations

from dataclasses import dataclass

from mpfix.semantic.syntax import Place


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run. Lowering any of them may lose findings and never adds one."""

    alternatives: int = 16
    """Alternatives a cell or value keeps; the oldest become unknown."""
    guard_literals: int = 6
    path_literals: int = 16
    call_depth: int = 16
    repeats: int = 2
    """How often one function may stand on the call stack."""
    exact_contexts: int = 4
    contexts: int = 16
    function_steps: int = 2_000
    """Steps that all calls of one function may take in a root; `contexts` counts only once they are used up, so that
    a decorator or a converter of a few lines is never too often called."""
    calm_steps: int = 100_000
    """Steps before `contexts` counts at all: as many as a root may take. Functions that no root reached have none."""
    objects_per_site: int = 4
    entries: int = 64
    """Entries of a sequence or mapping that are remembered."""
    unrolled_items: int = 8
    unrolled_bodies: int = 32
    """How often unrolled loops inside each other may run the innermost body; a loop beyond that is learnt."""
    root_steps: int = 100_000
    line_steps: int = 40
    component_steps: int = 200_000
    component_most: int = 1_000_000
    """Beyond `component_steps` and `line_steps` for each line, and beyond `component_most` in any case, the roots that
    are left get `spare_steps` each."""
    spare_steps: int = 5_000
    expression_depth: int = 100


@dataclass(frozen=True, slots=True)
class Cut:
    """A bound that was hit: which, and where."""

    bound: str
    place: Place

    @property
    def message(self) -> str:
        """One sentence for people."""
        return f"the analysis stopped at its bound on {self.bound}; what depends on it is not reported"


class OutOfSteps(Exception):
    """The root used up its steps; it ends where it is."""
