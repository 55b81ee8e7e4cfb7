"""What a run found and did: frozen data that reporters turn into text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field

from mpfix.diagnostic import Applicability, Diagnostic, Effect, Severity, Span
from mpfix.record import record

DEFAULT_EFFECTS = frozenset({Effect.BITWISE_EQUAL, Effect.TOLERANCE_EQUAL, Effect.REPAIRS})
"""Effects that `apply` writes without being asked twice."""


@record
class RunError:
    """Something that kept a file or a rule from being judged; the run went on and ends with status 2."""

    filename: str
    message: str
    rule: str | None = None
    """Code of the rule that crashed; None where no rule is to blame."""
    detail: str | None = None
    """Traceback of a crash, shown with `-v`; None otherwise."""

    @property
    def sort_key(self) -> tuple[str, str, str]:
        """Order in every report: file, rule, message."""
        return (self.filename, self.rule or "", self.message)


@record
class SkippedFix:
    """A fix that `apply` did not write, and why."""

    code: str
    span: Span
    title: str
    reason: str

    @property
    def sort_key(self) -> tuple[object, ...]:
        """Order in every report: file, cell, position, code."""
        return (self.span.filename, self.span.cell or 0, self.span.start, self.code, self.reason)


@record
class FileDiff:
    """What `apply` changed, or would change, in one file, as a unified diff."""

    filename: str
    text: str


@record
class GenerationUsed:
    """The Keras generation that a file was judged for, and what decided it."""

    filename: str
    keras: str
    """`"2"`, `"3"` or `"2+3"`."""
    reason: str
    by_default: bool = False
    """Nothing in the file or the project decided."""
    only_in_two: str | None = None
    """The first call in the file that exists in generation 2 only, where only the default decided."""


@record
class Report:
    """Everything one run has to say, sorted; `sources` holds the lines that frames are cut from."""

    diagnostics: tuple[Diagnostic, ...] = ()
    errors: tuple[RunError, ...] = ()
    analysed: int = 0
    """Files that were interpreted, or parsed and found broken."""
    irrelevant: int = 0
    """Files that parse and in which no rule can fire."""
    failed: int = 0
    """Files that could not be read, decoded, analysed or written."""
    suppressed: int = 0
    """Findings that a comment in the file silenced."""
    generations: tuple[GenerationUsed, ...] = ()
    fixed: Mapping[str, int] = field(default_factory=dict)
    """Number of findings that were (with `--diff`: would be) repaired, by code."""
    fixed_by_file: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    written: tuple[str, ...] = ()
    """Names of the files that `apply` changed on disk."""
    skipped_fixes: tuple[SkippedFix, ...] = ()
    diffs: tuple[FileDiff, ...] = ()
    stdin_output: bytes | None = None
    """What standard input became, when `apply` read it; None otherwise."""
    sources: Mapping[tuple[str, int | None], tuple[str, ...]] = field(default_factory=dict, repr=False)
    """Lines without line ends by (filename, cell) of every span that `diagnostics` names; cell is None for a script."""

    @property
    def by_code(self) -> Mapping[str, int]:
        """Number of diagnostics of each code, codes sorted."""
        return dict(sorted(Counter(diagnostic.code for diagnostic in self.diagnostics).items()))

    @property
    def fixed_total(self) -> int:
        """Findings repaired in all."""
        return sum(self.fixed.values())

    def count_at_least(self, severity: Severity) -> int:
        """Number of diagnostics as bad as `severity` or worse."""
        return sum(diagnostic.severity.rank >= severity.rank for diagnostic in self.diagnostics)


@record
class LayerRow:
    """What one layer computes in, and why."""

    span: Span
    """Where it is built."""
    layer: str
    """Its class."""
    name: str | None
    """Its `name`, where that is known."""
    dtype: str | None
    """The dtype it computes in; None where nobody knows."""
    policy: str | None
    reason: str
    decided: Span | None
    """Where what decided on it stands."""
    guard: str | None
    """The condition under which it holds, as text; None when it always does."""
    keras: str
    """The generation it was judged for."""

    @property
    def sort_key(self) -> tuple[object, ...]:
        """Order in every report: file, cell, position, then the rest."""
        span = self.span
        place = (span.filename, span.cell or 0, span.start, span.end)
        return (*place, self.keras, self.layer, self.name or "", self.guard or "", self.dtype or "", self.reason)


@record
class LayerReport:
    """The layers of all files, sorted, and what could not be read or parsed."""

    layers: tuple[LayerRow, ...] = ()
    errors: tuple[RunError, ...] = ()
    files: int = 0
    """Files that were looked into."""


def runs_by_default(applicability: Applicability, effect: Effect) -> bool:
    """Whether `apply` writes such a fix without `--unsafe-fixes`."""
    return applicability is Applicability.SAFE and effect in DEFAULT_EFFECTS


def is_allowed(applicability: Applicability, effect: Effect, *, unsafe_fixes: bool) -> bool:
    """Whether `apply` may write such a fix; display-only fixes never are."""
    if applicability is Applicability.DISPLAY_ONLY:
        return False
    return unsafe_fixes or runs_by_default(applicability, effect)
