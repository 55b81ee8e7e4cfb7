"""A tiny pack for the engine: rules that look at names only, and a program that is no more than its modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpfix.diagnostic import Applicability, Effect, Severity
from mpfix.rewriting.edits import ModuleEdits, ReplaceExpression
from mpfix.rule import Evidence, Finding, FixIntent, Rule
from mpfix.semantic.budget import Cut
from mpfix.semantic.program import Program
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Module, Place


@dataclass(frozen=True)
class FakeProgram:
    """Just enough of a program: its modules, and which Keras it is."""

    modules: tuple[Module, ...]
    generation: int
    cuts: tuple[Cut, ...] = ()
    steps: int = 0
    occurrences: tuple[Occurrence, ...] = ()
    _facts: dict[object, Any] = field(default_factory=dict)

    happened = Program.happened

    def names(self, name: str) -> Iterator[Place]:
        """Uses of a name, by position."""
        for module in self.modules:
            nodes = [node for node in ast.walk(module.tree) if isinstance(node, ast.Name) and node.id == name]
            yield from (Place(module, node) for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)))


def fake_interpret(modules: Sequence[Module], *, generation: int, **_: object) -> FakeProgram:
    """A program without interpretation; a name `cut` hits a bound."""
    program = FakeProgram(tuple(modules), generation)
    return FakeProgram(program.modules, generation, tuple(Cut("steps", place) for place in program.names("cut")))


def renames(place: Place, new: str, applicability: Applicability, effect: Effect) -> FixIntent:
    """The fix that puts another name in place of one."""

    def edits() -> tuple[ModuleEdits, ...]:
        assert isinstance(place.node, ast.expr)
        return (ModuleEdits(place.module, (ReplaceExpression(place.node, new),)),)

    return FixIntent(f"write `{new}`", applicability, effect, edits)


def finds(
    code: str,
    name: str,
    *,
    becomes: str | None = None,
    severity: Severity | dict[int, Severity] = Severity.ERROR,
    applicability: Applicability = Applicability.SAFE,
    effect: Effect = Effect.REPAIRS,
    words: tuple[str, ...] = (),
    half: bool = False,
) -> Rule:
    """The rule that finds every use of `name`, and repairs it by another name."""

    def check(program: FakeProgram) -> Iterator[Finding]:
        for place in program.names(name):
            fix = renames(place, becomes, applicability, effect) if becomes is not None else None
            policy = tuple(Evidence(at, "the policy is set here") for at in program.names("policy"))
            yield Finding(place, f"`{name}` is wrong", evidence=policy, fix=fix)

    by_generation = {2: severity, 3: severity} if isinstance(severity, Severity) else severity
    return Rule(code, f"{name}-found", "fake", by_generation, words, half, becomes is not None, check)  # type: ignore[arg-type]


def crashes(code: str) -> Rule:
    """A rule with a bug."""

    def check(program: FakeProgram) -> Iterator[Finding]:
        raise ZeroDivisionError("by design")
        yield

    return Rule(code, "crash", "fake", {3: Severity.ERROR}, (), False, False, check)  # type: ignore[arg-type]
