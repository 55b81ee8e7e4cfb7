"""What Keras and TensorFlow mean: `interpret` makes a program of parsed modules."""

from __future__ import annotations

from collections.abc import Sequence

from mpfix.frameworks.keys import outside_names
from mpfix.frameworks.library import KerasLibrary
from mpfix.semantic.budget import Limits
from mpfix.semantic.program import Program
from mpfix.semantic.project import Project
from mpfix.semantic.root_traces import RootTraces
from mpfix.semantic.roots import interpret_component
from mpfix.semantic.syntax import Module


def interpret(
    modules: Sequence[Module],
    *,
    generation: int,
    assume_policy: str | None = None,
    limits: Limits | None = None,
    reuse: bool = True,
    generations: Sequence[int] = (),
    meant: bool = False,
    project: Project | None = None,
    known: RootTraces | None = None,
) -> Program:
    """What a component does under a Keras generation (2 or 3).

    Args:
        generations: all generations the component is judged for; just this one when empty.
        meant: tests for methods of loss scaling that Keras 3 lost may be true.
        assume_policy: the global policy a root starts with instead of `float32`.
        project: how the modules' imports find each other; without one each stands alone.
        known: what roots did under this generation when only other modules had another text.
        reuse: whether equal calls are replayed; off gives the same program where no bound is hit.
    """
    trace = interpret_component(
        modules,
        lambda: KerasLibrary(generation, assume_policy, meant=meant),
        limits or Limits(),
        reuse=reuse,
        project=project,
        known=known,
    )
    return Program(
        tuple(modules),
        generation,
        trace.occurrences,
        trace.recurrences,
        trace.cuts,
        outside_names,
        tuple(generations) or (generation,),
        trace.steps,
        lambda: interpret(
            modules,
            generation=generation,
            generations=generations,
            assume_policy=assume_policy,
            limits=limits,
            reuse=reuse,
            meant=True,
            project=project,
        ),
    )


__all__ = ["interpret"]
