"""What a run reports: diagnostics, their fixes, and where they are. Frozen data, no syntax nodes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mpfix.record import record


class Severity(Enum):
    """How bad a diagnostic is: `error` (wrong or crashing), `warning` (likely harm), `note` (explanation)."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for `note`, 1 for `warning`, 2 for `error`: larger is worse."""
        return {"note": 0, "warning": 1, "error": 2}[self.value]

    def lowered(self) -> Severity:
        """The next milder severity; `note` stays `note`."""
        return Severity.WARNING if self is Severity.ERROR else Severity.NOTE


class Applicability(Enum):
    """Who may apply a fix: `safe` by default, `unsafe` on request, `display-only` nobody but a person."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    DISPLAY_ONLY = "display-only"


class Effect(Enum):
    """What a fix does to the numbers of the training run."""

    BITWISE_EQUAL = "bitwise-equal"
    TOLERANCE_EQUAL = "tolerance-equal"
    REPAIRS = "repairs"
    CHANGES_TRAINING = "changes-training"


@dataclass(frozen=True, order=True, slots=True)
class Position:
    """A place in a report: 1-based row and column, the column in code points."""

    row: int
    column: int


@record
class Span:
    """A half-open range in one file; for a notebook `cell` is 1-based over all cells and rows count inside it."""

    filename: str
    start: Position
    end: Position
    cell: int | None = None


@record
class Edit:
    """One replacement of `span` by `content`, as reports show it."""

    span: Span
    content: str


@record
class Fix:
    """A whole repair: all `edits` or none."""

    message: str
    applicability: Applicability
    effect: Effect
    edits: tuple[Edit, ...]


@record
class Related:
    """A place that explains a diagnostic, such as the line that set the policy."""

    span: Span
    message: str


@record
class Diagnostic:
    """One finding as a user sees it."""

    code: str
    name: str
    severity: Severity
    message: str
    span: Span
    guard: str | None = None
    """The condition under which it holds, as text; None when it always does."""
    keras: str | None = None
    """Generation(s) it holds for: `"2"`, `"3"`, `"2+3"`; None where the generation does not matter."""
    related: tuple[Related, ...] = ()
    fix: Fix | None = None
    unfixable_reason: str | None = None

    @property
    def sort_key(self) -> tuple[object, ...]:
        """Order of every report: file, cell, position, code."""
        span = self.span
        return (span.filename, span.cell or 0, span.start, span.end, self.code, self.message)
