"""A validation as one JSON document, `schema_version` 1: for programs. Bytes, seconds and shares are plain numbers."""

from __future__ import annotations

import json as encoder
import math
from dataclasses import fields, is_dataclass
from enum import Enum

from mpfix.validation import Spread, ValidationReport

SCHEMA_VERSION = 1


def validation_json(report: ValidationReport, *, version: str) -> str:
    """The whole report; `version` is the one of mpfix."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "mpfix", "version": version},
        "has_regression": report.has_regression,
        **_object(report),
    }
    return encoder.dumps(document, indent=2, allow_nan=False) + "\n"


def _object(value: object) -> dict[str, object]:
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}  # type: ignore[arg-type]


def _plain(value: object) -> object:
    """The value in JSON; a number that is not finite becomes text, which JSON has no number for."""
    if isinstance(value, Spread):
        return {"median": value.middle, "values": list(value.values)}
    if is_dataclass(value):
        return _object(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
