"""Rounds of fixes, until nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_pack import FakeProgram, finds, renames

from mpfix.diagnostic import Applicability, Effect, Severity
from mpfix.engine.pipeline import apply
from mpfix.registry import Registry
from mpfix.rule import Finding, Rule
from mpfix.settings import Settings


def lonely(code: str, name: str, becomes: str, beside: str) -> Rule:
    """A rule that minds a name where another one is used too, and renames it; alone the name is right."""

    def check(program: FakeProgram) -> Iterator[Finding]:
        for place in program.names(name) if any(program.names(beside)) else ():
            yield Finding(place, "wrong", fix=renames(place, becomes, Applicability.SAFE, Effect.REPAIRS))

    return Rule(code, f"{name}-beside", "fake", {3: Severity.ERROR}, (), False, True, check)  # type: ignore[arg-type]


def test_fixes_that_do_not_go_together_are_told_apart(
    registry_of: Callable[..., Registry], three: Settings, write: Callable[[str], Path]
) -> None:
    path = write("a\nb\n")

    def together(program: FakeProgram) -> Iterator[Finding]:
        if any(program.names("a2")) and any(program.names("b2")):
            yield from (Finding(place, "both") for place in program.names("b2"))

    never_both = Rule("FK103", "both", "fake", {3: Severity.ERROR}, (), False, False, together)  # type: ignore[arg-type]
    registry = registry_of(finds("FK101", "a", becomes="a2"), finds("FK102", "b", becomes="b2"), never_both)

    report = apply(["train.py"], three, registry=registry)

    assert path.read_text() == "a2\nb\n"
    assert report.fixed == {"FK101": 1}
    assert [item.code for item in report.diagnostics] == ["FK102"]
    assert "FK103" in str(report.diagnostics[0].unfixable_reason)


def test_a_fix_that_would_add_a_finding_is_not_written_even_if_that_one_is_fixable(
    registry_of: Callable[..., Registry], three: Settings, write: Callable[[str], Path]
) -> None:
    path = write("a, c\n")
    registry = registry_of(finds("FK101", "a", becomes="a2"), lonely("FK102", "c", "c2", "a2"))

    report = apply(["train.py"], three, registry=registry)

    assert path.read_text() == "a, c\n"
    assert [item.code for item in report.diagnostics] == ["FK101"]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_the_order_of_independent_fixes_does_not_matter(
    registry_of: Callable[..., Registry], three: Settings, write: Callable[[str], Path], order: tuple[str, str]
) -> None:
    path = write("x = a + b\ny = b, a\n")
    first, second = order
    registry = registry_of(finds("FK101", first, becomes=f"{first}2"), finds("FK102", second, becomes=f"{second}2"))

    apply(["train.py"], three, registry=registry)

    assert path.read_text() == "x = a2 + b2\ny = b2, a2\n"
