"""The contract of a rule: a function from a program to findings, made a `Rule` by the `@rule` decorator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from mpfix.diagnostic import Applicability, Effect, Severity
from mpfix.record import record
from mpfix.semantic.syntax import Place

if TYPE_CHECKING:
    from mpfix.rewriting.edits import ModuleEdits
    from mpfix.semantic.program import Program


@record
class Evidence:
    """A place that explains a finding, with what happened there (`the policy is set here`)."""

    place: Place
    message: str


@record
class FixIntent:
    """A repair a rule offers. `edits` is called only when the fix is shown or written."""

    title: str
    applicability: Applicability
    effect: Effect
    edits: Callable[[], tuple[ModuleEdits, ...]]
    reason: str | None = None
    """Why it is display-only, for people; None otherwise."""
    generations: tuple[int, ...] = (2, 3)
    """Keras generations on which the text it writes is right; with `keras = "2+3"` it must be right on both."""


@record
class Finding:
    """What a rule yields. `severity` overrides the rule's own; `guard` is one of `semantic.guards` (None: always)."""

    place: Place
    message: str
    evidence: tuple[Evidence, ...] = ()
    guard: frozenset[object] | None = None
    fix: FixIntent | None = None
    unfixable_reason: str | None = None
    severity: Severity | None = None


RuleFunction = Callable[["Program"], Iterator[Finding]]


@record
class Rule:
    """A rule of a pack: its identity, when it can matter at all, and the function that judges."""

    code: str
    name: str
    family: str
    severity: Mapping[int, Severity]
    """Severity for each Keras generation it holds for (keys 2, 3)."""
    words: tuple[str, ...]
    """It can fire only in a file (component) whose text holds one of these words; empty: always."""
    half: bool
    """It needs a half-precision policy or cast somewhere in the component (`float16`, `fp16`, `half`, `16`)."""
    fixable: bool
    check: RuleFunction

    @property
    def generations(self) -> tuple[int, ...]:
        """Keras generations the rule holds for."""
        return tuple(sorted(self.severity))

    def __reduce__(self) -> tuple[Callable[[str, str], Rule], tuple[str, str]]:
        # the decorator put the rule where its function was, so another process finds it by the function's name
        return _rule_at, (self.check.__module__, self.check.__qualname__)


def _rule_at(module: str, name: str) -> Rule:
    import importlib

    found: Rule = getattr(importlib.import_module(module), name)
    return found


def rule(
    code: str,
    name: str,
    *,
    severity: Severity | Mapping[int, Severity],
    words: tuple[str, ...] = (),
    half: bool = False,
    fixable: bool = False,
) -> Callable[[RuleFunction], Rule]:
    """Make a function a `Rule`. One severity stands for both generations; a mapping names those it holds for."""

    def decorate(check: RuleFunction) -> Rule:
        by_generation = {2: severity, 3: severity} if isinstance(severity, Severity) else dict(severity)
        family = check.__module__.split(".")[-2]
        return Rule(code, name, family, by_generation, words, half, fixable, check)

    return decorate
