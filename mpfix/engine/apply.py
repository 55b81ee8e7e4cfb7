"""Fixes written: plan, try together, apply, analyse again, until nothing changes."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mpfix.engine.analysis import Analysis
from mpfix.engine.fixes import Trial, combination_objection, edited
from mpfix.engine.plan import Offer, combined, plan_fixes
from mpfix.engine.run_rules import Component
from mpfix.record import record
from mpfix.report import FileDiff, RunError, SkippedFix
from mpfix.source.document import Document
from mpfix.source.lines import split_lines

MAX_ROUNDS = 10
_CYCLE = "fixes undo each other: writing it would bring back an earlier text"
_UNSETTLED = f"the file is still not settled after {MAX_ROUNDS} rounds of fixes"

Reanalyse = Callable[[Component], Analysis]
Objection = Callable[[Document], str | None]


@record
class Settled:
    """A component after its last round: the analysis of what it became, and how that came about."""

    first: Analysis
    last: Analysis
    fixed: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[SkippedFix, ...] = ()

    def told(self) -> Settled:
        """The same without syntax trees."""
        return replace(self, first=self.first.told(), last=self.last.told())

    @property
    def changes(self) -> tuple[tuple[Document, Document], ...]:
        """(before, after) of every document whose bytes changed."""
        pairs = zip(self.first.documents, self.last.documents, strict=True)
        return tuple((old, new) for old, new in pairs if old.original_bytes != new.original_bytes)


def unsettled(first: Analysis, error: RunError) -> Settled:
    """A component that stays as it was because of `error`."""
    names = tuple(document.display for document in first.documents)
    failed = replace(first, errors=(*first.errors, error), failed=names)
    return Settled(failed, failed)


def settle(first: Analysis, reanalyse: Reanalyse, *, unsafe_fixes: bool, objection: Objection | None = None) -> Settled:
    """Write fixes, analyse again, until no allowed fix is left.

    A text that was there before ends the rounds: what would bring it back is skipped.

    Args:
        objection: why a document cannot be written, as the end of a sentence, or None; a fix that needs such a one is
            skipped as a whole, and the file is an error of the run.
    """
    gate = _Gate(first, objection)
    settled = _rounds(first, reanalyse, gate, unsafe_fixes=unsafe_fixes)
    return replace(settled, last=gate.with_errors(settled.last))


@dataclass
class _Gate:
    """Which files may be written; asked once for each, when a fix first wants to."""

    first: Analysis
    objection: Objection | None
    refused: dict[str, str | None] = field(default_factory=dict)

    def __call__(self, name: str) -> str | None:
        if self.objection is None:
            return None
        if name not in self.refused:
            document = next(document for document in self.first.documents if document.display == name)
            self.refused[name] = self.objection(document)
        return self.refused[name]

    def with_errors(self, last: Analysis) -> Analysis:
        """The last analysis with an error for each file that some fix was refused for."""
        errors = [RunError(name, why) for name, why in sorted(self.refused.items()) if why]
        if not errors:
            return last
        return replace(last, errors=(*last.errors, *errors), failed=tuple(error.filename for error in errors))


def _rounds(first: Analysis, reanalyse: Reanalyse, gate: _Gate, *, unsafe_fixes: bool) -> Settled:
    current, fixed, seen = first, Counter[str](), {_texts(first)}
    for _ in range(MAX_ROUNDS):
        plan = plan_fixes(current.offers, unsafe_fixes=unsafe_fixes, objection=gate)
        if current.trial is None or not plan.chosen:
            return Settled(first, current, fixed, plan.skipped)
        kept, dropped = _compatible(current.trial, plan.chosen)
        skipped = (*plan.skipped, *dropped)
        if not kept:
            return Settled(first, current, fixed, skipped)
        following = reanalyse(edited(current.trial.component, combined(kept)))
        if _texts(following) in seen:
            return Settled(first, current, fixed, (*skipped, *(offer.skipped(_CYCLE) for offer in kept)))
        seen.add(_texts(following))
        fixed.update(offer.code for offer in kept)
        current = following
    left = plan_fixes(current.offers, unsafe_fixes=unsafe_fixes, objection=gate).chosen
    return Settled(first, current, fixed, tuple(offer.skipped(_UNSETTLED) for offer in left))


def unified_diff(before: Document, after: Document) -> FileDiff:
    """What changed in one file; in a notebook cell by cell, each under the name `file:cell N`."""
    old, new = _parts(before), _parts(after)
    text = "".join(_part_diff(name, old[name], new.get(name, "")) for name in old if old[name] != new.get(name))
    return FileDiff(before.display, text)


def _compatible(trial: Trial, chosen: Sequence[Offer]) -> tuple[tuple[Offer, ...], tuple[SkippedFix, ...]]:
    """The fixes that help together; where all of them do not, those that do when they are added one by one."""
    if len(chosen) == 1 or combination_objection(trial, chosen) is None:
        return tuple(chosen), ()
    kept: list[Offer] = []
    dropped: list[SkippedFix] = []
    for offer in chosen:
        objection = combination_objection(trial, [*kept, offer])
        if objection is None:
            kept.append(offer)
        else:
            dropped.append(offer.skipped(f"it does not go together with the other fixes: {objection}"))
    return tuple(kept), tuple(dropped)


def _texts(analysis: Analysis) -> tuple[bytes, ...]:
    return tuple(document.original_bytes for document in analysis.documents)


def _parts(document: Document) -> dict[str, str]:
    """The texts that a diff compares, by the name that it gives them."""
    if document.kind != "ipynb":
        return {document.display: document.text}
    from mpfix.source.notebook import cell_sources

    sources = cell_sources(document.original_bytes, document.display)
    return {f"{document.display}:cell {number}": source for number, source in sources.items()}


def _part_diff(name: str, old: str, new: str) -> str:
    lines = difflib.unified_diff(split_lines(old), split_lines(new), name, name)
    return "".join(line if line.endswith("\n") else _without_newline(line) for line in lines)


def _without_newline(line: str) -> str:
    """A line of a diff that ends without LF: the last one of a text, or one that ends in CR."""
    return f"{line}\n" if line.endswith("\r") else f"{line}\n\\ No newline at end of file\n"
