"""The wheel: built, looked into, installed in a fresh environment, run."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.network, pytest.mark.xdist_group("wheel")]

FLAWED = """\
import tensorflow as tf

tf.keras.mixed_precision.experimental.set_policy("mixed_float16")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that holds the wheel and its runtime dependencies only."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=True)
    commands = environment / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [str(commands / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", str(wheel)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return commands


def mpfix(commands: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(commands / "mpfix"), *arguments], cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False
    )


def test_wheel_holds_both_packages_with_pages_tables_and_types(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    rules = CHECKOUT / "rules"
    wanted = {path.relative_to(rules).as_posix() for path in rules.glob("mpfix_rules/**/*.md")}
    wanted |= {path.relative_to(CHECKOUT).as_posix() for path in CHECKOUT.glob("mpfix/frameworks/tables/*.toml")}

    assert wanted
    assert wanted | {"mpfix/py.typed", "mpfix/cli/app.py", "mpfix_rules/__init__.py"} <= packed


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    roots = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}

    assert {root for root in roots if not root.endswith(".dist-info")} == {"mpfix", "mpfix_rules"}


def test_installed_command_checks_explains_and_repairs(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(FLAWED)

    found = mpfix(installed, tmp_path, "check", "train.py")
    explained = mpfix(installed, tmp_path, "rule", "MP801")
    repaired = mpfix(installed, tmp_path, "apply", "train.py")

    assert (found.returncode, "MP801" in found.stdout) == (1, True), found.stderr
    assert (explained.returncode, "(MP801)" in explained.stdout) == (0, True), explained.stderr
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert "set_global_policy" in (tmp_path / "train.py").read_text()


def test_installed_command_lists_every_rule(installed: Path, tmp_path: Path) -> None:
    listed = mpfix(installed, tmp_path, "rules").stdout
    codes = {path.stem.split("_")[0].upper() for path in CHECKOUT.glob("rules/mpfix_rules/*/mp[0-9]*.py")}

    assert codes
    assert codes <= set(listed.split())
