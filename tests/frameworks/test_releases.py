"""Which modules are written for TensorFlow 1, and whether the table of its names is true."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpfix.frameworks.releases import needs_first_releases
from mpfix.frameworks.tables import load_table
from mpfix.semantic.syntax import Module
from mpfix.source.document import document_from_bytes

PROBE = """
import json, sys
import tensorflow as tf
from tensorflow.tools.compatibility.renames_v2 import renames
def exists(root, names):
    for name in names:
        if not hasattr(root, name):
            return False
        root = getattr(root, name)
    return True
wrong = []
for name in json.loads(sys.argv[1]):
    names = name.split(".")[1:]
    spelt = "tf." + ".".join(names)
    known = any(old == spelt or old.startswith(spelt + ".") for old in renames)
    if exists(tf, names) or not (known or spelt == "tf.contrib" or exists(tf.compat.v1, names)):
        wrong.append(name)
print(json.dumps(wrong))
"""


def test_no_name_exists_in_tensorflow_2_and_each_did_before() -> None:
    names = [f"{space}.{name}" for space, listed in load_table("first_releases").items() for name in listed.split()]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(names)], env=environment, capture_output=True, text=True, check=True
    )

    assert json.loads(run.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import tensorflow as tf\nx = tf.placeholder(tf.float32)\n", True),
        ("import tensorflow as tf\ntf.app.flags.DEFINE_string('x', '', '')\n", True),
        ("from tensorflow.contrib import slim\n", True),
        ("import tensorflow as tf\nprint(tf.__version__)\ntf.__version__\nx = tf.Session()\n", True),
        ("import tensorflow as tf\noptimizer = tf.train.AdamOptimizer()\n", True),
        ("import tensorflow.compat.v1 as tf\nx = tf.placeholder(tf.float32)\n", False),
        ("import tensorflow as tf\nx = tf.compat.v1.placeholder(tf.float32)\n", False),
        ("import tensorflow as tf\nx = tf.estimator.RunConfig()\n", False),
        ("import tensorflow as tf\nif tf.__version__ < '2':\n    x = tf.Session()\n", False),
        ("import tensorflow as tf\nFIRST = tf.__version__ < '2'\nif FIRST:\n    x = tf.Session()\n", False),
        ("import tensorflow as tf\nFIRST = tf.__version__.startswith('1')\nx = tf.Session()\n", False),
        ("import tensorflow as tf\nMAJOR = tf.version.VERSION.split('.')\nx = tf.Session()\n", False),
        ("import tensorflow as tf\nif hasattr(tf, 'Session'):\n    x = tf.Session()\n", False),
        ("import tensorflow as tf\ntry:\n    x = tf.Session()\nexcept AttributeError:\n    x = None\n", False),
        (
            "try:\n    import tensorflow.compat.v1 as tf\nexcept ImportError:\n    import tensorflow as tf\n"
            "x = tf.placeholder(tf.float32)\n",
            False,
        ),
    ],
)
def test_what_needs_tensorflow_1(text: str, expected: bool) -> None:
    assert needs_first_releases(module_of(text)) is expected


def module_of(text: str) -> Module:
    """A module of its own."""
    document = document_from_bytes(text.encode(), Path("module.py"), "module.py")
    return Module("module", document, ast.parse(text))
