"""`mpfix rule`: the page of one rule."""

from __future__ import annotations

from mpfix.cli import console
from mpfix.cli.options import Config, Isolated, RuleName, installed_rules


def rule(name: RuleName, config: Config = None, isolated: Isolated = False) -> None:
    """Print the page of a rule: what, why, the right code."""
    registry = installed_rules(config=config, isolated=isolated)
    console.write_page(registry.page(registry.find(name)))
