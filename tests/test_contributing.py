"""CONTRIBUTING.md, followed literally: the new rule is found, documented and tested."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PARTS = ("mpfix", "rules", "tests", "pyproject.toml", "CHANGELOG.md", "CONTRIBUTING.md", "README.md")

pytestmark = pytest.mark.slow


def commands(guide: str) -> str:
    """Everything that a reader is told to run, in order; a fence inside a here-document belongs to it."""
    blocks, lines = [], iter(guide.splitlines(keepends=True))
    for line in lines:
        if line == "<!-- follow -->\n":
            assert next(lines) == "```bash\n"
            blocks.append("".join(_block(lines)))
    return "".join(blocks)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the guide works on; its `.venv` is the environment that runs the tests."""
    for part in PARTS:
        source = CHECKOUT / part
        if source.is_dir():
            shutil.copytree(source, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
        else:
            shutil.copy2(source, tmp_path / part)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for command in ("python", "mpfix"):
        # the environment holds the original: the copy must win
        script = f'#!/bin/sh\nexec "{sys.executable}" {"-m mpfix " if command == "mpfix" else ""}"$@"\n'
        (tmp_path / ".venv" / "bin" / command).write_text(script)
        (tmp_path / ".venv" / "bin" / command).chmod(0o755)
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="the guide is written for a POSIX shell")
def test_rule_added_as_the_guide_says_is_found_documented_and_tested(checkout: Path) -> None:
    guide = (checkout / "CONTRIBUTING.md").read_text(encoding="utf-8")
    path = os.pathsep.join([str(checkout), str(checkout / "rules")])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands(guide)],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^MP190 +double-precision-policy +warning +warning +-$", done.stdout, re.MULTILINE)
    assert "# double-precision-policy (MP190)\n" in done.stdout
    assert re.search(r"^[1-9]\d* passed", done.stdout, re.MULTILINE), done.stdout
    assert "failed" not in done.stdout


def _block(lines: Iterator[str]) -> Iterator[str]:
    """The lines of one fenced block."""
    end = ""
    for line in lines:
        if line == "```\n" and not end:
            return
        yield line
        opened = re.search(r"<<'(\w+)'$", line.rstrip())
        end = opened[1] if opened else "" if line.rstrip() == end else end
