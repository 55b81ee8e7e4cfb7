"""Bounds and reuse, asked through the real rules: a bound only takes findings away, reuse changes nothing."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from page_examples import examples

from mpfix.engine.run_rules import Component, judge
from mpfix.frameworks import interpret
from mpfix.registry import load_registry
from mpfix.semantic.budget import Limits
from mpfix.semantic.guards import describe
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Module, parse_module
from mpfix.source.document import document_from_bytes

FIXTURES = Path(__file__).parents[2] / "fixtures"
BOUNDS = [bound.name for bound in fields(Limits)]
EXAMPLES_OF_A_RULE = 2


def sources() -> dict[str, str]:
    """Fixture programs and the first examples of each page, by name."""
    found: dict[str, str] = {}
    for path in sorted((FIXTURES / "programs").glob("*.py")) + sorted((FIXTURES / "correct").glob("*.py")):
        found[f"{path.parent.name}/{path.name}"] = path.read_text(encoding="utf-8")
    for example in examples():
        code = example.page.rule.code
        if (
            code != "MP001"
            and len(example.files) == 1
            and sum(name.startswith(code) for name in found) < EXAMPLES_OF_A_RULE
        ):
            found[example.id] = example.files[0][1]
    return found


SOURCES = sources()
RULES = tuple(entry.rule for entry in load_registry().registered)


def module_of(text: str) -> Module:
    return parse_module(document_from_bytes(text.encode(), Path("train.py"), "train.py"))


def findings(module: Module, limits: Limits, generation: int) -> set[tuple[str, int]]:
    judgement = judge(Component((module,), (generation,), limits=limits), RULES)

    assert not judgement.errors
    return {(judged.rule.code, judged.place.line) for judged in judgement.findings}


@pytest.mark.parametrize("name", SOURCES)
def test_a_bound_at_one_adds_no_finding(name: str) -> None:
    module = module_of(SOURCES[name])
    for generation in (2, 3):
        everything = findings(module, Limits(), generation)
        for bound in BOUNDS:
            fewer = findings(module, replace(Limits(), **{bound: 1}), generation)
            assert fewer <= everything, f"{bound}, Keras {generation}"


def account(program: Program) -> list[tuple[object, ...]]:
    """Everything that happened, in words."""
    return [
        (
            type(occurrence.event).__name__,
            occurrence.place.sort_key,
            describe(occurrence.guard),
            [key.place.line for key in occurrence.loops],
            [place.sort_key for place in occurrence.chain],
        )
        for occurrence in program.occurrences
    ]


@pytest.mark.parametrize("name", [name for name in SOURCES if "/" in name])
def test_reuse_changes_nothing_in_training_code(name: str) -> None:
    module = module_of(SOURCES[name])
    reused, again = (interpret((module,), generation=3, reuse=reuse) for reuse in (True, False))

    if not reused.cuts and not again.cuts:
        assert account(reused) == account(again)
