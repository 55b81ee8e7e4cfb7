"""The corpus runner on a corpus of one small repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RUNNER = Path(__file__).parent.parent / "benchmarks" / "corpus.py"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LEGACY = "import tensorflow as tf\n\ntf.keras.mixed_precision.experimental.set_policy('mixed_float16')\n"
HEAD = "\nmodel = tf.keras.Sequential([tf.keras.layers.Dense(2, activation='softmax')])\n"


def label(path: str, line: int, family: str, expect: str = "defect", **more: Any) -> dict[str, Any]:
    wanted = {"repo": "one/two", "commit": COMMIT, "path": path, "line": line, "family": family, "expect": expect}
    return {**wanted, "what": f"{family} in {path}", "confidence": "high", "policy_at": "file", **more}


LABELS = (
    label("train.py", 4, "POL", pattern="removed-experimental-api"),
    label("train.py", 40, "ACC", pattern="never-found", confidence="medium"),
    label("train.py", 6, "MEM", "clean-trap"),
    label("trap.py", 3, "POL", "clean-trap"),
    label("train.py", 5, "OUT", pattern="half-head", policy_at="nowhere"),
    label("elsewhere.py", 9, "LS", also=["book.ipynb:0.3"], pattern="in-a-cell"),
)
ROWS = (("train.py", "defect"), ("trap.py", "clean-trap"), ("clean.py", "clean-plain"), ("other.py", "clean-tempting"))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Labels, a table of files, and the repository below `trees`."""
    folder = tmp_path / "trees" / f"one+two@{COMMIT[:7]}"
    folder.mkdir(parents=True)
    for name, text in (("train.py", LEGACY + HEAD), ("trap.py", LEGACY), ("clean.py", "x = 1\n"), ("other.py", LEGACY)):
        (folder / name).write_text(text)
    cell = {"cell_type": "code", "source": LEGACY, "metadata": {}, "outputs": [], "execution_count": None}
    notebook = {"cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}
    (folder / "book.ipynb").write_text(json.dumps(notebook))
    (tmp_path / "labels.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in LABELS))
    rows = ["repo\tcommit\tpath\tkind\tkeras\tsplit\trole"]
    rows += [f"one/two\t{COMMIT}\t{path}\tpy\ttf.keras2\tdev\t{role}" for path, role in ROWS]
    (tmp_path / "manifest.tsv").write_text("\n".join(rows) + "\n")
    return tmp_path


def run(folder: Path, *arguments: str) -> list[str]:
    command = [sys.executable, str(RUNNER), "measure", "labels.jsonl", "trees", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_recall_traps_and_findings_in_clean_files_are_counted(corpus: Path) -> None:
    lines = run(corpus, "--show")

    assert "recall: all 2/3 0.67" in lines
    assert "recall: confidence high 2/2 1.00" in lines
    assert "recall: family LS 1/1 1.00" in lines
    assert "recall: pattern never-found 0/1 0.00" in lines
    assert "recall: without removed API 1/2 0.50" in lines
    assert "traps hit: all 1/2 0.50" in lines
    assert "traps hit: family MEM 0/1 0.00" in lines
    assert "findings in clean files 1 in 2 files" in lines
    assert any(line.startswith(f"one+two@{COMMIT[:7]}: train.py:40: ACC medium file") for line in lines)
    assert any("other.py:3: error MP801" in line for line in lines)


def test_with_an_assumed_policy_labels_of_libraries_count(corpus: Path) -> None:
    assert "recall: place nowhere 1/1 1.00" in run(corpus, "--assume", "mixed_float16")


def test_findings_on_unlabelled_lines_are_drawn_for_reading(corpus: Path) -> None:
    (corpus / "labels.jsonl").write_text(json.dumps(label("train.py", 90, "POL", pattern="far-away")) + "\n")

    lines = run(corpus, "--unlabelled", "10")

    assert any("train.py:3: error MP801" in line for line in lines)


def test_a_repository_that_is_not_there_is_listed_and_not_counted(corpus: Path) -> None:
    lines = run(corpus, "--only", "nothing")
    (corpus / "trees" / f"one+two@{COMMIT[:7]}").rename(corpus / "gone")
    absent = run(corpus)

    assert not any(line.startswith("recall") for line in lines + absent)
    assert absent[-1] == f"one+two@{COMMIT[:7]}"
