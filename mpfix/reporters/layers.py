"""The table of layers and their dtypes: as text, as one line for each layer, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from mpfix.diagnostic import Span
from mpfix.report import LayerReport, LayerRow
from mpfix.reporters.frames import place
from mpfix.reporters.lines import printable

SCHEMA_VERSION = 1
_NOBODY_KNOWS = "?"


def layers_text(report: LayerReport) -> str:
    """One table for each file, and a line that counts."""
    lines: list[str] = []
    for (filename, keras), rows in groupby(_by_generation(report), key=lambda row: (row.span.filename, row.keras)):
        lines += [f"{filename} (Keras {keras})", *_table([_cells(row) for row in rows]), ""]
    return "".join(f"{line}\n" for line in [*lines, _summary(report)])


def layers_concise(report: LayerReport) -> str:
    """`path:row:column: Layer dtype on Keras 3: why` for each layer."""
    lines = (
        f"{place(row.span)}: {_layer(row)} {row.dtype or _NOBODY_KNOWS} on Keras {row.keras}: {_why(row)}"
        for row in report.layers
    )
    return "".join(f"{line}\n" for line in lines)


def layers_json(report: LayerReport, *, version: str) -> str:
    """The whole table as one JSON document; positions as in the report of diagnostics."""
    counts = Counter(row.dtype for row in report.layers)
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "mpfix", "version": version},
        "summary": {
            "files": report.files,
            "layers": len(report.layers),
            "dtypes": {str(dtype): count for dtype, count in sorted(counts.items(), key=str) if dtype is not None},
            "unknown": counts[None],
        },
        "layers": [_object(row) for row in report.layers],
        "errors": [{"filename": error.filename, "message": error.message, "rule": None} for error in report.errors],
    }
    return json.dumps(document, indent=2) + "\n"


def _by_generation(report: LayerReport) -> list[LayerRow]:
    return sorted(report.layers, key=lambda row: (row.span.filename, row.keras))


def _object(row: LayerRow) -> dict[str, object]:
    return {
        **_place(row.span),
        "end_location": {"row": row.span.end.row, "column": row.span.end.column},
        "layer": row.layer,
        "name": row.name,
        "dtype": row.dtype,
        "policy": row.policy,
        "reason": row.reason,
        "decided": None if row.decided is None else _place(row.decided),
        "guard": row.guard,
        "keras": row.keras,
    }


def _place(span: Span) -> dict[str, object]:
    start = {"row": span.start.row, "column": span.start.column}
    return {"filename": span.filename, "cell": span.cell, "location": start}


def _cells(row: LayerRow) -> tuple[str, ...]:
    cell = f"cell {row.span.cell}:" if row.span.cell is not None else ""
    return (
        f"{cell}{row.span.start.row}:{row.span.start.column}",
        _layer(row),
        row.dtype or _NOBODY_KNOWS,
        _why(row),
    )


def _layer(row: LayerRow) -> str:
    return row.layer if row.name is None else f'{row.layer} "{printable(row.name)}"'


def _why(row: LayerRow) -> str:
    policy = f" ({row.policy})" if row.policy not in (None, row.dtype) else ""
    where = f" at {place(row.decided)}" if row.decided is not None else ""
    when = f", when {printable(row.guard)}" if row.guard is not None else ""
    return f"{row.reason}{where}{policy}{when}"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _summary(report: LayerReport) -> str:
    if not report.layers:
        return "No layers."
    counts = Counter(row.dtype or "unknown" for row in report.layers)
    named = ", ".join(f"{count} {dtype}" for dtype, count in sorted(counts.items()))
    return f"{len(report.layers)} layer{'' if len(report.layers) == 1 else 's'}: {named}."
