"""Files of one run that belong together: broken ones beside good ones, and what nobody imports while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import mpfix
from mpfix.settings import parse_settings

Project = Callable[[Mapping[str, str | bytes]], Path]

HALF_HEAD = """
import helper
import keras

keras.mixed_precision.set_global_policy("mixed_float16")
model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
model.compile("adam", "categorical_crossentropy")
"""
KERAS_3 = parse_settings('keras = "3"')


def test_file_that_only_a_broken_one_imports_is_judged_all_the_same(project: Project) -> None:
    project({"a.py": HALF_HEAD, "b.py": "import a\n\ndef f(:\n", "helper.py": "x = 1\n"})

    report = mpfix.check(["."], KERAS_3)

    assert [(d.span.filename, d.code) for d in report.diagnostics] == [("a.py", "MP301"), ("b.py", "MP001")]


def test_apply_keeps_telling_about_a_broken_file_beside_what_it_writes(project: Project) -> None:
    folder = project({"a.py": HALF_HEAD, "b.py": "import a\n\ndef f(:\n", "helper.py": "x = 1\n"})

    report = mpfix.apply(["."], KERAS_3)

    assert report.written == ("a.py",)
    assert [d.code for d in report.diagnostics] == ["MP001"]
    assert 'dtype="float32"' in (folder / "a.py").read_text()


def test_module_that_is_imported_inside_an_uncalled_function_is_judged(project: Project) -> None:
    project({"a.py": HALF_HEAD, "helper.py": "x = 1\n", "main.py": "def start():\n    import a\n"})

    report = mpfix.check(["."], KERAS_3)

    assert [d.code for d in report.diagnostics] == ["MP301"]


def test_folder_elsewhere_is_understood_as_one_that_the_run_starts_in(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = project(
        {
            "main.py": "import keras\nkeras.mixed_precision.set_global_policy('mixed_float16')\nimport models.net\n",
            "models/net.py": "from layers.head import head\nmodel = head()\nmodel.compile('adam')\n",
            "layers/head.py": "import keras\n\n\ndef head():\n"
            "    return keras.Sequential([keras.layers.Dense(2, activation='softmax')])\n",
        }
    )
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    report = mpfix.check([str(folder)], KERAS_3)

    assert [d.code for d in report.diagnostics] == ["MP301"]


def test_layer_that_a_model_makes_in_float32_stays_so_in_the_last_pass(project: Project) -> None:
    project(
        {
            "net.py": """
import tensorflow as tf
from tensorflow import keras


class Base(keras.layers.Layer):
    def __init__(self, trainable=True, name=None, dtype=None, **kwargs):
        super().__init__(trainable, name, dtype, **kwargs)


class Features(Base):
    def __init__(self, size=8, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, signal):
        return signal / (tf.reduce_max(tf.abs(signal)) + 1e-9)


class Net(keras.Model):
    def __init__(self, config):
        super().__init__()
        self.features = Features(**config, dtype=self.dtype)

    def train_step(self, data):
        return {"loss": tf.reduce_mean(self.features(data[0]))}
""",
            "train.py": "from tensorflow import keras\nimport net\n\n"
            "keras.mixed_precision.set_global_policy('mixed_float16')\n",
        }
    )

    assert mpfix.check(["."], replace(KERAS_3, keras="2")).diagnostics == ()
