from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HEAVY = ("tensorflow", "keras", "numpy", "libcst", "rich", "pydantic")
NOT_ASKED = (
    "mpfix.engine.cache",
    "mpfix.engine.layer_table",
    "mpfix.reporters.json",
    "mpfix.reporters.text",
    "mpfix.rewriting.splice",
    "mpfix.source.notebook",
    "mpfix.validate.plan",
)
"""What a concise check of a script without the cache does not need."""

SCRIPT = """\
import json, sys
from mpfix.cli.app import run
status = run(sys.argv[1:])
loaded = sorted(sys.modules)
print(json.dumps({"status": status, "loaded": loaded}))
"""

CLEAN = """\
import keras

keras.mixed_precision.set_global_policy("mixed_float16")
model = keras.Sequential([keras.layers.Dense(10, activation="softmax", dtype="float32")])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
"""


def loaded_after(folder: Path, *arguments: str) -> set[str]:
    """Modules in memory after a command that ends with status 0."""
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["status"] == 0, done.stdout + done.stderr
    return set(outcome["loaded"])


def test_concise_check_of_a_clean_file_loads_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(CLEAN)

    loaded = loaded_after(tmp_path, "check", "--no-cache", "--output-format", "concise", "train.py")

    assert "mpfix.engine.pipeline" in loaded
    assert loaded.isdisjoint((*HEAVY, *NOT_ASKED))


def test_help_loads_no_engine(tmp_path: Path) -> None:
    assert loaded_after(tmp_path, "check", "--help").isdisjoint({*HEAVY, "mpfix_rules"})
