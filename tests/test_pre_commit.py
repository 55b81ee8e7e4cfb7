"""The hooks, run by the real pre-commit on a repository made for the test; this checkout is the hook repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.network, pytest.mark.xdist_group("pre_commit")]

FLAWED = """\
import tensorflow as tf

tf.keras.mixed_precision.experimental.set_policy("mixed_float16")
"""
CLEAN = FLAWED.replace("experimental.set_policy", "set_global_policy")


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    identity = {
        f"GIT_{role}_{field}": "test@example.org" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")
    }
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = {**own, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **variables}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )


def git(folder: Path, *arguments: str) -> str:
    done = run(["git", *arguments], folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit_all(folder: Path) -> str:
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "everything")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repository that holds this checkout as it is now, uncommitted changes included, and its revision."""
    folder = tmp_path_factory.mktemp("hooks")
    for name in git(CHECKOUT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if name and (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name)
    return folder, commit_all(folder)


@pytest.fixture(scope="module")
def pre_commit_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps the environment of the hooks: installed once for all tests here."""
    return tmp_path_factory.mktemp("pre-commit-home")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(FLAWED)
    (tmp_path / "notes.txt").write_text(FLAWED)
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": FLAWED.splitlines(True),
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "study.ipynb").write_text(json.dumps(notebook, indent=1) + "\n")
    (tmp_path / "vendored").mkdir()
    (tmp_path / "vendored" / "old.py").write_text(FLAWED)
    (tmp_path / "mpfix.toml").write_text('extend-exclude = ["vendored"]\n')
    return tmp_path


def run_hook(project: Path, hook: str, hooks: tuple[Path, str], home: Path) -> subprocess.CompletedProcess[str]:
    repository, revision = hooks
    (project / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {repository.as_posix()}\n  rev: {revision}\n  hooks:\n  - id: {hook}\n"
    )
    commit_all(project)
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--verbose", hook]
    return run(command, project, PRE_COMMIT_HOME=str(home))


def test_check_hook_reports_scripts_and_notebooks_but_no_excluded_file(
    project: Path, hooks: tuple[Path, str], pre_commit_home: Path
) -> None:
    done = run_hook(project, "mpfix-check", hooks, pre_commit_home)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "train.py:3" in done.stdout
    assert "study.ipynb:cell 1:3" in done.stdout
    assert "vendored" not in done.stdout
    assert "notes.txt" not in done.stdout


def test_check_hook_passes_on_clean_code(project: Path, hooks: tuple[Path, str], pre_commit_home: Path) -> None:
    (project / "train.py").write_text(CLEAN)
    (project / "study.ipynb").unlink()

    done = run_hook(project, "mpfix-check", hooks, pre_commit_home)

    assert done.returncode == 0, done.stdout + done.stderr


def test_apply_hook_repairs_and_passes_the_second_time(
    project: Path, hooks: tuple[Path, str], pre_commit_home: Path
) -> None:
    first = run_hook(project, "mpfix-apply", hooks, pre_commit_home)
    second = run_hook(project, "mpfix-apply", hooks, pre_commit_home)

    assert (first.returncode, "files were modified by this hook" in first.stdout) == (1, True), first.stdout
    assert second.returncode == 0, second.stdout + second.stderr
    assert (project / "train.py").read_text() == CLEAN
    assert (project / "vendored" / "old.py").read_text() == FLAWED
    assert "set_global_policy" in (project / "study.ipynb").read_text()
