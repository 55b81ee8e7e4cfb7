"""The engine on the fake pack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_pack import fake_interpret

from mpfix.engine import run_rules
from mpfix.registry import RegisteredRule, Registry, load_registry
from mpfix.rule import Rule
from mpfix.settings import Settings

RegistryMaker = Callable[..., Registry]


@pytest.fixture
def registry_of(monkeypatch: pytest.MonkeyPatch) -> RegistryMaker:
    """`registry_of(rule, ...)`: these rules and those of the engine, on the fake program."""
    monkeypatch.setattr(run_rules, "interpret", fake_interpret)
    engine = tuple(entry for entry in load_registry().registered if entry.rule.family == run_rules.ENGINE_FAMILY)

    def make(*rules: Rule) -> Registry:
        return Registry((*engine, *(RegisteredRule(rule, "fake_pack") for rule in rules)))

    return make


@pytest.fixture
def three() -> Settings:
    """Settings for Keras 3."""
    return Settings(keras="3")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """`write(source)`: `train.py` in the working directory."""
    monkeypatch.chdir(tmp_path)

    def make(source: str) -> Path:
        path = tmp_path / "train.py"
        path.write_text(source, encoding="utf-8", newline="")
        return path

    return make
