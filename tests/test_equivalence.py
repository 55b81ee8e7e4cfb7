"""Every example of every page in nine disguises: the same program must give the same findings on the same lines.

What a page excepts stands under its Limits, one line each: `- equivalence: DISGUISE: HEADING: reason`. `*` is all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from disguises import DISGUISES, disguise
from page_examples import Example, Page, examples, pages, settings_for, shown
from two_modules import MODULE, halves

import mpfix
from mpfix.diagnostic import Diagnostic

MAX_EXCEPTIONS = 0.05
"""Share of the pairs that pages may except."""

# the rules of the engine judge text and comments, which a disguise does not keep
SUBJECTS = [example for example in examples() if example.page.rule.family != "engine" and len(example.files) == 1]
TWO_MODULES = "two modules"
HALVES = {example.id: found for example in SUBJECTS if (found := halves(example.files[0][1])) is not None}
PAIRS = [
    *((example, name) for example in SUBJECTS for name in DISGUISES),
    *((example, TWO_MODULES) for example in SUBJECTS if example.id in HALVES),
]


def is_excepted(example: Example, name: str) -> bool:
    """Whether the page says that the example may differ in this disguise."""
    return any(
        disguise_name in ("*", name) and heading in ("*", example.sentence)
        for disguise_name, heading, _ in example.page.exceptions
    )


@pytest.mark.parametrize(
    ("example", "name"),
    [
        pytest.param(one, name, id=f"{one.id} [{name}]")
        for one, name in PAIRS
        if name != TWO_MODULES and not is_excepted(one, name)
    ],
)
def test_disguise_gives_the_same_findings_on_the_same_lines(example: Example, name: str, tmp_path: Path) -> None:
    ((_, source),) = example.files
    disguised = disguise(name, source)
    path = tmp_path / disguised.filename
    path.write_text(disguised.content, encoding="utf-8", newline="")

    report = mpfix.check([path], settings_for(example), with_fixes=False)

    def line_of(item: Diagnostic) -> int | None:
        return disguised.origin((item.span.cell, item.span.start.row, item.span.start.column))

    told = f"{disguised.content}\n{shown(report)}"
    assert not report.errors, told
    assert {(line_of(item), item.code) for item in report.diagnostics} == {
        (line, code) for _, line, code in example.expected
    }, told


@pytest.mark.parametrize(
    "example",
    [pytest.param(one, id=one.id) for one, name in PAIRS if name == TWO_MODULES and not is_excepted(one, TWO_MODULES)],
)
def test_two_modules_give_the_same_findings_on_the_same_lines(example: Example, tmp_path: Path) -> None:
    module, script = HALVES[example.id]
    (tmp_path / f"{MODULE}.py").write_text(module, encoding="utf-8", newline="")
    (tmp_path / "train.py").write_text(script, encoding="utf-8", newline="")

    report = mpfix.check([tmp_path], settings_for(example), with_fixes=False)

    assert not report.errors
    assert {(item.span.start.row, item.code) for item in report.diagnostics} == {
        (line, code) for _, line, code in example.expected
    }, f"{module}\n# ---\n{script}\n{shown(report)}"


def test_most_examples_can_be_cut_in_two() -> None:
    assert len(HALVES) > len(SUBJECTS) / 2


def test_exceptions_are_few(record_property: Callable[[str, object], None]) -> None:
    excepted = [(example.id, name) for example, name in PAIRS if is_excepted(example, name)]

    record_property("pairs", len(PAIRS))
    record_property("exceptions", len(excepted))
    assert len(excepted) <= MAX_EXCEPTIONS * len(PAIRS), f"{len(excepted)} of {len(PAIRS)} pairs are excepted"


@pytest.mark.parametrize("page", [pytest.param(page, id=page.rule.code) for page in pages() if page.exceptions])
def test_exceptions_name_a_disguise_and_a_heading(page: Page) -> None:
    for name, heading, _ in page.exceptions:
        assert name in ("*", *DISGUISES, TWO_MODULES)
        assert heading in ("*", *page.sentences)


SCRIPT = """\
import keras

keras.mixed_precision.set_global_policy("mixed_float16")
units = 10
model = keras.Sequential(
    [
        keras.layers.Dense(units, activation="softmax"),
    ]
)
"""


@pytest.mark.parametrize("name", DISGUISES)
def test_a_place_in_a_disguise_knows_its_line(name: str) -> None:
    disguised = disguise(name, SCRIPT)
    if name == "notebook":
        assert disguised.origin((5, 3, 9)) == 7
        return
    lines = disguised.content.splitlines()
    call = "keras.layers.Dense(" if "keras.layers.Dense(" in disguised.content else "Dense"
    row = next(row for row, line in enumerate(lines, start=1) if call in line and "import" not in line)

    assert disguised.content != SCRIPT
    assert disguised.origin((None, row, lines[row - 1].index(call) + 1)) == 7
    compile(disguised.content, "train.py", "exec")
