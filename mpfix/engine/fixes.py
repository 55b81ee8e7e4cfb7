"""Repairs become offers: edits as text, tried on a copy of the component, refused when they do not help.

A fix is offered only if the component, analysed again with it, has lost the finding and gained none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mpfix.diagnostic import Applicability, Edit, Fix
from mpfix.engine.plan import FileEdits, Offer, combined, overlaps, smallest
from mpfix.engine.run_rules import Component, Judged, Judgement, edits_of, judge
from mpfix.engine.statements import Statements, report_span
from mpfix.errors import SourceError
from mpfix.record import record
from mpfix.report import RunError
from mpfix.rewriting.refused import RewriteRefused
from mpfix.rule import FixIntent, Rule
from mpfix.semantic.syntax import Module, SyntaxProblem, parse_module
from mpfix.source.document import Document, TextEdit, UnwritableEdit

Veto = Callable[[str, FileEdits], str | None]
"""Why a repair of a finding with this code may not change a file in this way; None where it may."""

Tally = Counter[tuple[str, str]]
"""How often each (code, text of the statement) is found: what stays equal when lines move."""

_NOT_GONE = "the finding would stay: analysed again with this repair, the code still shows it"
_GAINED = "analysed again with this repair, the code shows a new finding of {}"
_BROKEN = "the repaired text would not parse"
_NOT_TRIED = "the analysis stopped at its bound on repairs that are tried together; apply the others first"

TRIAL_STEPS = 2_000_000
"""Steps of the interpreter that trials of repairs may take before a batch that does not pass is given up as it is."""


@record
class Tried:
    """A finding with the repair that passed, or the reason why it has none."""

    judged: Judged
    offer: Offer | None = None
    reason: str | None = None
    error: RunError | None = None

    def fix(self, documents: Mapping[str, Document]) -> Fix | None:
        """The repair as reports show it."""
        return None if self.offer is None else shown_fix(self.offer, documents)


def _no_veto(code: str, part: FileEdits) -> str | None:
    return None


@dataclass(frozen=True)
class Trial:
    """A component as it stands, against which repairs are judged."""

    component: Component
    judgement: Judgement
    rules: tuple[Rule, ...]
    """The rules that `judgement` comes from: all of them, so that no repair hides behind a selection."""
    with_notes: frozenset[str] = frozenset()
    veto: Veto = _no_veto

    @cached_property
    def documents(self) -> Mapping[str, Document]:
        """The component's documents by name."""
        return {module.document.display: module.document for module in self.component.modules}

    @cached_property
    def statements(self) -> Mapping[Module, Statements]:
        """The statements of each module."""
        return {module: Statements(module) for module in self.component.modules}

    @cached_property
    def tally(self) -> Tally:
        """What is found now."""
        return _tally(self.judgement, self.statements)

    @cached_property
    def known_statements(self) -> frozenset[str]:
        """Texts of all statements as they stand."""
        return frozenset().union(*(statements.texts for statements in self.statements.values()))

    def repair(self, judged: Judged) -> Tried:
        """The first repair of the finding that can be written and helps; repairs to be shown only are not tried."""
        reason = judged.unfixable_reason
        for intent in judged.fixes:
            tried = self._offer(judged, intent)
            if tried.offer is not None or tried.error is not None:
                return tried
            reason = tried.reason
        return Tried(judged, reason=reason)

    def objection(self, files: Sequence[FileEdits], gone: Mapping[str, int]) -> str | None:
        """Why the edits may not be written: they must remove `gone` findings of each code and add none.

        Returns:
            The reason for people; None when there is none.
        """
        after = self._after(tuple(files))
        if isinstance(after, str):
            return after
        return _difference(self, after, gone)

    def repair_together(self, findings: Sequence[Judged]) -> list[Tried]:
        """As `repair` for each finding, but in batches: one analysis of a large component costs seconds.

        A batch that does not pass is tried in two parts, what looks guilty and the rest, until what is wrong stands
        alone.
        """
        tried = [self._first_built(judged) for judged in findings]
        waiting = [t for t in tried if t.offer is not None and t.offer.applicability is not Applicability.DISPLAY_ONLY]
        refused: dict[int, str] = {}
        while waiting:
            chosen: list[Tried] = []
            for one in waiting:
                if not any(overlaps(_offer_of(one), _offer_of(other)) for other in chosen):
                    chosen.append(one)
            self._try_batch(chosen, refused)
            taken = set(map(id, chosen))
            waiting = [one for one in waiting if id(one) not in taken]
        return [Tried(t.judged, reason=refused[id(t)]) if id(t) in refused else t for t in tried]

    def _first_built(self, judged: Judged) -> Tried:
        tried = Tried(judged, reason=judged.unfixable_reason)
        for intent in judged.fixes:
            tried = self._built(judged, intent)
            if tried.offer is not None or tried.error is not None:
                break
        return tried

    def _try_batch(self, batch: list[Tried], refused: dict[int, str]) -> None:
        """Try repairs that do not overlap; note the reason for each that does not pass."""
        if self._steps[0] > TRIAL_STEPS:
            refused.update((id(tried), _NOT_TRIED) for tried in batch)
            return
        offers = [_offer_of(tried) for tried in batch]
        objection = combination_objection(self, offers)
        if objection is None:
            return
        if len({offer.files for offer in offers}) == 1:
            refused.update((id(tried), objection) for tried in batch)
            return
        for part in self._parts(batch):
            self._try_batch(part, refused)

    def _parts(self, batch: list[Tried]) -> tuple[list[Tried], list[Tried]]:
        """What looks guilty of the objection to a batch, and the rest; its halves where that says nothing."""
        after = self._after(combined([_offer_of(tried) for tried in batch]))
        if not isinstance(after, str):
            guilty = [tried for tried in batch if self._looks_guilty(tried, after)]
            if 0 < len(guilty) < len(batch):
                return guilty, [tried for tried in batch if tried not in guilty]
        middle = len(batch) // 2
        while middle < len(batch) - 1 and _offer_of(batch[middle]).files == _offer_of(batch[middle - 1]).files:
            middle += 1
        return batch[:middle], batch[middle:]

    def _looks_guilty(self, tried: Tried, after: _After) -> bool:
        """Whether the finding is still there, or a file that the repair changes has new findings."""
        judged = tried.judged
        statements = self.statements[judged.place.module]
        found = (judged.rule.code, statements.text(statements.around(judged.place.node)))
        if after.tally[found] >= self.tally[found]:
            return True
        before, now = self.judgement.by_file, after.by_file
        changed = {part.filename for part in _offer_of(tried).files}
        return any(now[name, code] > before[name, code] for name, code in now if name in changed)

    def _offer(self, judged: Judged, intent: FixIntent) -> Tried:
        tried = self._built(judged, intent)
        if tried.offer is None or tried.offer.applicability is Applicability.DISPLAY_ONLY:
            return tried
        objection = self.objection(tried.offer.files, {judged.rule.code: 1})
        return Tried(judged, None, objection) if objection else tried

    def _built(self, judged: Judged, intent: FixIntent) -> Tried:
        """The repair as text, not yet tried."""
        if not set(self.component.generations) <= set(intent.generations):
            only = ", ".join(str(generation) for generation in intent.generations)
            return Tried(judged, reason=f"the repair is right on Keras {only} only")
        # imported when a repair is built: it loads LibCST
        from mpfix.rewriting.splice import resolve

        edits = edits_of(judged.rule, intent, self.component)
        if isinstance(edits, RunError):
            return Tried(judged, error=edits)
        outside = next((part.module for part in edits if part.module not in self.component.modules), None)
        if outside is not None:
            return Tried(judged, reason=self._why_outside(outside.document.display))
        try:
            files = tuple(_file_edits(part.module.document, resolve(part)) for part in edits)
        except RewriteRefused as refusal:
            return Tried(judged, reason=str(refusal))
        if not any(part.edits for part in files):
            return Tried(judged, reason="the repair changes nothing")
        vetoed = next((why for part in files if (why := self.veto(judged.rule.code, part))), None)
        if vetoed is not None:
            return Tried(judged, reason=vetoed)
        span = report_span(judged.place)
        offer = Offer(judged.rule.code, span, intent.title, intent.applicability, intent.effect, files)
        if intent.applicability is Applicability.DISPLAY_ONLY:
            return Tried(judged, offer, intent.reason)
        return Tried(judged, offer)

    def _why_outside(self, name: str) -> str:
        unit = self.component.unit
        if unit is not None and name in unit.excluded:
            return f"the repair changes `{name}` too, which the settings exclude"
        return f"the repair changes `{name}` too: give that path as well"

    @cached_property
    def _steps(self) -> list[int]:
        """How many steps the trials took so far, its only item."""
        return [0]

    @cached_property
    def _memory(self) -> dict[tuple[FileEdits, ...], _After | str]:
        """Findings of one training step share one repair: it is analysed once."""
        return {}

    def _after(self, files: tuple[FileEdits, ...]) -> _After | str:
        if files not in self._memory:
            self._memory[files] = self._analysed(files)
        return self._memory[files]

    def _analysed(self, files: tuple[FileEdits, ...]) -> _After | str:
        try:
            component = edited(self.component, files)
        except SyntaxProblem:
            return _BROKEN
        except (UnwritableEdit, SourceError) as error:
            return str(error)
        judgement = judge(component, self.rules, with_notes=self.with_notes)
        self._steps[0] += judgement.steps
        if len(judgement.errors) > len(self.judgement.errors):
            return f"the repaired text cannot be analysed: {judgement.errors[0].message}"
        statements = {module: Statements(module) for module in component.modules}
        return _After(_tally(judgement, statements), judgement.by_file)


@record
class _After:
    """What is found once edits are in place."""

    tally: Tally
    by_file: Counter[tuple[str, str]]


def _offer_of(tried: Tried) -> Offer:
    assert tried.offer is not None
    return tried.offer


def edited(component: Component, files: Iterable[FileEdits]) -> Component:
    """The component with edits in its files, parsed again.

    Raises:
        SyntaxProblem: the new text is not Python.
        UnwritableEdit, SourceError: a document cannot take the edits.
    """
    edits = {part.filename: part.edits for part in files if part.edits}
    modules = []
    for module in component.modules:
        wanted = edits.get(module.document.display)
        modules.append(parse_module(module.document.with_edits(wanted), module.name) if wanted else module)
    return component.with_modules(tuple(modules))


def combination_objection(trial: Trial, offers: Sequence[Offer]) -> str | None:
    """Why the offers may not be written together; None when they may."""
    judged = {rule.code for rule in trial.rules}
    # what the engine says of comments is no finding of the program
    gone = Counter(offer.code for offer in offers if offer.code in judged)
    return trial.objection(combined(offers), gone)


def shown_fix(offer: Offer, documents: Mapping[str, Document]) -> Fix:
    """The offer as reports show it: edits with rows and columns."""
    edits = tuple(_shown_edit(edit, documents[part.filename]) for part in offer.files for edit in part.edits)
    return Fix(offer.title, offer.applicability, offer.effect, edits)


def _file_edits(document: Document, edits: Iterable[TextEdit]) -> FileEdits:
    return FileEdits(document.display, tuple(smallest(edit, document) for edit in edits))


def _shown_edit(edit: TextEdit, document: Document) -> Edit:
    return Edit(document.span_between(edit.start, edit.end), edit.content)


def _tally(judgement: Judgement, statements: Mapping[Module, Statements]) -> Tally:
    return Counter(
        (
            judged.rule.code,
            statements[judged.place.module].text(statements[judged.place.module].around(judged.place.node)),
        )
        for judged in judgement.findings
    )


def _difference(trial: Trial, after: _After, gone: Mapping[str, int]) -> str | None:
    """Why a component that is found like `after` is not better than before."""
    before = trial.tally
    by_code, by_code_after = _by_code(before), _by_code(after.tally)
    for code, count in sorted(by_code_after.items()):
        if count > by_code[code]:
            return _GAINED.format(code)
    for code, count in sorted(gone.items()):
        if by_code_after[code] > by_code[code] - count:
            return _NOT_GONE
    for (code, text), count in sorted(after.tally.items()):
        # a statement that stood there without the finding must not have it now; an edited one may keep what it had
        if count > before[code, text] and text in trial.known_statements:
            return _GAINED.format(code)
    return None


def _by_code(tally: Tally) -> Counter[str]:
    counts: Counter[str] = Counter()
    for (code, _), count in tally.items():
        counts[code] += count
    return counts
