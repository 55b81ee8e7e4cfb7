"""What surrounds a policy: packages, objects that nobody sets, graph rewrites, cleared sessions, probes, mapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mpfix.frameworks.events import Compiled, LayerBuilt, LayerMapped, PolicyMade, PolicySet, RewriteSwitched
from mpfix.frameworks.policy_facts import is_called, mapped_layers, may_be_half, policy_names, probes, used_policies

MakeProgram = Callable[..., Any]
SWITCH = 'import os\nos.environ["TF_USE_LEGACY_KERAS"] = "1"\n'


@pytest.mark.parametrize(
    ("imports", "layer", "generation", "package", "home"),
    [
        ("import keras", "keras.layers.Dense", 3, "keras", "keras"),
        ("import tf_keras", "tf_keras.layers.Dense", 2, "tf_keras", "tf_keras"),
        ("import tensorflow as tf", "tf.keras.layers.Dense", 3, "tensorflow.keras", "keras"),
        ("from tensorflow import keras", "keras.layers.Dense", 3, "tensorflow.keras", "keras"),
        ("from tensorflow.keras import layers", "layers.Dense", 2, "tensorflow.keras", ""),
        (f"{SWITCH}from tensorflow.keras.layers import Dense", "Dense", 2, "tensorflow.keras", "tf_keras"),
    ],
)
def test_a_layer_knows_its_package_and_whose_policy_it_reads(
    program: MakeProgram, imports: str, layer: str, generation: int, package: str, home: str
) -> None:
    made = program(f"{imports}\n{layer}(3)\n", generation=generation)

    (event,) = (one.event for one in made.happened(LayerBuilt))
    assert (event.package, event.home) == (package, home)


@pytest.mark.parametrize(
    ("use", "used"),
    [
        ("print(policy, policy.compute_dtype)", False),
        ("logging.info('policy %s', policy)", False),
        ("keras.mixed_precision.set_global_policy(policy)", True),
        ("keras.layers.Dense(3, dtype=policy)", True),
        ("somebody(policy)", True),
        ("somebody({'policy': policy})", True),
        ("class Net(keras.Model):\n    def __init__(self, policy):\n        super().__init__()\nNet(policy)", True),
    ],
)
def test_a_policy_is_used_by_whoever_gets_it(program: MakeProgram, use: str, used: bool) -> None:
    source = f'import logging\nimport keras\npolicy = keras.mixed_precision.Policy("mixed_float16")\n{use}\n'
    made = program(source)

    (occurrence,) = made.happened(PolicyMade)
    assert (occurrence.place in used_policies(made)) == used
    assert is_called(made, occurrence)


def test_a_policy_of_an_uncalled_function_is_nobodys(program: MakeProgram) -> None:
    made = program('import keras\ndef policy():\n    return keras.mixed_precision.Policy("mixed_float16")\n')

    (occurrence,) = made.happened(PolicyMade)
    assert not is_called(made, occurrence)


@pytest.mark.parametrize(
    ("statement", "half"),
    [
        ("keras.layers.Dense(3)", False),
        ('keras.layers.Dense(3, dtype="float64")', False),
        ('keras.layers.Dense(3, dtype="bfloat16")', True),
        ("keras.layers.Dense(3, dtype=settings.dtype)", True),
        ('keras.mixed_precision.set_global_policy("float32")', False),
        ("keras.mixed_precision.set_global_policy(settings.policy)", True),
        ('keras.backend.set_floatx("float16")', True),
    ],
)
def test_a_program_may_be_half(program: MakeProgram, statement: str, half: bool) -> None:
    assert may_be_half(program(f"import keras\n{statement}\n")) == half


def test_a_policy_has_the_names_of_its_alternatives(program: MakeProgram) -> None:
    made = program(
        'import keras\nname = "mixed_float16" if args.amp else args.policy\n'
        "keras.mixed_precision.set_global_policy(name)\n"
    )

    (event,) = (one.event for one in made.happened(PolicySet))
    assert set(policy_names(event.policy)) == {"mixed_float16", None}


@pytest.mark.parametrize(
    ("statement", "on", "alone"),
    [
        ('tf.config.optimizer.set_experimental_options({"auto_mixed_precision": True})', True, True),
        (
            'tf.config.optimizer.set_experimental_options({"auto_mixed_precision": False, "remapping": True})',
            False,
            False,
        ),
        ('os.environ["TF_ENABLE_AUTO_MIXED_PRECISION"] = "1"', True, True),
        ('os.environ["TF_ENABLE_AUTO_MIXED_PRECISION"] = "0"', False, True),
    ],
)
def test_the_graph_rewrite_is_switched(program: MakeProgram, statement: str, on: bool, alone: bool) -> None:
    made = program(f"import os\nimport tensorflow as tf\n{statement}\n")

    (case,) = made.cases(RewriteSwitched, "on")
    assert (case.constant("on"), case.event.alone) == (on, alone)


@pytest.mark.parametrize(("generation", "wiped"), [(2, False), (3, True)])
def test_a_cleared_session_wipes_the_policy_of_keras_3(program: MakeProgram, generation: int, wiped: bool) -> None:
    source = """\
        import keras
        keras.mixed_precision.set_global_policy("mixed_float16")
        keras.backend.clear_session()
        keras.layers.Dense(3)
        """
    (case,) = program(source, generation=generation).cases(LayerBuilt, "policy.name", "policy.wiped name")

    assert case.constant("policy.name") == ("float32" if wiped else "mixed_float16")
    assert case.constant("policy.wiped name") == ("mixed_float16" if wiped else None)


@pytest.mark.parametrize(
    ("policy", "optimizer", "wrapped"),
    [
        ("float32", '"adam"', False),
        ("mixed_float16", '"adam"', True),
        ("float32", 'keras.mixed_precision.LossScaleOptimizer("adam")', True),
        ("float32", "make_optimizer()", None),
    ],
)
def test_compile_tells_whether_the_loss_is_scaled(
    program: MakeProgram, policy: str, optimizer: str, wrapped: bool | None
) -> None:
    made = program(
        f'import keras\nkeras.mixed_precision.set_global_policy("{policy}")\n'
        f"model = keras.Sequential([keras.layers.Dense(1)])\nmodel.compile({optimizer}, 'mse')\n"
    )

    assert [case.constant("wrapped") for case in made.cases(Compiled, "wrapped")] == (
        [] if wrapped is None else [wrapped]
    )


PROBE = """\
import keras
try:
    {first}
except {error}:
    keras.mixed_precision.set_global_policy("{fallback}")
"""
SET = 'keras.mixed_precision.set_global_policy("mixed_bfloat16")'


@pytest.mark.parametrize(
    ("first", "fallback", "is_probe"),
    [
        (SET, "mixed_float16", True),
        (f"print('bfloat16'); {SET}", "float32", True),
        (SET, "mixed_bfloat16", False),
        (f"tpu = connect(); {SET}", "mixed_float16", False),
        (f"config['bfloat16']; {SET}", "mixed_float16", False),
        (f"import fast_bfloat16; {SET}", "mixed_float16", False),
    ],
)
def test_a_policy_is_a_probe_where_nothing_else_can_fail(
    program: MakeProgram, first: str, fallback: str, is_probe: bool
) -> None:
    found = probes(program(PROBE.format(first=first, fallback=fallback, error="Exception")))

    assert len(found) == is_probe


@pytest.mark.parametrize(
    "mapped",
    [
        "dataset.map(lambda x: scale(x))",
        "dataset.map(scale)",
        "dataset.shuffle(9).map(lambda x, y: (keras.Sequential([scale])(x), y)).batch(3)",
    ],
)
def test_layers_in_a_mapped_function_are_known(program: MakeProgram, mapped: str) -> None:
    made = program(
        f"import keras\nscale = keras.layers.Rescaling(2.0)\nother = keras.layers.Dense(3)\nother(x)\n{mapped}\n"
    )

    assert {"keras.layers.Rescaling"} <= {layer.key for layer in mapped_layers(made)}
    assert "keras.layers.Dense" not in {layer.key for layer in mapped_layers(made)}


def test_a_map_of_the_projects_own_is_no_dataset(program: MakeProgram) -> None:
    source = """\
        import keras

        class Pages:
            def map(self, function):
                return function(1)

        scale = keras.layers.Rescaling(2.0)
        pages.map(lambda x: scale(x))
        """
    assert not program(source).happened(LayerMapped)
