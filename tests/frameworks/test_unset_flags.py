"""Flags for half precision that no caller sets: both of their sides count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mpfix.frameworks.events import PolicySet
from mpfix.semantic.guards import needs_switch_against_default

MakeProgram = Callable[..., Any]
RUN = (
    "import keras\n"
    "def train(data, amp=False):\n"
    "    if amp:\n"
    '        keras.mixed_precision.set_global_policy("mixed_float16")\n'
)


def test_a_flag_that_nobody_sets_is_tried_both_ways(program: MakeProgram) -> None:
    (occurrence,) = program(f"{RUN}train([])\n").happened(PolicySet)

    assert needs_switch_against_default(occurrence.guard, open_too=True)
    assert not needs_switch_against_default(occurrence.guard)  # who passes it edits nothing


@pytest.mark.parametrize(
    "call", ["train([], amp=False)", "train([], False)", "train([])\nif args.x:\n    train([], amp=False)"]
)
def test_a_flag_that_a_caller_sets_is_what_it_is_set_to(program: MakeProgram, call: str) -> None:
    assert not program(f"{RUN}{call}\n").happened(PolicySet)


def test_a_flag_that_decides_nothing_about_precision_is_its_default(program: MakeProgram) -> None:
    policy = 'keras.mixed_precision.set_global_policy("mixed_float16")'
    source = f"import keras\ndef train(loud=False):\n    if loud:\n        return\n    {policy}\ntrain()\n"
    (occurrence,) = program(source).happened(PolicySet)

    assert not occurrence.guard
