"""The table of removed names says what the installed releases say."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from mpfix.frameworks.moves import removed
from mpfix.frameworks.tables import load_table

PROBE = """
import json, sys
import tensorflow as tf
keras = tf.keras
def exists(name):
    found = {"keras": keras, "tensorflow": tf}[name.partition(".")[0]]
    try:
        for part in name.split(".")[1:]:
            found = getattr(found, part)
    except AttributeError:
        return False
    return True
rows = json.loads(sys.argv[1])
answers = []
for row in rows:
    eval(row["example"], {"keras": keras, "tf": tf})
    answers.append([exists(row["old"]), all(exists(row[name]) for name in ("new", "graphs") if name in row)])
print(json.dumps(answers))
"""


@pytest.mark.parametrize("legacy", ["0", "1"], ids=["keras 3", "keras 2"])
def test_old_names_are_gone_and_new_ones_are_there(legacy: str) -> None:
    rows = [row for row in load_table("api_moves")["move"] if ".python." not in row["old"]]
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": legacy, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(rows)], env=environment, capture_output=True, text=True, check=True
    )
    answers = json.loads(run.stdout.splitlines()[-1])

    assert {row["old"]: answer for row, answer in zip(rows, answers, strict=True)} == {
        row["old"]: [False, True] for row in rows
    }


def test_rows_are_complete() -> None:
    for row in load_table("api_moves")["move"]:
        assert "new" in row or "reason" in row
        assert {"old", "fails", "source", "example"} <= row.keys()


def test_spellings_lead_to_one_move() -> None:
    for package in ("keras", "tensorflow.keras", "tf_keras", "tensorflow.python.keras"):
        found = removed(f"{package}.mixed_precision.experimental.Policy.from_config")
        assert found is not None
        assert found.move.new == "keras.mixed_precision.Policy"
        assert found.tail == ("from_config",)
    assert removed("tensorflow.keras.mixed_precision.Policy") is None
    assert removed("tensorflow.compat.v1.train.experimental.enable_mixed_precision_graph_rewrite") is None
