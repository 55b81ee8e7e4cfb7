"""One file from text to diagnostics: parsed, judged, suppressed; each finding with the repair that passed its trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace

from mpfix.diagnostic import Applicability, Diagnostic, Effect, Severity
from mpfix.engine import suppressions
from mpfix.engine.components import Unit
from mpfix.engine.fixes import Trial, Tried, shown_fix
from mpfix.engine.generations import generation_used, possible_generations
from mpfix.engine.plan import FileEdits, Offer
from mpfix.engine.run_rules import ENGINE_FAMILY, Component, Judged, Judgement, judge, relevant_rules
from mpfix.engine.statements import Statements, report_span
from mpfix.engine.suppressions import Complaint
from mpfix.engine.syntax_errors import syntax_diagnostics
from mpfix.record import record
from mpfix.registry import Registry, Selection
from mpfix.report import GenerationUsed, RunError
from mpfix.rule import Rule
from mpfix.semantic.syntax import Module, Place, SyntaxProblem, parse_module
from mpfix.settings import Settings
from mpfix.source.document import Document

UNUSED_SUPPRESSION = "MP002"
UNKNOWN_SUPPRESSION = "MP003"
ANALYSIS_BOUND = "MP004"


@record
class Job:
    """What every file of a run is judged by."""

    settings: Settings
    registry: Registry
    selection: Selection
    with_fixes: bool = True
    verbose: bool = False
    with_context: bool = True
    """Read the rest of the files' projects too."""

    def may_matter(self, document: Document) -> bool:
        """Whether some selected rule could speak about a document, told from its words alone."""
        text = document.text.lower()
        return any(not rule.words or any(word.lower() in text for word in rule.words) for rule in self.selected_rules)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules to run: with fixes all of them, since no repair may add a finding of any."""
        rules = (rule for rule in self.registry.rules if rule.family != ENGINE_FAMILY)
        return tuple(rule for rule in rules if self.with_fixes or rule.code in self.selection.selected)

    @property
    def selected_rules(self) -> tuple[Rule, ...]:
        """The rules whose findings are wanted."""
        return tuple(rule for rule in self.rules if rule.code in self.selection.selected)

    def reports(self, code: str, ignored: frozenset[str]) -> bool:
        """Whether findings of a code are wanted in a file in which `ignored` codes are not."""
        return code in self.selection.selected and code not in ignored


@record
class Found:
    """A diagnostic, and its repair where one may be written."""

    diagnostic: Diagnostic
    offer: Offer | None = None


@record
class Analysis:
    """What one component has to say."""

    documents: tuple[Document, ...]
    component: Component | None = None
    """None where a file does not parse."""
    found: tuple[Found, ...] = ()
    errors: tuple[RunError, ...] = ()
    suppressed: int = 0
    is_relevant: bool = True
    generation: GenerationUsed | None = None
    trial: Trial | None = field(default=None, repr=False)
    failed: tuple[str, ...] = ()
    """Names of its files on which mpfix failed, or that it could not write."""

    def told(self) -> Analysis:
        """The analysis without its syntax trees, once nothing asks for them any more."""
        return replace(self, component=None, trial=None)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What a user sees of `found`."""
        return tuple(found.diagnostic for found in self.found)

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Repairs that passed their trial."""
        return tuple(found.offer for found in self.found if found.offer is not None)


def analyse_unit(unit: Unit, job: Job) -> Analysis:
    """Analyse the files of a unit; one that does not parse is told about, and the others are judged without it."""
    component, broken = component_of(unit, job.settings)
    if component is None:
        return Analysis(unit.documents, found=_broken_files(broken))
    if relevant_rules(component, job.selected_rules):
        component = with_generations(component, job.settings)
    return analyse(component, job)


def component_of(unit: Unit, settings: Settings) -> tuple[Component | None, tuple[tuple[Document, SyntaxProblem], ...]]:
    """The files of a unit parsed, for any generation, and those that do not parse; None where none of them does."""
    modules: list[Module] = []
    broken: list[tuple[Document, SyntaxProblem]] = []
    for document in unit.documents:
        parsed = _parsed(document, unit)
        if isinstance(parsed, SyntaxProblem):
            broken.append((document, parsed))
        else:
            modules.append(parsed)
    if not modules:
        return None, tuple(broken)
    linked = unit if unit.index is not None else None
    component = Component(
        tuple(modules),
        possible_generations(settings),
        assume_policy=settings.assume_policy,
        broken=tuple(broken),
        unit=linked,
    )
    if unit.context:
        context = (_parsed(document, unit) for document in unit.context)
        component = replace(component, context=tuple(item for item in context if isinstance(item, Module)))
    return component, tuple(broken)


def with_generations(component: Component, settings: Settings) -> Component:
    """The component with the Keras generations that it is to be judged for."""
    generations, used = generation_used(component.all_modules, settings)
    return replace(component, generations=generations, used=used)


def _broken_files(broken: Sequence[tuple[Document, SyntaxProblem]]) -> tuple[Found, ...]:
    return tuple(Found(item) for document, problem in broken for item in syntax_diagnostics(document, problem))


def module_name(document: Document, unit: Unit) -> str:
    """The dotted name of a file below its project's root; `__main__` for one that stands alone."""
    if unit.index is None:
        return "__main__"
    path = unit.paths[document.display][len(unit.index.root) + 1 :]
    return path.rpartition(".")[0].replace("/", ".").removesuffix(".__init__")


def _parsed(document: Document, unit: Unit) -> Module | SyntaxProblem:
    try:
        return parse_module(document, module_name(document, unit))
    except SyntaxProblem as problem:
        return problem


def analyse(component: Component, job: Job) -> Analysis:
    """Judge a component, apply the suppressions in its files, and try the repairs of what is left."""
    is_relevant = bool(relevant_rules(component, job.selected_rules))
    with_notes = job.selection.with_notes
    judgement = judge(component, job.rules, with_notes=with_notes) if is_relevant else Judgement()
    files = [_File(module, job) for module in component.modules]
    by_module = {file.module: file for file in files}
    by_name = {file.module.document.display: file for file in files}
    trial = Trial(
        component, judgement, job.rules, with_notes, lambda code, part: by_name[part.filename].veto(code, part)
    )
    kept, suppressed = [], 0
    for judged in judgement.findings:
        file = by_module[judged.place.module]
        if not job.reports(judged.rule.code, file.ignored):
            continue
        if file.silence(judged):
            suppressed += 1
        else:
            kept.append(judged)
    tried = _tried_all(trial, kept, job)
    crashed = frozenset(error.rule for error in judgement.errors if error.rule)
    found = [
        *(_found(item, trial, job) for item in tried),
        *(found for file in files for found in file.complaints(component, crashed)),
        *_bounds(judgement.cuts, job),
        *_broken_files(component.broken),
        *(Found(item) for document in trial.documents.values() for item in syntax_diagnostics(document, None)),
    ]
    errors = [error for error in judgement.errors if error.rule in job.selection.selected]
    return Analysis(
        documents=(*trial.documents.values(), *(document for document, _ in component.broken)),
        component=component,
        found=tuple(sorted(found, key=lambda item: item.diagnostic.sort_key)),
        errors=(*errors, *(item.error for item in tried if item.error is not None)),
        suppressed=suppressed,
        is_relevant=is_relevant,
        generation=component.used,
        trial=trial,
    )


def _tried_all(trial: Trial, findings: Sequence[Judged], job: Job) -> list[Tried]:
    if len(trial.component.all_modules) == 1 or not job.with_fixes:
        return [_tried(trial, judged, job) for judged in findings]
    fixable = [judged for judged in findings if not judged.fixes or judged.rule.code in job.selection.fixable]
    left = [_tried(trial, judged, job) for judged in findings if judged not in fixable]
    return [*trial.repair_together(fixable), *left]


def _tried(trial: Trial, judged: Judged, job: Job) -> Tried:
    if not job.with_fixes:
        return Tried(judged, reason=judged.unfixable_reason)
    if judged.fixes and judged.rule.code not in job.selection.fixable:
        return Tried(judged, reason=f"the settings leave findings of {judged.rule.code} unfixed")
    return trial.repair(judged)


def _found(tried: Tried, trial: Trial, job: Job) -> Found:
    offer = tried.offer
    if offer is None:
        return Found(tried.judged.diagnostic(None, tried.reason))
    fix = shown_fix(offer, trial.documents)
    diagnostic = tried.judged.diagnostic(fix)
    if offer.applicability is Applicability.DISPLAY_ONLY:
        # a repair for people to copy, and why nobody else may
        return Found(replace(diagnostic, unfixable_reason=tried.reason))
    return Found(diagnostic, offer)


class _File:
    """The suppressions of one module, and which of their codes silenced something."""

    def __init__(self, module: Module, job: Job) -> None:
        self.module = module
        self.job = job
        self.ignored = job.selection.ignored_in(module.document.path)
        self.suppressions = suppressions.read_suppressions(module.document, job.registry.rules)
        self.used: set[int] = set()
        self.statements = Statements(module)

    def silence(self, judged: Judged) -> bool:
        """Whether a comment silences the finding; the comment counts as used."""
        if not self.suppressions:
            return False
        lines = self.statements.around(judged.place.node).lines
        return self._silences(judged.rule.code, lines)

    def veto(self, code: str, part: FileEdits) -> str | None:
        """Why a repair of `code` may not change this file, or a statement of it; None where it may."""
        display = self.module.document.display
        if part.edits and code in self.ignored:
            return f"the repair changes `{display}` too, where `per-file-ignores` silences {code}"
        for suppression in self.suppressions if part.edits else ():
            items = [item for item in suppression.items if item.code == code]
            if items and (suppression.lines is None or not suppression.lines.isdisjoint(self._changed_lines(part))):
                self.used |= {item.start for item in items}
                where = f"`{display}`" if suppression.lines is None else f"line {suppression.line} of `{display}`"
                return f"the repair changes {where} too, where a comment silences {code}"
        return None

    def _changed_lines(self, part: FileEdits) -> set[int]:
        """The lines of all statements and headers that edits change; an insertion between two changes neither."""
        document = self.module.document
        ranges = [
            (document.offset(*one.start), document.offset(*one.end), one.lines) for one in self.statements.extents
        ]
        changed = (
            lines for first, last, lines in ranges for edit in part.edits if first < edit.end and edit.start < last
        )
        return {line for lines in changed for line in lines}

    def complaints(self, component: Component, crashed: frozenset[str]) -> list[Found]:
        """Findings about the comments themselves."""
        job = self.job
        document, found = self.module.document, []
        if job.reports(UNUSED_SUPPRESSION, self.ignored):
            ran = self._codes_that_ran(component, crashed)
            idle = suppressions.unused(document, self.suppressions, frozenset(self.used), ran)
            found += [self._complaint(UNUSED_SUPPRESSION, complaint) for complaint in idle]
        if job.reports(UNKNOWN_SUPPRESSION, self.ignored):
            prefixes = frozenset(rule.code.rstrip("0123456789") for rule in job.registry.rules)
            bad = suppressions.unknown(document, self.suppressions, prefixes, job.registry.hint)
            found += [self._complaint(UNKNOWN_SUPPRESSION, complaint) for complaint in bad]
        return [item for item in found if item is not None]

    def _silences(self, code: str, lines: range) -> bool:
        matching = [suppression for suppression in self.suppressions if suppression.silences(code, lines)]
        self.used |= {item.start for suppression in matching for item in suppression.items if item.code == code}
        return bool(matching)

    def _codes_that_ran(self, component: Component, crashed: frozenset[str]) -> frozenset[str]:
        """Rules that would have told: selected, for a generation in question, not crashed."""
        return frozenset(
            rule.code
            for rule in self.job.rules
            if self.job.reports(rule.code, self.ignored)
            and rule.code not in crashed
            and set(rule.severity) & set(component.generations)
        )

    def _complaint(self, code: str, complaint: Complaint) -> Found | None:
        if self._silences(code, range(complaint.line, complaint.line + 1)):
            return None
        rule = self.job.registry.by_code[code]
        fixable = self.job.with_fixes and code in self.job.selection.fixable
        files = (FileEdits(self.module.document.display, complaint.edits),)
        offer = Offer(code, complaint.span, complaint.title, Applicability.SAFE, Effect.BITWISE_EQUAL, files)
        documents = {self.module.document.display: self.module.document}
        fix = shown_fix(offer, documents) if fixable else None
        severity = max(rule.severity.values(), key=lambda severity: severity.rank)
        diagnostic = Diagnostic(code, rule.name, severity, complaint.message, complaint.span, fix=fix)
        return Found(diagnostic, offer if fixable else None)


def _bounds(cuts: Sequence[tuple[Place, str]], job: Job) -> list[Found]:
    """Where the analysis gave up: told with `-v`, or when it is asked for by its code."""
    if not cuts or not (job.verbose or ANALYSIS_BOUND in job.selection.selected):
        return []
    name = job.registry.by_code[ANALYSIS_BOUND].name
    told = dict.fromkeys((report_span(place), message) for place, message in cuts)
    return [Found(Diagnostic(ANALYSIS_BOUND, name, Severity.NOTE, message, span)) for span, message in told]
