"""`mpfix settings`: what is in force, and where each value came from."""

from __future__ import annotations

import json

from mpfix.cli import console
from mpfix.cli.options import Config, Isolated, Paths, anchor
from mpfix.settings import load_settings


def settings(paths: Paths = None, config: Config = None, isolated: Isolated = False) -> None:
    """Show the settings in force, and where each came from."""
    in_force = load_settings(anchor(paths), config=config, isolated=isolated)
    console.write(f"# settings file: {in_force.file or 'none'}\n")
    for key, value, origin in in_force.items():
        console.write(f"{_line(key, value)}  # {origin}\n")


def _line(key: str, value: object) -> str:
    """One key as TOML; a key without a value is commented out, since TOML has no null."""
    if value is None:
        return f"# {key} ="
    if key == "per-file-ignores" and isinstance(value, tuple):
        pairs = ", ".join(f"{json.dumps(glob)} = {json.dumps(list(selectors))}" for glob, selectors in value)
        return f"{key} = {{{f' {pairs} ' if pairs else ''}}}"
    return f"{key} = {json.dumps(list(value) if isinstance(value, tuple) else value)}"
