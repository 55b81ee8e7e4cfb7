"""One key for every spelling of an API."""

from __future__ import annotations

import pytest

from mpfix.frameworks.keys import canonical, is_keras, public_names

DENSE = [
    "keras.layers.Dense",
    "tensorflow.keras.layers.Dense",
    "tf_keras.layers.Dense",
    "keras_core.layers.Dense",
    "keras.api.layers.Dense",
    "keras.api._v2.keras.layers.Dense",
    "keras.src.layers.core.dense.Dense",
    "keras.layers.core.Dense",
    "tensorflow.python.keras.layers.core.Dense",
    "tensorflow.compat.v2.keras.layers.Dense",
]


@pytest.mark.parametrize("spelling", DENSE)
def test_every_package_and_private_module_gives_one_key(spelling: str) -> None:
    assert canonical(spelling).name == "keras.layers.Dense"


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("tensorflow.math.reduce_mean", "tensorflow.reduce_mean"),
        ("tensorflow.compat.v2.math.reduce_mean", "tensorflow.reduce_mean"),
        ("tensorflow.optimizers.Adam", "keras.optimizers.Adam"),
        ("tensorflow.losses.MSE", "keras.losses.mean_squared_error"),
        ("tensorflow.initializers.zeros", "keras.initializers.Zeros"),
        ("tensorflow.half", "tensorflow.float16"),
        ("keras.engine.training.Model", "keras.Model"),
        ("keras.models.Sequential", "keras.Sequential"),
        ("keras.layers.Input", "keras.Input"),
        ("keras.Layer", "keras.layers.Layer"),
        ("keras.layers.concatenate", "keras.layers.concatenate"),
        ("keras.layers.MaxPool2D.call", "keras.layers.MaxPooling2D.call"),
        ("keras.layers.experimental.preprocessing.Rescaling", "keras.layers.Rescaling"),
        ("keras.applications.resnet50.ResNet50", "keras.applications.ResNet50"),
        ("keras.optimizers.legacy.Adam", "keras.optimizers.legacy.Adam"),
        ("keras.optimizer_v2.learning_rate_schedule.ExponentialDecay", "keras.optimizers.schedules.ExponentialDecay"),
        ("keras.ops.nn.softmax", "keras.ops.softmax"),
        ("keras.config.set_dtype_policy", "keras.mixed_precision.set_global_policy"),
        ("keras.DTypePolicy", "keras.mixed_precision.Policy"),
        ("keras.optimizers.LossScaleOptimizer", "keras.mixed_precision.LossScaleOptimizer"),
        ("keras.mixed_precision.loss_scale_optimizer.LossScaleOptimizer", "keras.mixed_precision.LossScaleOptimizer"),
        ("kerastuner.Tuner", "kerastuner.Tuner"),
        ("numpy.float16", "numpy.float16"),
    ],
)
def test_aliases_have_one_canonical_name(spelling: str, name: str) -> None:
    assert canonical(spelling).name == name


@pytest.mark.parametrize(
    ("spelling", "package", "generation"),
    [
        ("keras.layers.Dense", "keras", None),
        ("tensorflow.keras.layers.Dense", "tensorflow.keras", None),
        ("tensorflow.losses.MSE", "tensorflow.keras", None),
        ("tf_keras.layers.Dense", "tf_keras", 2),
        ("keras_core.layers.Dense", "keras_core", 3),
        ("keras.ops.softmax", "keras", 3),
        ("tensorflow.keras.config.floatx", "tensorflow.keras", 3),
        ("keras.optimizers.legacy.SGD", "keras", 2),
        ("keras.layers.experimental.preprocessing.Rescaling", "keras", 2),
        ("tensorflow.reduce_sum", "tensorflow", None),
    ],
)
def test_a_key_remembers_package_and_generation(spelling: str, package: str, generation: int | None) -> None:
    key = canonical(spelling)

    assert (key.package, key.generation) == (package, generation)


def test_only_keras_is_keras() -> None:
    assert is_keras("tensorflow.optimizers.Adam")
    assert not is_keras("kerastuner.Tuner")


def test_star_imports_know_the_public_names() -> None:
    assert {"Dense", "Input", "Activation"} <= public_names("tensorflow.keras.layers")
    assert {"keras", "GradientTape", "float16"} <= public_names("tensorflow")
    assert public_names("torch") == frozenset()
