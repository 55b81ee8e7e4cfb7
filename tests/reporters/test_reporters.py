from __future__ import annotations

import json as decoder
from collections.abc import Callable
from dataclasses import replace

import pytest

from mpfix.diagnostic import Applicability, Diagnostic, Edit, Effect, Fix, Position, Related, Severity, Span
from mpfix.report import GenerationUsed, Report, RunError, SkippedFix
from mpfix.reporters.concise import concise
from mpfix.reporters.json import json
from mpfix.reporters.summary import apply_summary, check_summary
from mpfix.reporters.text import text

Golden = Callable[[str, str], None]

TRAIN = """\
import keras

keras.mixed_precision.set_global_policy("mixed_float16")
model = keras.Sequential([
\tkeras.layers.Dense(10, activation="softmax"),
])
for step, (x, y) in enumerate(batches):
    with tf.GradientTape(persistent=True) as tape:
        loss = loss_fn(y, model(x))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
"""
CELL = 'keras.layers.Dense(1, name="größe 漢字", activation="sigmoid")'


def span(start: tuple[int, int], end: tuple[int, int], filename: str = "train.py", cell: int | None = None) -> Span:
    return Span(filename, Position(*start), Position(*end), cell)


def fix(applicability: Applicability, effect: Effect, message: str, *edits: Edit) -> Fix:
    return Fix(message, applicability, effect, edits)


HEAD = Diagnostic(
    "MP301",
    "half-softmax-head",
    Severity.ERROR,
    "`softmax` runs in float16: Keras 3 cannot recover the logits, confident mistakes get gradient NaN or 0",
    span((5, 2), (5, 46)),
    guard="`args.amp`",
    keras="3",
    related=(Related(span((3, 1), (3, 57)), "the policy is set here"),),
    fix=fix(
        Applicability.SAFE,
        Effect.TOLERANCE_EQUAL,
        "keep the last layer in float32",
        Edit(span((5, 45), (5, 45)), ', dtype="float32"'),
    ),
)
STEP = Diagnostic(
    "MP204",
    "missing-loss-scaling",
    Severity.WARNING,
    "the loss is not scaled under `mixed_float16`: small gradients may underflow to 0",
    span((8, 5), (10, 63)),
    keras="3",
    related=(Related(span((3, 1), (3, 57)), "the policy is set here"),),
    fix=fix(
        Applicability.UNSAFE,
        Effect.CHANGES_TRAINING,
        "scale the loss with a `LossScaleOptimizer`",
        Edit(span((7, 1), (7, 1)), "optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)\n"),
        Edit(span((10, 1), (10, 1)), "        loss = optimizer.scale_loss(loss)\n"),
    ),
)
CELL_HEAD = Diagnostic(
    "MP302",
    "half-model-output",
    Severity.NOTE,
    "the model's output is float16",
    span((1, 1), (1, 60), "study.ipynb", 4),
    unfixable_reason="the layer is built in another file",
)
REPORT = Report(
    diagnostics=(CELL_HEAD, HEAD, STEP),
    errors=(RunError("data.py", "is not UTF-8: byte 0xff at offset 12"),),
    analysed=2,
    irrelevant=5,
    failed=1,
    suppressed=1,
    generations=(
        GenerationUsed("study.ipynb", "3", "nothing in the project says which", by_default=True),
        GenerationUsed(
            "train.py", "3", "the default", by_default=True, only_in_two="`get_scaled_loss` in train.py line 12"
        ),
    ),
    skipped_fixes=(
        SkippedFix("MP204", STEP.span, "scale the loss with a `LossScaleOptimizer`", "needs `--unsafe-fixes`"),
    ),
    sources={("train.py", None): tuple(TRAIN.split("\n")), ("study.ipynb", 4): (CELL,)},
)


def test_text_shows_frames_evidence_guard_help_and_the_fix(golden: Golden) -> None:
    golden("text.txt", text(REPORT) + check_summary(REPORT))


def test_text_in_colour_on_a_narrow_terminal(golden: Golden) -> None:
    golden("text_color_60.txt", text(REPORT, width=60, color=True))


def test_concise_is_one_line_for_each_diagnostic(golden: Golden) -> None:
    golden("concise.txt", concise(REPORT))


def test_json_has_the_documented_shape(golden: Golden) -> None:
    golden("report.json", json(REPORT, version="1.2.3"))


def test_summary_of_apply_names_what_was_not_applied(golden: Golden) -> None:
    report = replace(REPORT, fixed={"MP301": 2, "MP203": 1}, written=("train.py",))

    golden("apply_summary.txt", apply_summary(report, diff=False))


def test_colours_change_nothing_but_colours() -> None:
    import re

    assert re.sub(r"\x1b\[[0-9;]*m", "", text(REPORT, color=True)) == text(REPORT)


@pytest.mark.parametrize("width", [1, 30, 40, 70])
def test_source_lines_fit_the_width(width: int) -> None:
    framed = [line for line in text(REPORT, width=width).split("\n") if " | " in line]

    assert max(map(len, framed)) <= max(width, 35)


def test_a_place_without_source_is_named_without_a_frame() -> None:
    shown = text(Report(diagnostics=(replace(HEAD, fix=None),)))

    assert "--> train.py:5:2" in shown
    assert "^" not in shown


def test_control_characters_never_reach_the_terminal() -> None:
    source = {("train.py", None): ("import keras \x1b[2J\x07",)}
    diagnostic = Diagnostic("MP001", "syntax-error", Severity.ERROR, "bad \x1b[31m token", span((1, 1), (1, 7)))

    shown = text(Report(diagnostics=(diagnostic,), sources=source))

    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_json_is_ascii_and_round_trips() -> None:
    document = json(REPORT, version="1")

    assert document.isascii()
    assert [item["code"] for item in decoder.loads(document)["diagnostics"]] == ["MP302", "MP301", "MP204"]


def test_edits_at_one_place_keep_their_order() -> None:
    edits = (Edit(span((3, 1), (3, 1)), "first = 1\n"), Edit(span((3, 1), (3, 1)), "second = 2\n"))
    diagnostic = replace(HEAD, fix=fix(Applicability.SAFE, Effect.REPAIRS, "add two lines", *edits))

    shown = text(Report(diagnostics=(diagnostic,), sources=REPORT.sources))

    assert shown.index("+ first = 1") < shown.index("+ second = 2")


def test_a_clean_report_says_so() -> None:
    assert check_summary(Report(analysed=3)) == "No findings.\nFiles: 3 analysed, 0 skipped as irrelevant.\n"


def test_no_line_on_keras_where_the_project_decides() -> None:
    report = Report(analysed=1, generations=(GenerationUsed("a.py", "2", "`tf_keras` is imported"),))

    assert "assumed" not in check_summary(report)
