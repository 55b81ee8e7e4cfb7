from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., Any]


def test_safe_fix_is_written_and_counted(mpfix: Command, flawed: Path) -> None:
    result = mpfix("apply", flawed.name)

    assert result.status == 0
    assert "tf.keras.mixed_precision.set_global_policy" in flawed.read_text()
    assert "Repaired 1 finding in 1 file (MP801: 1)." in result.out


def test_applying_twice_is_applying_once(mpfix: Command, flawed: Path) -> None:
    mpfix("apply", flawed.name)
    once = flawed.read_bytes()

    result = mpfix("apply", flawed.name)

    assert flawed.read_bytes() == once
    assert result.out.startswith("Nothing to write.\n")


def test_diff_shows_what_would_change_and_writes_nothing(mpfix: Command, flawed: Path) -> None:
    before = flawed.read_bytes()

    result = mpfix("apply", "--diff", flawed.name)

    assert (result.status, flawed.read_bytes()) == (1, before)
    assert result.out.startswith("--- train.py\n+++ train.py\n@@ ")
    assert "\n+tf.keras.mixed_precision.set_global_policy" in result.out
    assert "Would repair 1 finding in 1 file (MP801: 1)." in result.err


def test_diff_of_a_clean_file_is_empty(mpfix: Command, clean: Path) -> None:
    result = mpfix("apply", "--diff", clean.name)

    assert (result.status, result.out) == (0, "")


def test_select_chooses_what_is_repaired(mpfix: Command, flawed: Path) -> None:
    before = flawed.read_bytes()

    mpfix("apply", "--select", "MP301", flawed.name)

    assert flawed.read_bytes() == before


def test_unsafe_fixes_wait_for_their_option(mpfix: Command, tmp_path: Path) -> None:
    source = (
        "import tensorflow as tf\n\n"
        "with tf.GradientTape(persistent=True) as tape:\n"
        "    loss = compute(model)\n"
        "    first = tape.gradient(loss, model.kernel)\n"
        "    second = tape.gradient(loss, model.bias)\n"
    )
    (tmp_path / "step.py").write_text(source)

    without = mpfix("apply", "step.py")
    unchanged = (tmp_path / "step.py").read_text()
    with_them = mpfix("apply", "--unsafe-fixes", "step.py")

    assert (without.status, unchanged) == (1, source)
    assert " with `mpfix apply --unsafe-fixes`" in without.out
    assert (with_them.status, (tmp_path / "step.py").read_text()) == (
        0,
        source.replace("    first", "first").replace("    second", "second"),
    )


def test_standard_input_comes_out_repaired_and_its_report_to_the_side(mpfix: Command, flawed: Path) -> None:
    source = flawed.read_bytes()

    result = mpfix("apply", "--stdin-filename", "train.py", "-", stdin=source)

    assert result.out == source.decode().replace("experimental.set_policy", "set_global_policy")
    assert "Repaired 1 finding" in result.err
    assert flawed.read_bytes() == source


def test_clean_standard_input_comes_out_as_it_went_in(mpfix: Command) -> None:
    assert mpfix("apply", "-", stdin=b"x = 1\r\n").out == "x = 1\r\n"


def test_json_tells_what_was_written(mpfix: Command, flawed: Path) -> None:
    document = json.loads(mpfix("apply", "--output-format", "json", flawed.name).out)

    assert document["summary"]["fixed"] == {"MP801": 1}
    assert document["summary"]["written"] == ["train.py"]
