"""Places in the text of a notebook, told as people count them: by cell, and by row in the cell."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from mpfix.validate.runner import ChildResult

Cells = Mapping[str, tuple[tuple[int, int], ...]]


def in_cells(result: ChildResult, cells: Cells) -> ChildResult:
    """The record with `book.ipynb:38` as `book.ipynb:cell 8:10` wherever it stands, in tracebacks too."""
    lines = result.lines
    for path, starts in cells.items():
        place = re.compile(rf"{re.escape(path)}(?::(?P<short>[0-9]+)|\", line (?P<long>[0-9]+))")
        lines = tuple(_mapped(line, partial(place.sub, partial(_in_cell, path, starts))) for line in lines)
    return replace(result, lines=lines)


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    return [_mapped(item, change) for item in value] if isinstance(value, list) else value


def _in_cell(path: str, starts: tuple[tuple[int, int], ...], match: re.Match[str]) -> str:
    line = int(match["short"] or match["long"])
    first, number = starts[max(bisect_right(starts, line, key=lambda start: start[0]) - 1, 0)]
    row = line - first + 1
    return f"{path}:cell {number}:{row}" if match["short"] else f'{path}", cell {number}, line {row}'
