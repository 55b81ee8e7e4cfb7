from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


def test_clean_file_gives_zero_and_says_what_was_judged(mpfix: Command, clean: Path) -> None:
    result = mpfix("check", clean.name)

    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("No findings.\nFiles: ")


def test_finding_gives_one_with_its_frame_and_fix(mpfix: Command, flawed: Path) -> None:
    result = mpfix("check", flawed.name)

    assert result.status == 1
    assert "error[MP801]" in result.out
    assert " --> train.py:3:" in result.out
    assert "+ tf.keras.mixed_precision.set_global_policy" in result.out
    assert "Fixable: 1 with `mpfix apply`." in result.out


def test_check_writes_nothing(mpfix: Command, flawed: Path) -> None:
    before = flawed.read_bytes()

    mpfix("check", flawed.name)

    assert flawed.read_bytes() == before


def test_no_path_means_the_current_folder(mpfix: Command, flawed: Path) -> None:
    assert "train.py:3:" in mpfix("check", "--output-format", "concise").out


def test_concise_neither_shows_nor_counts_fixes(mpfix: Command, flawed: Path) -> None:
    result = mpfix("check", "--output-format", "concise", flawed.name)

    first, *rest = result.out.splitlines()
    assert first.startswith("train.py:3:1: MP801 [experimental-mixed-precision] ")
    assert rest[0] == "Found 1 error."
    assert "Fixable" not in result.out


def test_json_is_the_only_thing_on_standard_output(mpfix: Command, flawed: Path) -> None:
    result = mpfix("check", "--output-format", "json", flawed.name, "missing.py")

    document = json.loads(result.out)
    assert [item["code"] for item in document["diagnostics"]] == ["MP801"]
    assert [item["filename"] for item in document["errors"]] == ["missing.py"]
    assert document["summary"]["files"] == {"analysed": 1, "irrelevant": 0, "failed": 1}


def test_quiet_leaves_out_the_summary(mpfix: Command, flawed: Path) -> None:
    result = mpfix("check", "-q", "--output-format", "concise", flawed.name)

    assert len(result.out.splitlines()) == 1


def test_verbose_says_which_keras_and_why(mpfix: Command, flawed: Path) -> None:
    assert "train.py: judged for Keras 2: " in mpfix("check", "-v", "--keras", "2", flawed.name).err


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["--exit-zero"], 0),
        (["--fail-on", "error"], 1),
        (["--ignore", "MP801"], 0),
        (["--ignore", "experimental-mixed-precision"], 0),
        (["--ignore", "MP8"], 0),
        (["--ignore", "MP8", "--extend-select", "MP801"], 1),
        (["--select", "MP3,MP1"], 0),
        (["--select", "MP3", "--select", "MP801"], 1),
        (["--exclude", "train.py"], 1),
        (["--exclude", "train.py", "--force-exclude"], 0),
        (["--extend-exclude", "train.py", "--force-exclude"], 0),
        (["--no-context", "--no-cache", "--isolated"], 1),
    ],
)
def test_options_decide_the_status(mpfix: Command, flawed: Path, options: list[str], status: int) -> None:
    assert mpfix("check", *options, flawed.name).status == status


def test_fail_on_spares_milder_findings(mpfix: Command, tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text("x = 1  # noqa: MP801\n")

    assert mpfix("check", "--fail-on", "warning", "loop.py").status == 1
    assert mpfix("check", "--fail-on", "error", "loop.py").status == 0


def test_standard_input_goes_by_its_name(mpfix: Command, flawed: Path) -> None:
    result = mpfix(
        "check", "--output-format", "concise", "--stdin-filename", "sub/model.py", "-", stdin=flawed.read_bytes()
    )

    assert result.status == 1
    assert result.out.startswith("sub/model.py:3:1: MP801 ")


def test_notebook_on_standard_input_is_named_by_cell(mpfix: Command, flawed: Path) -> None:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": flawed.read_text()}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}

    result = mpfix(
        "check", "--output-format=concise", "--stdin-filename=a.ipynb", "-", stdin=json.dumps(notebook).encode()
    )

    assert result.out.startswith("a.ipynb:cell 1:3:1: MP801 ")


def test_settings_file_is_read_and_options_win_over_it(mpfix: Command, flawed: Path, tmp_path: Path) -> None:
    (tmp_path / "mpfix.toml").write_text('ignore = ["MP801"]\noutput-format = "concise"\n')

    assert mpfix("check", flawed.name).status == 0
    assert mpfix("check", "--isolated", flawed.name).status == 1
    assert mpfix("check", "--ignore", "MP301", flawed.name).status == 1
