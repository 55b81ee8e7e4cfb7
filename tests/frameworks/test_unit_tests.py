"""What unit tests try on purpose is not reported."""

from __future__ import annotations

from pathlib import Path

import pytest

import mpfix
from mpfix.settings import parse_settings

TRIAL = """\
import keras
import pytest


def test_half_weights():
    keras.mixed_precision.set_dtype_policy("float16")
    model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "categorical_crossentropy")
    model.fit(x, y)


def test_fixed_scale():
    optimizer = keras.optimizers.SGD(0.1)
    with pytest.raises(ValueError, match="loss_scale_factor"):
        keras.mixed_precision.LossScaleOptimizer(optimizer, dynamic=False)
    with pytest.raises(ValueError):
        keras.optimizers.LossScaleOptimizer(optimizer, dynamic=False)
    keras.optimizers.LossScaleOptimizer(optimizer, dynamic=False)
"""
"""Pure half precision, and a fixed scale that Keras 3 refuses: twice expected, once not."""


@pytest.mark.parametrize(
    ("name", "found"),
    [("test_half.py", [("MP210", 18)]), ("half.py", [("MP102", 6), ("MP301", 7), ("MP210", 18)])],
)
def test_tests_may_compute_in_half_and_expect_errors(
    name: str, found: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text(TRIAL)
    monkeypatch.chdir(tmp_path)

    report = mpfix.check([name], parse_settings('keras = "3"'))

    assert [(d.code, d.span.start.row) for d in report.diagnostics] == found
