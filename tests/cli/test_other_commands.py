from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpfix import __version__
from mpfix.registry import load_registry
from mpfix.settings import KEYS

Command = Callable[..., Any]


def test_version(mpfix: Command) -> None:
    assert (mpfix("--version").status, mpfix("--version").out) == (0, f"mpfix {__version__}\n")


def test_module_can_be_run() -> None:
    done = subprocess.run([sys.executable, "-m", "mpfix", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout == f"mpfix {__version__}\n"


def test_without_a_command_help_is_shown_and_nothing_passes(mpfix: Command) -> None:
    result = mpfix()

    assert result.status == 2
    assert "Commands:" in result.err


@pytest.mark.parametrize("command", ["check", "apply", "rule", "rules", "settings"])
def test_every_command_has_help(mpfix: Command, command: str) -> None:
    result = mpfix(command, "--help")

    assert result.status == 0
    assert result.out.startswith(f"Usage: mpfix {command} ")


def test_rule_prints_the_page_by_code_and_by_name(mpfix: Command) -> None:
    registry = load_registry()
    page = registry.page(registry.find("MP301"))

    assert mpfix("rule", "MP301").out == page
    assert mpfix("rule", "mp301").out == page
    assert mpfix("rule", "half-softmax-head").out == page


def test_rule_page_is_rendered_on_a_terminal(mpfix: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpfix.cli.console.is_terminal", lambda: True)

    shown = mpfix("rule", "MP301").out

    assert "half-softmax-head" in shown
    assert "# half-softmax-head" not in shown
    assert "```" not in shown


def test_unknown_rule_names_the_nearest(mpfix: Command) -> None:
    result = mpfix("rule", "MP391")

    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("mpfix: unknown rule `MP391`; the nearest is `MP")


def test_rules_lists_all_with_severities_and_fix(mpfix: Command) -> None:
    result = mpfix("rules")

    heading, *rows = result.out.splitlines()
    assert heading.split() == ["code", "name", "Keras", "2", "Keras", "3", "fix"]
    assert [row.split()[0] for row in rows] == [rule.code for rule in load_registry().rules]
    assert ["MP301", "half-softmax-head", "warning", "error", "yes"] in [row.split() for row in rows]


def test_settings_name_every_key_and_its_origin(mpfix: Command, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.mpfix]\nkeras = "2"\nper-file-ignores = {"a.py" = ["MP3"]}\n')

    lines = mpfix("settings").out.splitlines()

    assert 'keras = "2"  # pyproject.toml' in lines
    assert 'per-file-ignores = { "a.py" = ["MP3"] }  # pyproject.toml' in lines
    assert 'fail-on = "warning"  # default' in lines
    assert [key for key in KEYS if not any(line.removeprefix("# ").startswith(f"{key} =") for line in lines)] == []


def test_settings_can_be_fed_back(mpfix: Command, tmp_path: Path) -> None:
    (tmp_path / "shown.toml").write_text(mpfix("settings", "--isolated").out)

    assert mpfix("settings", "--config", "shown.toml").status == 0
