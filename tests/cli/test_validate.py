"""The command `validate`: its options and its exit statuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpfix.cli import app, validate_options
from mpfix.validate import measure
from mpfix.validation import Answer, ValidationReport, Verdict


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, object]]:
    """`answered(verdict, *arguments)`: the status of a run that gives this verdict, and the options it was given."""

    def run(verdict: Verdict | None, *arguments: str) -> tuple[int, object]:
        seen = []

        def validate(options: object, settings: object, *, watch: object) -> ValidationReport:
            seen.append(options)
            answers = () if verdict is None else (Answer("Did it?", "Yes", verdict),)
            return ValidationReport("train.py", (), 8, answers=answers, failure="no" if verdict is None else None)

        monkeypatch.setattr(measure, "validate", validate)
        monkeypatch.chdir(tmp_path)
        status = app.run(["validate", "--isolated", *arguments])
        return status, seen[0] if seen else None

    return run


def test_a_regression_fails_only_when_asked_to(answered: Callable[..., tuple[int, object]]) -> None:
    assert answered(Verdict.WORSE, "train.py")[0] == 0
    assert answered(Verdict.WORSE, "train.py", "--fail-on-regression")[0] == 1
    assert answered(Verdict.BETTER, "train.py", "--fail-on-regression")[0] == 0


def test_what_could_not_be_measured_is_status_2(answered: Callable[..., tuple[int, object]]) -> None:
    assert answered(None, "train.py")[0] == 2


def test_options_reach_the_run(answered: Callable[..., tuple[int, object]]) -> None:
    options = (
        "--steps",
        "3",
        "--memory-limit",
        "1.5G",
        "--define",
        "x=float32[4]",
        "--policies",
        "float32,mixed_float16",
    )
    status, given = answered(
        Verdict.SAME, *options, "--batch-sizes", "8,16", "--keras", "2", "train.py", "--", "--lr", "1"
    )

    assert status == 0
    assert given.steps == 3
    assert given.memory_limit == 3 * 2**29
    assert given.defines == ("x=float32[4]",)
    assert given.policies == ("float32", "mixed_float16")
    assert given.batch_sizes == (8, 16)
    assert given.arguments == ("--lr", "1")
    assert given.legacy_keras


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--memory-limit", "much"),
        ("--define", "float32[4]"),
        ("--batch-sizes", "0"),
        ("--policies", "half"),
        ("--output-format", "xml"),
    ],
)
def test_wrong_values_are_refused(
    answered: Callable[..., tuple[int, object]], capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    status, _ = answered(Verdict.SAME, option, value, "train.py")

    assert status == 2
    assert capsys.readouterr().err.startswith(f"mpfix: `{option}`: `{value}` is no")


def test_without_tensorflow_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "is_installed", lambda package: False)
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("")

    assert app.run(["validate", "--isolated", "train.py"]) == 2
    assert "pip install 'mpfix[validate]'" in capsys.readouterr().out


def test_a_missing_script_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["validate", "--isolated", str(tmp_path / "none.py")]) == 2
    assert "none.py`: is no file" in capsys.readouterr().err


def test_sizes_have_binary_units() -> None:
    assert validate_options._size("500M") == 500 * 2**20
