"""What a program asks about where it runs: versions, environment variables, flags, names of modules not read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mpfix.frameworks.events import PolicySet
from mpfix.semantic.guards import describe

HEAD = """
import argparse
import os
import sys
import tensorflow as tf
from packaging import version
from tensorflow import keras
"""

MakeProgram = Callable[..., Any]


def guards(program: MakeProgram, test: str, generation: int = 3, head: str = HEAD) -> list[str]:
    """The guard of each policy that `if test: A else: B` sets, A first; "never" for a side that cannot be."""
    lines = [
        head,
        f"if {test}:",
        "    keras.mixed_precision.set_global_policy('mixed_float16')",
        "else:",
        "    keras.mixed_precision.set_global_policy('mixed_bfloat16')",
    ]
    found = {"mixed_float16": "never", "mixed_bfloat16": "never"}
    for one in program("\n".join(lines), generation=generation).happened(PolicySet):
        found[one.event.policy.get("name").value] = describe(one.guard)
    return list(found.values())


@pytest.mark.parametrize(
    "test",
    [
        "version.parse(tf.__version__) >= version.parse('2.16')",
        "version.parse(tf.__version__).release >= (2, 16)",
        "version.Version(keras.__version__).major == 3",
        "int(tf.__version__.split('.')[1]) > 15",
        "[int(part) for part in tf.__version__.split('.')[:2]] >= [2, 16]",
        "tuple(map(int, tf.__version__.split('.')[:2])) >= (2, 16)",
        "keras.__version__.startswith('3')",
        "keras.__version__[0] == '3'",
        "not keras.__version__ < '3'",
        "hasattr(keras, 'ops')",
        "hasattr(keras.optimizers, 'LossScaleOptimizer')",
        "not hasattr(keras.backend, 'learning_phase')",
    ],
)
def test_a_test_for_the_generation_is_a_constant(program: MakeProgram, test: str) -> None:
    assert guards(program, test, 3) == ["", "never"]
    assert guards(program, test, 2) == ["never", ""]


def test_a_test_within_a_generation_is_a_condition(program: MakeProgram) -> None:
    test = "version.parse(tf.__version__) < version.parse('2.10')"

    assert guards(program, test, 2)[0] == "`version.parse(tf.__version__) < version.parse('2.10')`"
    assert guards(program, test, 3) == ["never", ""]


def test_versions_are_compared_as_texts_where_they_are_texts(program: MakeProgram) -> None:
    assert guards(program, "tf.__version__ >= '2'", 2) == ["", "never"]
    assert guards(program, "tf.__version__ >= '2.4'", 2)[0] == "`tf.__version__ >= '2.4'`"


def test_python_is_one_that_runs_today(program: MakeProgram) -> None:
    assert guards(program, "sys.version_info >= (3, 7)") == ["", "never"]
    assert guards(program, "sys.version_info[0] < 3") == ["never", ""]


def test_type_checking_is_false_at_run_time(program: MakeProgram) -> None:
    assert guards(program, "TYPE_CHECKING", head=HEAD + "from typing import TYPE_CHECKING\n") == ["never", ""]


@pytest.mark.parametrize(
    "setting",
    ["os.environ['KERAS_BACKEND'] = 'jax'", "os.environ.setdefault('KERAS_BACKEND', 'jax')",
     "os.environ.update({'KERAS_BACKEND': 'jax'})", "os.putenv('KERAS_BACKEND', 'jax')"],
)  # fmt: skip
def test_what_the_program_puts_into_the_environment_is_read_back(program: MakeProgram, setting: str) -> None:
    for reading in ("os.environ['KERAS_BACKEND']", "os.environ.get('KERAS_BACKEND', 'x')", "keras.backend.backend()"):
        assert guards(program, f"{reading} == 'jax'", head=f"{HEAD}{setting}\n") == ["", "never"]


def test_a_variable_that_nobody_sets_is_a_switch(program: MakeProgram) -> None:
    assert guards(program, "os.environ.get('AMP', '0') == '1'")[0] == "`os.environ[\"AMP\"] == '1'`"


def test_flags_are_the_same_wherever_they_are_asked(program: MakeProgram) -> None:
    parser = "parser = argparse.ArgumentParser()\nparser.add_argument('--amp')\n"
    source = f"{HEAD}{parser}" + "\n".join(
        f"if {test}:\n    keras.mixed_precision.set_global_policy('mixed_float16')"
        for test in ("parser.parse_args().amp", "not parser.parse_args().amp")
    )
    first, second = program(source).happened(PolicySet)

    assert describe(first.guard) == "`args.amp`"
    assert {(condition, not holds) for condition, holds in first.guard} == set(second.guard)


@pytest.mark.parametrize("test", ["FLAGS.amp", "config.AMP", "config.amp"])
def test_what_another_module_says_is_not_known(program: MakeProgram, test: str) -> None:
    head = f"{HEAD}import config\nfrom absl import flags\nFLAGS = flags.FLAGS\n"

    assert guards(program, test, head=head)[0] == f"`{test}`"
