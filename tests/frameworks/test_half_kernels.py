"""Every function of `tables/half_kernels.toml`, called with TensorFlow: float32 works, what the row refuses raises.

One child runs all calls, of Keras 2 for names that both generations have. Packages whose row names a source are not
installed here.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mpfix.frameworks.half_kernels import Refusal, refusals
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.tables import load_table
from mpfix_rules.dtypes.mp412_missing_half_kernel import WORDS

WORKER = Path(__file__).with_name("half_worker.py")
OUTSIDE = frozenset(key for row in load_table("half_kernels")["row"] if "source" in row for key in row["functions"])
MEASURED = {key: refusal for key, refusal in refusals().items() if key not in OUTSIDE}
HALVES = ("float16", "bfloat16")

needs_tensorflow = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("tensorflow", "tf_keras")), reason="needs TensorFlow"
)


@cache
def answers() -> dict[str, dict[str, Any]]:
    """What the child says of each `key argument`: the error by dtype, position, GPU kernels, XLA, what comes out."""
    wanted = {key: [name for name, _ in refusal.arguments] for key, refusal in MEASURED.items()}
    done = subprocess.run(
        [sys.executable, str(WORKER)], input=json.dumps(wanted), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.tensorflow
@needs_tensorflow
@pytest.mark.parametrize(("key", "refusal"), sorted(MEASURED.items()), ids=lambda one: one if type(one) is str else "")
def test_a_function_takes_float32_and_refuses_half(key: str, refusal: Refusal) -> None:
    for name, position in refusal.arguments:
        answer = answers()[f"{key} {name}"]

        assert answer["float32"] == "", answer
        assert answer["position"] == position
        assert answer["bfloat16"], answer
        assert bool(answer["float16"]) == (refusal.refuses != "bfloat16"), answer
        # where only the kernel is missing, the GPU has none either, and XLA may have one
        assert not answer["gpu"], answer
        assert answer["compiled"] == (refusal.refuses == "uncompiled") or refusal.refuses == "bfloat16", answer


@pytest.mark.tensorflow
@needs_tensorflow
@pytest.mark.parametrize(("key", "refusal"), sorted(MEASURED.items()), ids=lambda one: one if type(one) is str else "")
def test_what_comes_out_is_told(key: str, refusal: Refusal) -> None:
    gives = answers()[f"{key} {refusal.arguments[0][0]}"]["gives"]

    assert {
        "same": gives == ["float32"],
        "several": len(gives) > 1 and "float32" in gives,
        "complex": gives == ["complex64"],
        "other": True,
    }[refusal.gives], gives


@pytest.mark.parametrize("key", sorted(refusals()))
def test_keys_are_canonical_and_hold_a_word_of_the_rule(key: str) -> None:
    assert canonical(key).name == key
    assert any(word in key for word in WORDS)
