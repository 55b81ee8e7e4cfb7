"""`mpfix rules`: one line for each rule."""

from __future__ import annotations

from mpfix.cli import console
from mpfix.cli.options import Config, Isolated, installed_rules
from mpfix.rule import Rule

HEADINGS = ("code", "name", "Keras 2", "Keras 3", "fix")


def rules(config: Config = None, isolated: Isolated = False) -> None:
    """List all rules: code, name, severity for each Keras generation, fix."""
    registry = installed_rules(config=config, isolated=isolated)
    table = [HEADINGS, *(_row(rule) for rule in registry.rules)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        console.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")


def _row(rule: Rule) -> tuple[str, ...]:
    severities = (rule.severity.get(generation) for generation in (2, 3))
    return (
        rule.code,
        rule.name,
        *("-" if severity is None else severity.value for severity in severities),
        "yes" if rule.fixable else "-",
    )
