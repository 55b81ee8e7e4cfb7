"""A file in a folder that nothing marks as a project is understood with what it imports, and nothing else is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import indent

import pytest

import mpfix
from mpfix.engine import components
from mpfix.engine.inputs import read_inputs
from mpfix.settings import Settings, load_settings, parse_settings

Project = Callable[[Mapping[str, str | bytes]], Path]

HEAD = """\
import keras


def build():
    return keras.Sequential([keras.layers.Dense(2, activation="softmax")])
"""
NEVER_CALLED = """\
import keras
import registry


def train():
    model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "categorical_crossentropy")
"""
TRAINED = """\
import keras
{imports}

model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
model.compile("adam", "categorical_crossentropy")
"""
POLICY = 'import keras\n\nkeras.mixed_precision.set_global_policy("mixed_float16")\n'
KERAS_3 = parse_settings('keras = "3"')


def codes(*paths: str, settings: Settings = KERAS_3) -> list[str]:
    return [found.code for found in mpfix.check(paths, settings).diagnostics]


def context_of(name: str, settings: Settings = KERAS_3) -> list[str]:
    """The files that are read to understand one."""
    inputs = read_inputs([name], settings, stdin=None, stdin_filename=None)
    units = components.form_units(inputs.documents, settings, lambda document: True, context=True)
    return sorted(document.display for unit in units for document in unit.context)


def test_no_folder_is_walked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project({"train.py": TRAINED.format(imports="import setup_policy"), "setup_policy.py": POLICY, "other.py": POLICY})
    monkeypatch.setattr(components, "discover", None)

    assert codes("train.py") == ["MP301"]


@pytest.mark.parametrize(
    ("imports", "files"),
    [
        ("import setup_policy", ["setup_policy.py"]),
        ("from common import setup_policy", ["common/__init__.py", "common/setup_policy.py"]),
        ("from common.setup_policy import start", ["common/setup_policy.py"]),
        ("import common.deep.setup_policy as start", ["common/deep/__init__.py", "common/deep/setup_policy.py"]),
        ("from common import (\n    a,\n    setup_policy,\n)", ["common/a.py", "common/setup_policy.py"]),
        ("import setup_policy", ["src/setup_policy.py"]),
        ("from . import setup_policy", ["setup_policy.py"]),
    ],
)
def test_what_is_imported_is_read(project: Project, imports: str, files: list[str]) -> None:
    project({"train.py": TRAINED.format(imports=imports), "unrelated.py": POLICY} | dict.fromkeys(files, POLICY))

    assert context_of("train.py") == sorted(files)
    assert codes("train.py") == ["MP301"]


def test_what_the_imported_files_import_is_read(project: Project) -> None:
    project(
        {
            "train.py": TRAINED.format(imports="from package import first"),
            "package/__init__.py": "",
            "package/first.py": "from .inner.second import x\n",
            "package/inner/second.py": "import third\n\nx = 1\n",
            "third.py": POLICY,
        }
    )

    assert "third.py" in context_of("train.py")
    assert codes("train.py") == ["MP301"]


def test_a_policy_of_the_component_reaches_what_only_a_registry_builds(project: Project) -> None:
    files = {
        "models.py": NEVER_CALLED,
        "registry.py": "import importlib\n\n\ndef load(name):\n    return importlib.import_module('plugins.' + name)\n",
        "plugins/half.py": f"def start():\n{indent(POLICY, '    ')}",
        "plugins/plain.py": "",
    }
    project(files)

    assert context_of("models.py") == ["plugins/half.py", "plugins/plain.py", "registry.py"]
    assert codes("models.py") == ["MP301"]


def test_who_imports_the_file_is_read_only_in_a_project(project: Project) -> None:
    folder = project({"model.py": HEAD, "train.py": f"import model\n{POLICY}\nmodel.build().compile('adam')\n"})
    assert context_of("model.py") == []

    (folder / "mpfix.toml").write_text('keras = "3"\n')
    assert context_of("model.py", load_settings(folder)) == ["train.py"]

    (folder / "mpfix.toml").rename(folder / "setup.cfg")
    assert context_of("model.py") == ["train.py"]


def test_notebooks_and_usual_exclusions_are_not_imported(project: Project) -> None:
    project(
        {
            "train.py": TRAINED.format(imports="import notes, build.setup_policy, libs"),
            "notes.ipynb": '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
            "build/setup_policy.py": POLICY,
            "libs.pyi": "",
        }
    )

    assert context_of("train.py") == []


def test_what_the_user_excludes_counts_where_it_is_imported(project: Project) -> None:
    project({"train.py": TRAINED.format(imports="import setup_policy"), "setup_policy.py": POLICY})
    settings = parse_settings('keras = "3"\nexclude = ["setup_policy.py"]\n')

    assert context_of("train.py", settings) == ["setup_policy.py"]
    assert codes("train.py", settings=settings) == ["MP301"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_links_lead_neither_in_circles_nor_out_of_the_folder(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "setup_policy.py"
    outside.write_text(POLICY)
    folder = project({"train.py": TRAINED.format(imports="import loop.loop.loop.other, setup_policy"), "other.py": ""})
    os.symlink(folder, folder / "loop")
    os.symlink(outside, folder / "setup_policy.py")

    assert context_of("train.py") == []


def test_names_are_spelled_as_they_are_imported(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project({"train.py": TRAINED.format(imports="import Setup_Policy"), "setup_policy.py": POLICY})
    monkeypatch.setattr("mpfix.engine.lookup.sys.platform", "darwin")
    monkeypatch.setattr(os.path, "isfile", lambda path: str(path).lower() == f"{folder}/setup_policy.py".lower())

    assert context_of("train.py") == []
