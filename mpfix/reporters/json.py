"""The report as one JSON document, `schema_version` 1: for programs.

Rows and columns are 1-based, columns in code points, ends exclusive; in a notebook rows count inside the 1-based cell.
"""

from __future__ import annotations

import json as encoder

from mpfix.diagnostic import Applicability, Diagnostic, Edit, Fix, Position, Related, Severity
from mpfix.report import Report

SCHEMA_VERSION = 1

JsonObject = dict[str, object]


def json(report: Report, *, version: str) -> str:
    """The whole report; `version` is the one of mpfix. ASCII only, so that any terminal or pipe carries it."""
    document: JsonObject = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "mpfix", "version": version},
        "summary": _summary(report),
        "diagnostics": [_diagnostic(item) for item in report.diagnostics],
        "errors": [
            {"filename": error.filename, "message": error.message, "rule": error.rule} for error in report.errors
        ],
    }
    return encoder.dumps(document, indent=2) + "\n"


def _summary(report: Report) -> JsonObject:
    fixes = [item.fix.applicability for item in report.diagnostics if item.fix is not None]
    return {
        "files": {"analysed": report.analysed, "irrelevant": report.irrelevant, "failed": report.failed},
        "severities": {
            severity.value: sum(item.severity is severity for item in report.diagnostics) for severity in Severity
        },
        "codes": dict(report.by_code),
        "fixable": {applicability.value: fixes.count(applicability) for applicability in Applicability},
        "suppressed": report.suppressed,
        "fixed": dict(report.fixed),
        "written": list(report.written),
        "skipped_fixes": [
            {
                "code": skipped.code,
                "filename": skipped.span.filename,
                "cell": skipped.span.cell,
                "location": _position(skipped.span.start),
                "message": skipped.title,
                "reason": skipped.reason,
            }
            for skipped in report.skipped_fixes
        ],
        "generations": [
            {"filename": used.filename, "keras": used.keras, "reason": used.reason, "by_default": used.by_default}
            for used in report.generations
        ],
    }


def _diagnostic(item: Diagnostic) -> JsonObject:
    return {
        "code": item.code,
        "name": item.name,
        "severity": item.severity.value,
        "message": item.message,
        "filename": item.span.filename,
        "location": _position(item.span.start),
        "end_location": _position(item.span.end),
        "cell": item.span.cell,
        "guard": item.guard,
        "fix": None if item.fix is None else _fix(item.fix),
        "unfixable_reason": item.unfixable_reason,
        "related": [_related(related) for related in item.related],
        "keras": item.keras,
        # rule pages are printed by `mpfix rule`; no address serves them
        "url": None,
    }


def _fix(fix: Fix) -> JsonObject:
    return {
        "applicability": fix.applicability.value,
        "effect": fix.effect.value,
        "message": fix.message,
        "edits": [_edit(edit) for edit in fix.edits],
    }


def _edit(edit: Edit) -> JsonObject:
    return {
        "filename": edit.span.filename,
        "cell": edit.span.cell,
        "content": edit.content,
        "location": _position(edit.span.start),
        "end_location": _position(edit.span.end),
    }


def _related(related: Related) -> JsonObject:
    return {
        "filename": related.span.filename,
        "cell": related.span.cell,
        "location": _position(related.span.start),
        "message": related.message,
    }


def _position(position: Position) -> dict[str, int]:
    return {"row": position.row, "column": position.column}
