"""Small whole projects: findings that need another file to be seen, and what the fixes make of them."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import mpfix
from mpfix.diagnostic import Severity
from mpfix.engine import run_units
from mpfix.report import Report
from mpfix.settings import Settings, parse_settings

PROJECTS = Path(__file__).parent.parent / "fixtures" / "projects"
NAMES = sorted(path.name for path in PROJECTS.iterdir() if path.is_dir())


def settings_of(name: str) -> Settings:
    """The settings a project is checked with."""
    return parse_settings((PROJECTS / name / "settings.toml").read_text(encoding="utf-8"))


@pytest.fixture(params=NAMES)
def copied(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """A project in a folder of its own, which is the working directory."""
    target = tmp_path / "project"
    shutil.copytree(PROJECTS / request.param / "before", target)
    monkeypatch.chdir(target)
    return request.param, target


def test_findings_and_their_evidence_are_those_expected(copied: tuple[str, Path]) -> None:
    name, _ = copied

    report = mpfix.check(["."], settings_of(name))

    found = [
        [d.span.filename, d.span.start.row, d.code, [f"{r.span.filename}:{r.span.start.row}" for r in d.related]]
        for d in report.diagnostics
    ]
    assert not report.errors
    assert found == json.loads((PROJECTS / name / "report.json").read_text(encoding="utf-8"))


def test_apply_gives_the_project_after(copied: tuple[str, Path]) -> None:
    name, folder = copied
    wanted = PROJECTS / name / "after"
    if not wanted.is_dir():
        wanted = PROJECTS / name / "before"

    mpfix.apply(["."], settings_of(name))

    texts = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.py")}
    assert texts == {path.relative_to(wanted): path.read_bytes() for path in wanted.rglob("*.py")}


def test_a_single_file_is_understood_with_the_rest_of_its_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(PROJECTS / "registry" / "before", tmp_path / "project")
    (tmp_path / "project" / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path / "project")

    with_context = mpfix.check(["models/small.py"], settings_of("registry"))
    without = mpfix.check(["models/small.py"], settings_of("registry"), context=False)

    assert [d.code for d in with_context.diagnostics] == ["MP301"]
    assert not without.diagnostics


def test_independent_projects_do_not_mix_their_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "keras.Sequential([keras.layers.Dense(2, activation='softmax')])"
    whole = f"import keras\n\nmodel = {head}\nmodel.compile('adam', 'mse')\n"
    (tmp_path / "half.py").write_text("import keras\n\nkeras.mixed_precision.set_global_policy('mixed_float16')\n")
    (tmp_path / "whole.py").write_text(whole)
    monkeypatch.chdir(tmp_path)

    report = mpfix.check(["."], parse_settings('keras = "3"'))

    assert not report.diagnostics


@pytest.mark.parametrize(("condition", "severity"), [("True", "ERROR"), ("len(sys.argv) > 1", "WARNING")])
def test_an_error_under_a_policy_that_may_not_be_in_force_is_a_warning(
    condition: str, severity: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = "keras.mixed_precision.set_global_policy('mixed_float16')"
    (tmp_path / "train.py").write_text(f"import sys\nimport keras\nimport blocks\n\nif {condition}:\n    {half}\n")
    norm = "class Norm(keras.layers.Layer):\n    def call(self, x):\n        return x / (keras.ops.mean(x) + 1e-8)\n"
    (tmp_path / "blocks.py").write_text(f"import keras\n\n\n{norm}")
    monkeypatch.chdir(tmp_path)

    (found,) = mpfix.check(["."], replace(THREE, select=("MP304",))).diagnostics

    assert found.severity is Severity[severity]


def test_an_error_under_one_of_several_policies_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = "import keras\nimport blocks\n\nkeras.mixed_precision.set_global_policy('{}')\n"
    for name in ("float32", "mixed_float16"):
        (tmp_path / f"train_{name}.py").write_text(train.format(name))
    norm = "class Norm(keras.layers.Layer):\n    def call(self, x):\n        return x / (keras.ops.mean(x) + 1e-8)\n"
    build = "def build(x):\n    return Norm()(x)\n\n\nif __name__ == '__main__':\n    Norm()(keras.Input((2,)))\n"
    (tmp_path / "blocks.py").write_text(f"import keras\n\n\n{norm}\n\n{build}")
    monkeypatch.chdir(tmp_path)

    (found,) = mpfix.check(["."], replace(THREE, select=("MP304",))).diagnostics

    assert (found.severity, found.guard) == (Severity.WARNING, "`the policy of line 4`")


def test_scripts_that_share_a_helper_do_not_share_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "model = keras.Sequential([keras.layers.Dense(2, activation='softmax')])\n"
    trained = f"{head}model.compile('adam', 'categorical_crossentropy')\nshow(model)\n"
    start = "import keras\nfrom helpers import show\n\n"
    half = "keras.mixed_precision.set_global_policy('mixed_float16')\n"
    (tmp_path / "helpers.py").write_text("def show(model):\n    model.summary()\n\n\ndef unused():\n    return 1\n")
    (tmp_path / "a_half.py").write_text(f"{start}{half}{trained}")
    (tmp_path / "b_whole.py").write_text(f"{start}{trained}")
    monkeypatch.chdir(tmp_path)

    report = mpfix.check(["."], parse_settings('keras = "3"'))

    assert [(item.code, item.span.filename) for item in report.diagnostics] == [("MP301", "a_half.py")]


def test_what_a_test_sets_holds_for_the_library_and_not_for_other_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norm = "class Norm(keras.layers.Layer):\n    def call(self, x):\n        return x / (keras.ops.mean(x) + 1e-8)\n\n"
    tried = "        show(Norm()(keras.Input((4,))))\n"
    start = f"import unittest\nimport keras\nfrom library import show\n\n{norm}class Case(unittest.TestCase):\n"
    half = "    def setUp(self):\n        keras.mixed_precision.set_global_policy('mixed_float16')\n\n"
    head = "model = keras.Sequential([keras.layers.Dense(2, activation='softmax')])\n"
    built = f"def build():\n    {head}    model.compile('adam', 'categorical_crossentropy')\n    return model\n"
    (tmp_path / "library.py").write_text(f"import keras\n\n\ndef show(x):\n    print(x)\n\n\n{built}")
    (tmp_path / "test_half.py").write_text(f"{start}{half}    def test_half(self):\n{tried}")
    (tmp_path / "test_whole.py").write_text(f"{start}    def test_whole(self):\n{tried}")
    monkeypatch.chdir(tmp_path)

    report = mpfix.check(["."], parse_settings('keras = "3"'))

    assert [item.span.filename for item in report.diagnostics] == ["library.py", "test_half.py"]


def test_objects_that_a_program_leaves_unused_are_seen_under_its_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trainer.py").write_text(
        "import tensorflow as tf\n\n\nclass Trainer:\n    def __init__(self, model):\n        self.model = model\n\n"
        "    def loss(self, images):\n        return tf.reduce_mean(tf.ones([8, 1]) - self.model(images))\n"
    )
    (tmp_path / "main.py").write_text(
        "import tensorflow as tf\nfrom trainer import Trainer\n\n\ndef run():\n"
        "    tf.keras.mixed_precision.set_global_policy('mixed_float16')\n"
        "    trainer = Trainer(tf.keras.Sequential([tf.keras.layers.Dense(1)]))\n\n\n"
        "if __name__ == '__main__':\n    run()\n"
    )
    monkeypatch.chdir(tmp_path)

    report = mpfix.check(["."], parse_settings('keras = "2"'))

    assert [(item.code, item.span.filename) for item in report.diagnostics] == [("MP405", "trainer.py")]


def test_objects_made_before_the_policy_are_not_seen_under_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main.py").write_text(
        "import keras\n\n\nclass Builder:\n    def build(self):\n"
        "        model = keras.Sequential([keras.layers.Dense(2, activation='softmax')])\n"
        "        model.compile('adam', 'categorical_crossentropy')\n        return model\n\n\n"
        "search(Builder())\nother = keras.Sequential([keras.layers.Dense(2)])\n"
        "other.compile('sgd', 'mse')\nother.fit(x, y)\n"
        "keras.mixed_precision.set_global_policy('mixed_float16')\n"
    )
    monkeypatch.chdir(tmp_path)

    report = mpfix.check(["."], parse_settings('keras = "3"'))

    assert not report.diagnostics


def test_tests_run_under_the_policy_that_their_imports_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text(
        "import keras\n\nkeras.mixed_precision.set_global_policy('mixed_float16')\n"
    )
    (tmp_path / "pkg" / "models.py").write_text(
        "import keras\n\n\ndef build():\n"
        "    model = keras.Sequential([keras.layers.Dense(2, activation='softmax')])\n"
        "    model.compile('adam', 'categorical_crossentropy')\n    return model\n"
    )
    (tmp_path / "test_models.py").write_text(
        "from pkg.models import build\n\n\ndef test_it():\n    build().fit(x, y)\n"
    )
    monkeypatch.chdir(tmp_path)

    report = mpfix.check(["."], parse_settings('keras = "3"'))

    assert [(item.code, item.guard) for item in report.diagnostics] == [("MP301", None)]


def test_a_program_that_leaves_the_policy_of_a_module_it_imports_stays_in_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = "keras.Sequential([keras.layers.Dense(2, activation='softmax')])"
    trained = f"model = {head}\nmodel.compile('adam', 'categorical_crossentropy')\n"
    whole = "keras.mixed_precision.set_global_policy('float32')\n"
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "half.py").write_text(
        "import keras\n\nkeras.mixed_precision.set_global_policy('mixed_float16')\nsize = 2\n\n\n"
        "def unused():\n    return 1\n"
    )
    (tmp_path / "a_half.py").write_text(f"import keras\nimport pkg.half\n\n{trained}")
    (tmp_path / "b_whole.py").write_text(f"import keras\nimport pkg.half\n\n{whole}print(pkg.half.size)\n{trained}")
    monkeypatch.chdir(tmp_path)

    report = mpfix.check(["."], parse_settings('keras = "3"'))

    assert [item.span.filename for item in report.diagnostics if item.code == "MP301"] == ["a_half.py"]


def test_a_policy_that_one_file_of_tests_sets_reaches_no_helper_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "    model = keras.Sequential([keras.layers.Dense(2, activation='softmax')])\n    show(model)\n"
    compiled = "    model.compile('adam', 'categorical_crossentropy')\n    return model\n"
    half = "    keras.mixed_precision.set_global_policy('mixed_float16')\n"
    start = "import keras\nfrom library import show\n\n\ndef run(epochs):\n"
    (tmp_path / "library.py").write_text("def show(model):\n    model.summary()\n")
    (tmp_path / "test_half.py").write_text(f"{start}{half}{body}{compiled}")
    (tmp_path / "test_whole.py").write_text(f"{start}{body}{compiled}")
    monkeypatch.chdir(tmp_path)

    report = mpfix.check(["."], parse_settings('keras = "3"'))

    assert [item.span.filename for item in report.diagnostics] == ["test_half.py"]


# A fix in two files goes to both or to none.

BUILDS = """\
import keras
from tails import tail

keras.mixed_precision.set_global_policy("mixed_float16")
model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(2, activation="softmax"), tail()])
model.compile("adam", "categorical_crossentropy")
"""
TAILS = "import keras\n\n\ndef tail():\n    return keras.layers.Reshape((2, 1))\n"
THREE = parse_settings('keras = "3"')


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A softmax head in one file and, in another, the layer behind it that must be float32 as well."""
    for name, text in (("train.py", BUILDS), ("tails.py", TAILS), ("pyproject.toml", "")):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def has_kept(folder: Path, *, train: str = BUILDS, tails: str = TAILS) -> bool:
    """Whether neither file has anything of the fix."""
    return [(folder / name).read_text() for name in ("train.py", "tails.py")] == [train, tails]


def reasons(report: Report) -> list[str]:
    """Why fixes were not written."""
    without = [str(item.unfixable_reason) for item in report.diagnostics if item.fix is None]
    return without + [skipped.reason for skipped in report.skipped_fixes]


def test_a_fix_in_two_files_is_written_to_both(two: Path) -> None:
    report = mpfix.apply(["."], THREE)

    assert report.written == ("tails.py", "train.py")
    assert not report.diagnostics
    assert all('dtype="float32"' in (two / name).read_text() for name in report.written)
    assert mpfix.apply(["."], THREE).written == ()


def test_nothing_is_written_of_a_fix_when_one_of_its_files_is_read_only(two: Path) -> None:
    (two / "tails.py").chmod(0o444)

    report = mpfix.apply(["."], THREE)

    assert has_kept(two)
    assert reasons(report) == ["`tails.py` cannot be written: it is read-only"]
    assert [(error.filename, error.message) for error in report.errors] == [
        ("tails.py", "cannot be written: it is read-only")
    ]
    assert (report.analysed, report.failed, report.fixed) == (1, 1, {})


def test_other_fixes_of_the_project_are_written_beside_a_read_only_file(two: Path) -> None:
    (two / "tails.py").chmod(0o444)
    other = BUILDS.replace(", tail()", "").replace("from tails import tail", "import tails")
    (two / "other.py").write_text(other)

    report = mpfix.apply(["."], THREE)

    assert has_kept(two)
    assert report.written == ("other.py",)
    assert reasons(report) == ["`tails.py` cannot be written: it is read-only"]


def test_nothing_is_written_of_a_fix_when_one_of_its_files_has_changed_meanwhile(
    two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyse_unit = run_units.analyse_unit

    def change_meanwhile(*arguments: object) -> object:
        found = analyse_unit(*arguments)  # type: ignore[arg-type]
        (two / "tails.py").write_text(f"{TAILS}# more\n")
        return found

    monkeypatch.setattr(run_units, "analyse_unit", change_meanwhile)
    report = mpfix.apply(["."], THREE)

    assert has_kept(two, tails=f"{TAILS}# more\n")
    assert reasons(report) == ["`tails.py` changed on disk since it was analysed"]
    assert [error.filename for error in report.errors] == ["tails.py"]


@pytest.mark.parametrize("failure", [PermissionError(13, "Permission denied"), KeyboardInterrupt()])
def test_what_is_written_is_put_back_when_the_disk_refuses_the_other_file(
    two: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    real_replace = os.replace

    def refuse(source: str, target: str | Path) -> None:
        if os.path.basename(target) == "train.py":
            raise failure
        real_replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    if isinstance(failure, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            mpfix.apply(["."], THREE)
    else:
        report = mpfix.apply(["."], THREE)
        assert [(error.filename, error.message) for error in report.errors] == [
            ("train.py", "cannot be written: permission denied; so `tails.py` stays as it was too")
        ]
        assert (report.written, report.fixed, report.failed) == ((), {}, 2)

    assert has_kept(two)
    assert sorted(path.name for path in two.iterdir()) == ["pyproject.toml", "tails.py", "train.py"]


def test_nothing_is_written_of_a_fix_that_needs_a_file_nobody_named(two: Path) -> None:
    report = mpfix.apply(["train.py"], THREE)

    assert has_kept(two)
    assert reasons(report) == ["the repair changes `tails.py` too: give that path as well"]
    assert not report.errors


@pytest.mark.parametrize("paths", [["."], ["train.py", "tails.py"]])
def test_nothing_is_written_of_a_fix_that_needs_an_excluded_file(two: Path, paths: list[str]) -> None:
    report = mpfix.apply(paths, replace(THREE, extend_exclude=("tails.py",), force_exclude=True, root=two))

    assert has_kept(two)
    assert reasons(report) == ["the repair changes `tails.py` too, which the settings exclude"]


@pytest.mark.parametrize(
    ("comment", "where"),
    [("# mpfix: ignore[MP301] known", "line 5 of `tails.py`"), ("# noqa: MP301", "line 5 of `tails.py`")],
)
def test_nothing_is_written_of_a_fix_where_a_comment_silences_its_rule(two: Path, comment: str, where: str) -> None:
    tails = f"{TAILS.rstrip()}  {comment}\n"
    (two / "tails.py").write_text(tails)

    report = mpfix.apply(["."], THREE)

    assert has_kept(two, tails=tails)
    assert [item.code for item in report.diagnostics] == ["MP301"]
    assert reasons(report) == [f"the repair changes {where} too, where a comment silences MP301"]


def test_nothing_is_written_of_a_fix_in_a_file_that_silences_its_rule(two: Path) -> None:
    tails = f"# mpfix: file-ignore[MP301] ours\n{TAILS}"
    (two / "tails.py").write_text(tails)

    by_comment = mpfix.apply(["."], THREE)
    by_setting = mpfix.apply(["."], replace(THREE, per_file_ignores=(("tails.py", ("MP3",)),)))

    assert has_kept(two, tails=tails)
    assert reasons(by_comment) == ["the repair changes `tails.py` too, where a comment silences MP301"]
    assert reasons(by_setting) == ["the repair changes `tails.py` too, where `per-file-ignores` silences MP301"]


def test_a_comment_at_another_statement_of_the_file_bars_no_fix(two: Path) -> None:
    (two / "tails.py").write_text(f"{TAILS}\n\nx = tail()  # noqa: MP301\n")

    report = mpfix.apply(["."], THREE)

    assert report.written == ("tails.py", "train.py")


def test_excluded_files_count_only_where_others_import_them(two: Path) -> None:
    (two / "old.py").write_text("import tails\nimport keras\n\nkeras.mixed_precision.set_global_policy('float32')\n")

    with_old = mpfix.check(["tails.py"], replace(THREE, assume_policy="mixed_float16"))
    without = mpfix.check(["train.py"], replace(THREE, extend_exclude=("tails.py", "old.py"), root=two))

    assert not with_old.errors
    assert [item.code for item in without.diagnostics] == ["MP301"]


def test_evidence_in_a_file_that_is_only_read_is_shown(two: Path) -> None:
    (two / "model.py").write_text(
        "import keras\n\n\ndef head():\n    return keras.layers.Dense(2, activation='softmax')\n"
    )
    (two / "train.py").write_text(
        BUILDS.replace("from tails import tail", "from model import head").replace("tail()", "head()")
    )

    report = mpfix.check(["model.py"], THREE)

    (finding,) = report.diagnostics
    assert finding.related[0].span.filename == "train.py"
    assert report.sources["train.py", None][3].startswith("keras.mixed_precision")
