"""The three formats of a validation, from one report made by hand."""

from __future__ import annotations

import json
import math

import pytest

from mpfix.reporters.validation_json import validation_json
from mpfix.reporters.validation_markdown import validation_markdown
from mpfix.reporters.validation_text import validation_text
from mpfix.validation import (
    Answer,
    Ending,
    GradientFigures,
    LayerFigures,
    MemoryFigures,
    Numerics,
    Spread,
    Symptom,
    ValidationReport,
    VariantResult,
    Verdict,
)


def variant(label: str, *, head: str) -> VariantResult:
    layer = LayerFigures(
        "out", "Dense", head, "float32", head, "train.py:9", "the policy was mixed_float16", head == "float32"
    )
    numerics = Numerics(
        losses=(2.5, math.nan),
        loss_kind="compiled",
        loss_dtype="float32",
        scales=(32768.0, 16384.0),
        evaluations=2,
        updates=1,
        skipped=1,
        gradient_ratio=1 / 32768,
        gradients=(GradientFigures("out/kernel", 0.5, 0.25, 0.1, 0.0),),
        layers=(LayerFigures("in", "Dense", "float16", "float32", None, None, "why"), layer),
    )
    memory = MemoryFigures("process memory", False, Spread((30e6, 32e6)), Spread((20e6, 20e6)), 4000, 8000)
    return VariantResult(
        label,
        Ending("stopped", "stopped after 2 training steps, as asked"),
        2,
        memory=memory,
        step_seconds=Spread((0.010, 0.012)),
        numerics=numerics,
        symptoms=(Symptom("head", "the head is float16"),),
        versions={"keras": "3.15.1"},
        keras="keras",
        backend="tensorflow",
    )


@pytest.fixture
def report() -> ValidationReport:
    return ValidationReport(
        "train.py",
        ("--epochs", "2"),
        2,
        variants=(variant("before", head="float16"), variant("after", head="float32")),
        answers=(Answer("Did memory change?", "No | difference", Verdict.SAME), Answer("Worse?", "Yes", Verdict.WORSE)),
        fixes={"MP301": 1},
        changed_files=("train.py",),
        notes=("Not saved: Model.save",),
    )


def test_text_answers_first_and_shows_the_figures(report: ValidationReport) -> None:
    text = validation_text(report, width=120)

    lines = text.splitlines()
    assert lines[0] == "train.py --epochs 2: 2 steps asked for, Keras 3 on tensorflow, CPU, no GPU (keras 3.15.1)"
    assert lines[1] == "Fixes (MP301: 1) in train.py, in memory only"
    assert lines[3].split() == ["same", "Did", "memory", "change?", "No", "|", "difference"]
    for part in (
        "31.0 MB ± 1.0",
        "11.00 ms ± 1.00",
        "1/32,768",
        "32768 → 16384",
        "float32 island",
        "25.00%",
        "Not saved",
    ):
        assert part in text
    assert "\x1b" not in text
    assert max(map(len, lines)) <= 120


def test_colour_is_written_where_it_is_asked_for(report: ValidationReport) -> None:
    assert "\x1b[1;31m" in validation_text(report, color=True)


def test_markdown_escapes_what_would_break_a_table(report: ValidationReport) -> None:
    text = validation_markdown(report)

    assert "- **Did memory change?** No \\| difference (same)" in text
    assert "| loss scale | 32768 → 16384 | 32768 → 16384 |" in text
    assert "## Loss of each step" in text


def test_json_holds_every_figure(report: ValidationReport) -> None:
    document = json.loads(validation_json(report, version="1.2"))

    assert document["schema_version"] == 1
    assert document["has_regression"]
    assert document["variants"][0]["memory"]["peak"] == {"median": 31e6, "values": [30e6, 32e6]}
    assert document["variants"][0]["numerics"]["losses"] == [2.5, "nan"]
    assert document["answers"][1]["verdict"] == "worse"


def test_a_failure_is_shown_with_what_the_script_said() -> None:
    ending = Ending("raised", "raised ValueError: no", "Traceback\nValueError: no\n", "--define 'x=float32[4]'")
    failed = ValidationReport("train.py", (), 8, (VariantResult("as is", ending, 0),), failure="raised ValueError: no")

    assert validation_text(failed) == "train.py\nNot measured: raised ValueError: no\nTraceback\nValueError: no\n"
    assert "**Not measured**: raised ValueError: no" in validation_markdown(failed)
