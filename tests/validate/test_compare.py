"""What counts as a difference, and in which words."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from mpfix.validate import measure as measuring
from mpfix.validate.compare import answers, answers_alone
from mpfix.validate.figures import numerics_of
from mpfix.validate.measure import _base, measure
from mpfix.validate.plan import MEMORY, ChildJob, Options, Variant
from mpfix.validate.runner import ChildResult
from mpfix.validation import Ending, MemoryFigures, Numerics, Spread, Symptom, VariantResult, Verdict

STOPPED = Ending("stopped", "stopped after 4 training steps, as asked")
RAISED = Ending("raised", "raised ValueError: no at train.py:3 after 2 training steps")


def variant(
    label: str = "before",
    *,
    peaks: tuple[float, ...] = (100e6, 101e6, 102e6),
    seconds: tuple[float, ...] = (0.10, 0.11, 0.12),
    is_gpu: bool = False,
    **numerics: object,
) -> VariantResult:
    figures = {"losses": (1.0, 0.9, 0.8, 0.7), "evaluations": 4, "updates": 4, **numerics}
    memory = MemoryFigures("peak", is_gpu, Spread(peaks), Spread(peaks), 10, 20)
    return VariantResult(
        label,
        STOPPED,
        4,
        memory=memory,
        step_seconds=Spread(seconds),
        numerics=Numerics(**figures),
        gpus=("H100",) * is_gpu,
    )


def verdicts(before: VariantResult, after: VariantResult, fixes: dict[str, int] | None = None) -> list[str]:
    return [answer.verdict.value for answer in answers(before, after, fixes or {})]


def test_what_the_spread_explains_is_no_difference() -> None:
    assert verdicts(variant(), variant(peaks=(103e6, 104e6, 105e6), seconds=(0.12, 0.13, 0.13))) == ["same"] * 4


def test_more_memory_beyond_the_spread_is_worse_and_less_is_better() -> None:
    more, less = variant("after", peaks=(150e6, 151e6, 152e6)), variant("after", peaks=(50e6, 51e6, 52e6))

    assert verdicts(variant(), more)[0] == "worse"
    assert verdicts(variant(), less)[0] == "better"
    assert answers(variant(), more, {})[0].sentence.startswith("50% more memory: 101.0 MB (spread 2.0 MB) before")


def test_only_a_figure_from_a_cpu_carries_its_warning() -> None:
    assert "says nothing about a GPU" in answers(variant(), variant(), {})[0].sentence
    assert "GPU" not in answers(variant(is_gpu=True), variant(is_gpu=True), {})[0].sentence


def test_one_run_has_no_verdict() -> None:
    assert verdicts(variant(peaks=(1e8,)), variant(peaks=(9e8,)))[0] == "unknown"


def test_twice_the_time_is_slower() -> None:
    slow = answers(variant(), variant("after", seconds=(0.21, 0.22, 0.24)), {})[1]

    assert slow.verdict is Verdict.WORSE
    assert slow.sentence.startswith("100% slower: 110.0 ms (spread 20.0 ms) before")


@pytest.mark.parametrize(
    ("losses", "verdict", "words"),
    [
        ((1.0, 0.9, 0.8, 0.7), "same", "bit for bit the same"),
        ((1.001, 0.9, 0.8, 0.7), "same", "the same within 0.001 of their size"),
        ((2.0, 1.8, 1.6, 1.4), "worse", "differs from the first step on"),
        ((1.0, 0.9, 0.9, 1.5), "worse", "part in step 3; in step 4 they are 0.7 before, 1.5 after"),
        ((1.0, 0.9, 0.6, 0.2), "better", "part in step 3"),
        ((1.0, 0.9, math.nan, math.nan), "worse", "the loss of after is nan from step 3 on"),
    ],
)
def test_losses_are_compared_step_by_step(losses: tuple[float, ...], verdict: str, words: str) -> None:
    answer = answers(variant(), variant("after", losses=losses), {})[2]

    assert answer.verdict.value == verdict
    assert words in answer.sentence


def test_what_differs_from_run_to_run_has_no_verdict() -> None:
    shaky = replace(variant(), loss_spread=0.5)
    learning = answers(shaky, variant("after", losses=(2.0, 1.8, 1.6, 1.4)), {})[2]

    assert learning.verdict is Verdict.UNKNOWN
    assert learning.sentence == "Unknown: run again, the same script gives losses 0.5 of their size apart"
    assert verdicts(shaky, variant("after", losses=(1.0, 0.9, math.nan, math.nan)))[2] == "worse"
    assert verdicts(shaky, variant("after"))[2] == "same"


def test_fewer_updates_are_worse_unless_a_fix_means_them() -> None:
    fewer = variant("after", updates=1)

    assert verdicts(variant(), fewer)[2] == "worse"
    assert verdicts(variant(), fewer, {"MP511": 1})[2] == "same"
    assert "0.25 after, as the fix of MP511 means it" in answers(variant(), fewer, {"MP511": 1})[2].sentence


def test_a_script_that_fails_only_afterwards_is_worse() -> None:
    failing = replace(variant("after"), ending=RAISED, symptoms=(Symptom("ending", "the script fails"),))

    assert verdicts(variant(), failing)[2:] == ["worse", "worse"]
    assert verdicts(replace(failing, label="before"), variant("after"))[2:] == ["different", "better"]


def test_symptoms_are_gone_still_there_or_new() -> None:
    before = replace(variant(), symptoms=(Symptom("a", "A is"), Symptom("b", "B is")))
    after = replace(variant("after"), symptoms=(Symptom("b", "B stays"), Symptom("c", "C comes")))
    answer = answers(before, after, {})[3]

    assert answer.sentence == "Gone from before: A is; still there: B stays; new in after: C comes"
    assert answer.verdict is Verdict.WORSE


def test_a_matrix_compares_policies_at_the_same_batch_size() -> None:
    cells = [
        replace(variant(f"{p} {b}"), policy=p, batch_size=b) for b in (8, 16) for p in ("float32", "mixed_float16")
    ]
    bases = [_base(cells, cell).label for cell in cells[1:]]

    assert bases == ["float32 8", "float32 8", "float32 16"]
    assert verdicts(cells[0], cells[2])[2] == "unknown"


def test_a_script_alone_is_only_looked_at() -> None:
    assert answers_alone(variant())[0].verdict is Verdict.SAME
    assert answers_alone(replace(variant(), symptoms=(Symptom("a", "it leaks"),)))[0].sentence == "It leaks"


@pytest.mark.parametrize(
    ("rounds", "verdict", "runs"),
    [(((1, 1, 1), (1, 1, 1)), "same", 3), (((1, 9, 9), (1, 1, 1)), "same", 6), (((1, 9, 9), (1, 8, 8)), "worse", 6)],
)
def test_a_difference_has_to_show_in_fresh_runs_too(
    monkeypatch: pytest.MonkeyPatch, rounds: tuple[tuple[int, ...], ...], verdict: str, runs: int
) -> None:
    counts = {"before": 0, "after": 0}

    def run_child(job: ChildJob, **_: object) -> ChildResult:
        first, *others = rounds[counts[job.variant.label] // 3]
        seconds = first if job.variant.label == "before" else others[0]
        counts[job.variant.label] += job.kind == MEMORY
        return recorded(seconds=float(seconds))

    monkeypatch.setattr(measuring, "run_child", run_child)
    report = measure(Options(Path(__file__), steps=4), [Variant("before"), Variant("after")])

    assert report.answers[1].verdict.value == verdict
    assert counts == {"before": runs, "after": runs}


def test_the_first_number_that_is_not_finite_may_be_a_gradient() -> None:
    update = {"kind": "update", "number": 2, "has_update": True, "nonfinite": ["sequential/dense/kernel"]}
    output = {
        "kind": "nonfinite",
        "number": 3,
        "layer": "dense",
        "layer_class": "Dense",
        "dtype": "float32",
        "place": "/p/a.py:4",
        "weights_finite": False,
        "inputs_finite": True,
    }
    row = {"name": "dense", "class": "Dense", "compute": "float32", "variable": "float32", "output": "float32"}
    summary = {"kind": "summary", "layers": [{**row, "place": "/p/a.py:4", "reason": ""}]}

    def told(*lines: dict[str, object]) -> str | None:
        return numerics_of(recorded(*lines, summary), None, Path("/p/a.py")).nonfinite

    assert told(update, output) == "the gradient of `sequential/dense/kernel` (its layer built at a.py:4) in step 2"
    assert told({**update, "has_update": False}, output).endswith("in step 3: its weights were no longer finite")
    assert told({**update, "number": 3}, output).startswith("the output of `dense`")


def recorded(*lines: dict[str, object], seconds: float = 1.0) -> ChildResult:
    """The record of a run of four steps, and what else it told."""
    counts = {"losses": {"returned": [(1.0, "float32")]}, "scales": [], "evaluations": 4, "updates": 4, "skipped": 0}
    steps = [{"kind": "step", "number": i + 1, "seconds": seconds, **counts} for i in range(4)]
    return ChildResult((*steps, *lines, {"kind": "end", "outcome": "stopped"}), "exit", 0)
