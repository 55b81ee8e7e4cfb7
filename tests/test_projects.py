"""Small whole projects: findings that need another file to be seen, and what the fixes make of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import mpfix
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
