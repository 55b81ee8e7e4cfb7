"""The tables of API facts: one TOML file each, read when first asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@cache
def load_table(name: str) -> dict[str, Any]:
    """The contents of `tables/<name>.toml`."""
    path = Path(__file__).with_name(f"{name}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def function_rows() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each function that `tables/functions.toml` names, by canonical key, with the fields of its row."""
    for fields in load_table("functions")["row"]:
        for key, _ in examples_of(fields["example"]):
            yield key, fields


def examples_of(text: str) -> Iterator[tuple[str, str]]:
    """The key and the text of each example in a field of a row."""
    return ((line.partition("(")[0], line) for line in text.splitlines() if line)
