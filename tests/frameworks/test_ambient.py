"""The policy of what nobody calls: the ones that the component sets, in whatever order things are defined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mpfix.frameworks.events import LayerBuilt
from mpfix.frameworks.half_kernels import HalfGiven
from mpfix.semantic.budget import Limits
from mpfix.semantic.program import cases_of
from mpfix.semantic.values import NONE

MakeProgram = Callable[..., Any]
LAYER = "def build():\n    return keras.layers.Dense(3)\n"
SETTER = 'def setup():\n    keras.mixed_precision.set_global_policy("mixed_float16")\n'
OTHER = 'def reset():\n    keras.mixed_precision.set_global_policy("float32")\n'
ASSERTED = (
    'def setup(name):\n    assert name in {"float32", "mixed_float16"}\n'
    "    keras.mixed_precision.set_global_policy(name)\n"
)


def policies(program: Any) -> set[str]:
    (built,) = program.happened(LayerBuilt)
    return {case.constant("policy.name") for case in cases_of(built, "policy.name")}


@pytest.mark.parametrize("parts", [(LAYER, SETTER), (SETTER, LAYER)])
def test_a_function_that_nobody_calls_sets_the_policy_of_the_others(program: MakeProgram, parts: tuple[str]) -> None:
    assert "mixed_float16" in policies(program("import keras\n" + "".join(parts)))


@pytest.mark.parametrize("parts", [(LAYER, SETTER, OTHER), (OTHER, LAYER, SETTER), (SETTER, OTHER, LAYER)])
def test_each_of_several_policies_may_be_the_one_in_force(program: MakeProgram, parts: tuple[str]) -> None:
    assert policies(program("import keras\n" + "".join(parts))) == {"mixed_float16", "float32"}


def test_the_policy_of_a_root_holds_for_what_it_does_not_call(program: MakeProgram) -> None:
    source = f'import keras\n{LAYER}if args.amp:\n    keras.mixed_precision.set_global_policy("mixed_float16")\n'

    assert policies(program(source)) == {"mixed_float16", "float32"}


def test_an_assertion_names_the_policies_that_a_parameter_may_be(program: MakeProgram) -> None:
    assert policies(program(f"import keras\n{ASSERTED}{LAYER}")) == {"mixed_float16", "float32"}


def test_a_policy_is_set_with_a_module_that_an_attribute_keeps(program: MakeProgram) -> None:
    keeper = (
        "class Settings:\n    def __init__(self, amp):\n"
        "        self.precision = keras.mixed_precision if amp else None\n        self.use(amp)\n"
        "    def use(self, amp):\n        if amp:\n"
        '            self.precision.set_global_policy("mixed_float16")\n'
    )

    assert policies(program(f"import keras\n{LAYER}{keeper}")) == {"mixed_float16", "float32"}


def test_the_helpers_of_a_file_of_tests_do_not_see_what_a_script_sets(project: Callable[..., Any]) -> None:
    from mpfix.engine.pipeline import check
    from mpfix.settings import Settings

    helper = (
        "import train\nfrom tensorflow import keras\n\n\ndef helper():\n"
        '    model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])\n'
        '    model.compile("adam", "categorical_crossentropy")\n    model.fit(train.data())\n\n\n'
        "def test_model():\n    helper()\n"
    )
    project({"train.py": f"import keras\n{SETTER}", "test_model.py": helper, "other.py": helper})

    report = check(["."], Settings())
    assert {one.span.filename for one in report.diagnostics} == {"other.py"}


def test_a_policy_that_nothing_names_stays_unknown(program: MakeProgram) -> None:
    source = f"import keras\n{LAYER}def setup(name):\n    keras.mixed_precision.set_global_policy(name)\n"

    assert "mixed_float16" not in policies(program(source))


def test_scripts_that_share_a_helper_leave_its_policies_apart(program: MakeProgram) -> None:
    helper = (
        "import keras\ndef setup(kind, tpu):\n"
        '    half = "mixed_bfloat16" if tpu else "mixed_float16"\n'
        '    if kind == "strict":\n        keras.mixed_precision.set_global_policy(half)\n'
        '    elif kind == "auto":\n        keras.mixed_precision.set_global_policy(half)\n'
        '    else:\n        keras.mixed_precision.set_global_policy("float32")\n'
    )
    uses = "".join(f"def run{index}(args):\n    setup(args.kind, args.tpu)\n" for index in range(4))

    assert policies(program(helper + uses + LAYER)) == {"mixed_float16", "mixed_bfloat16", "float32"}


MODEL = "keras.Sequential([keras.layers.Activation('relu')]).compile('sgd')\n"


@pytest.mark.parametrize(
    ("after", "expected"),
    [("", {"mixed_float16"}), (f"    {MODEL}", {"mixed_float16", "float32"})],
    ids=["at the end", "before other work"],
)
def test_a_default_that_is_put_back_when_all_is_done_is_nobody_s_policy(
    program: MakeProgram, after: str, expected: set[str]
) -> None:
    source = (
        "import keras\ndef train():\n"
        '    keras.mixed_precision.set_global_policy("mixed_float16")\n'
        f"    {MODEL}"
        '    keras.mixed_precision.set_global_policy("float32")\n'
        f"{after}{LAYER}train()\n"
    )
    built = [one for one in program(source).happened(LayerBuilt) if one.event.key.endswith("Dense")]

    assert {case.constant("policy.name") for one in built for case in cases_of(one, "policy.name")} == expected


def test_what_a_function_calls_under_a_policy_of_its_own_is_not_cut_because_of_others(program: MakeProgram) -> None:
    tests = "".join(
        f"def test_{index}():\n    keras.mixed_precision.set_global_policy('mixed_float16')\n"
        f"    class Layer{index}: pass\n    check(Layer{index})\n"
        for index in range(18)
    )
    check = "def check(kind):\n    for step in range(8):\n        for _ in range(8):\n            kind()\n"
    limits = replace(Limits(), function_steps=1)
    made = program(f"import keras\n{check}{tests}", filename="test_layers.py", limits=limits)

    assert not [cut for cut in made.cuts if cut.bound == "contexts of a function"]


def test_a_layer_whose_function_runs_out_of_steps_is_left(program: MakeProgram) -> None:
    source = (
        "import keras\nimport tensorflow as tf\n"
        "def build():\n    keras.layers.Lambda(slow)(keras.Input((3,)))\n"
        'def after(x):\n    return tf.signal.rfft(tf.cast(x, "float16"))\n'
        "def slow(x):\n" + "    y = [x, x]\n" * 200 + "    return x\n"
    )
    (given,) = program(source, limits=replace(Limits(), root_steps=300)).happened(HalfGiven)

    assert given.event.scope == NONE
