"""One component, all rules: what each rule finds under each Keras generation, merged and told apart from crashes."""

from __future__ import annotations

import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import cast

from mpfix.diagnostic import Diagnostic, Fix, Related, Severity
from mpfix.engine.components import Unit
from mpfix.engine.statements import report_span
from mpfix.frameworks import interpret
from mpfix.frameworks.policy_facts import is_only_supposed
from mpfix.frameworks.unit_tests import expects_error, is_in_test
from mpfix.record import record
from mpfix.report import GenerationUsed, RunError
from mpfix.rewriting.edits import ModuleEdits
from mpfix.rule import Evidence, Finding, FixIntent, Rule
from mpfix.semantic import guards
from mpfix.semantic.budget import Limits
from mpfix.semantic.program import Program
from mpfix.semantic.project import Project
from mpfix.semantic.root_traces import RootTraces
from mpfix.semantic.syntax import Module, Place, SyntaxProblem
from mpfix.source.document import Document

ENGINE_FAMILY = "engine"
"""The family of rules that the engine itself reports."""

HALF_WORDS = ("16", "half")
"""`float16`, `bfloat16`, `fp16` and `"16-mixed"` all hold one of these."""

_CRASH_HELP = "this is a bug in mpfix: please report it with the file and the output of `mpfix check -v`"


@record
class Component:
    """Modules that are understood together, and the Keras generations they are judged for."""

    modules: tuple[Module, ...]
    """Those that are reported on."""
    generations: tuple[int, ...]
    used: GenerationUsed | None = None
    """What decided on the generations; None where nothing asked."""
    assume_policy: str | None = None
    limits: Limits | None = None
    context: tuple[Module, ...] = ()
    """Those that are only read."""
    broken: tuple[tuple[Document, SyntaxProblem], ...] = ()
    """Files beside them that do not parse."""
    unit: Unit | None = None
    """How their imports find each other; None where there is one file."""
    known: Mapping[int, RootTraces] = field(default_factory=lambda: defaultdict(RootTraces), repr=False, compare=False)
    """What the roots did under each generation, shared with copies of the component that have other text."""

    @property
    def all_modules(self) -> tuple[Module, ...]:
        """Everything that is interpreted."""
        return self.modules + self.context

    @property
    def project(self) -> Project | None:
        """The modules as imports see them."""
        unit = self.unit
        if unit is None or unit.index is None:
            return None
        by_path = {unit.paths[module.document.display]: module for module in self.all_modules}
        return Project(unit.index, by_path, tuple(by_path[path] for path in unit.roots if path in by_path))

    @property
    def name(self) -> str:
        """What messages call it: its first file."""
        return self.modules[0].document.display

    def with_modules(self, modules: tuple[Module, ...]) -> Component:
        """The component with other text in its files."""
        return replace(self, modules=modules)


@record
class Judged:
    """One finding as the engine keeps it: merged over contexts and generations, still with its syntax nodes."""

    rule: Rule
    place: Place
    message: str
    severity: Severity
    keras: str | None
    evidence: tuple[Evidence, ...] = ()
    guard: str | None = None
    fixes: tuple[FixIntent, ...] = ()
    """Repairs to try, best first: one for each generation that offers one."""
    unfixable_reason: str | None = None

    def diagnostic(self, fix: Fix | None = None, unfixable_reason: str | None = None) -> Diagnostic:
        """The finding as a user sees it."""
        span = report_span(self.place)
        # a policy that is only assumed was set nowhere
        told = (item for item in self.evidence if item.place != self.place and item.place.module is not None)
        related = (Related(report_span(item.place), item.message) for item in told)
        return Diagnostic(
            code=self.rule.code,
            name=self.rule.name,
            severity=self.severity,
            message=self.message,
            span=span,
            guard=self.guard,
            keras=self.keras,
            related=tuple(dict.fromkeys(item for item in related if item.span != span)),
            fix=fix,
            unfixable_reason=None if fix else (unfixable_reason or self.unfixable_reason),
        )


@record
class Judgement:
    """All findings in one component, the rules that crashed on it, and the bounds that analysis hit."""

    findings: tuple[Judged, ...] = ()
    errors: tuple[RunError, ...] = ()
    cuts: tuple[tuple[Place, str], ...] = ()
    steps: int = 0
    """Steps of the interpreter that it took."""

    @property
    def by_file(self) -> Counter[tuple[str, str]]:
        """How often each (file, code) is found."""
        return Counter((judged.place.module.document.display, judged.rule.code) for judged in self.findings)


def relevant_rules(component: Component, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules whose words stand in the component; rules of the engine wait for nothing and judge nothing."""
    texts = [module.document.text.lower() for module in component.modules]
    around = (module.document.text.lower() for module in component.context)
    has_half = component.assume_policy is not None or _holds_any(texts, HALF_WORDS) or _holds_any(around, HALF_WORDS)
    return tuple(
        rule
        for rule in rules
        if rule.family != ENGINE_FAMILY
        and not rule.severity.keys().isdisjoint(component.generations)
        and (has_half or not rule.half)
        and _holds_any(texts, rule.words)
    )


def judge(component: Component, rules: Iterable[Rule], *, with_notes: frozenset[str] = frozenset()) -> Judgement:
    """Run the rules that can matter; findings of several generations are told once.

    Notes are left out, but for the codes `with_notes`.
    """
    relevant = relevant_rules(component, rules)
    if not relevant:
        return Judgement()
    judgements = [_judge_generation(component, relevant, generation) for generation in component.generations]
    findings = judgements[0].findings if len(judgements) == 1 else _over_generations(judgements)
    wanted = [item for item in findings if item.severity is not Severity.NOTE or item.rule.code in with_notes]
    return Judgement(
        tuple(sorted(wanted, key=lambda judged: (judged.place.sort_key, judged.rule.code, judged.message))),
        tuple(dict.fromkeys(error for judgement in judgements for error in judgement.errors)),
        tuple(dict.fromkeys(cut for judgement in judgements for cut in judgement.cuts)),
        sum(judgement.steps for judgement in judgements),
    )


def edits_of(rule: Rule, intent: FixIntent, component: Component) -> tuple[ModuleEdits, ...] | RunError:
    """What a rule's repair wants done; a repair that crashes is an error of the rule."""
    try:
        return tuple(intent.edits())
    except Exception as error:
        return _crash(rule, component, error)


def _judge_generation(component: Component, rules: Sequence[Rule], generation: int) -> Judgement:
    program = interpret(
        component.all_modules,
        generation=generation,
        generations=component.generations,
        assume_policy=component.assume_policy,
        limits=component.limits,
        project=component.project,
        known=component.known[generation],
    )
    reported = frozenset(component.modules)
    findings: list[Judged] = []
    errors: list[RunError] = []
    for rule in rules:
        if generation not in rule.severity:
            continue
        try:
            wanted = [item for item in rule.check(program) if item.place.module in reported]
            found = [judged for item in wanted if (judged := _judged(rule, item, program)) is not None]
        except Exception as error:
            errors.append(_crash(rule, component, error))
        else:
            findings += _over_contexts(found)
    return Judgement(
        tuple(findings),
        tuple(errors),
        tuple((cut.place, cut.message) for cut in program.cuts if cut.place.module in reported),
        program.steps,
    )


def _judged(rule: Rule, finding: Finding, program: Program) -> Judged | None:
    """The finding with its severity in force; None where a test wants it so, or a bound took what it stands on."""
    guard = cast("guards.Guard", finding.guard or frozenset())
    if guards.is_maybe(guard) or _is_on_purpose(rule, finding.place):
        return None
    severity = _behind_switches(finding.severity or rule.severity[program.generation], guard)
    places = (finding.place, *(one.place for one in finding.evidence))
    if severity is Severity.ERROR and rule.half and is_only_supposed(program, places, guard):
        severity = severity.lowered()
    return Judged(
        rule=rule,
        place=finding.place,
        message=finding.message,
        severity=severity,
        keras=str(program.generation),
        evidence=finding.evidence,
        guard=guards.describe(guard) or None,
        fixes=(finding.fix,) if finding.fix is not None else (),
        unfixable_reason=finding.unfixable_reason,
    )


def _is_on_purpose(rule: Rule, place: Place) -> bool:
    """Whether a test tries half precision, or something that fails: nobody trains there for real."""
    return ((rule.half or rule.family == "policy") and is_in_test(place)) or expects_error(place)


def _behind_switches(severity: Severity, guard: guards.Guard) -> Severity:
    """One step less where a switch must be set against its default; at most a warning where a caller would have to."""
    if guards.needs_switch_against_default(guard):
        return severity.lowered()
    is_unset = severity is Severity.ERROR and guards.needs_switch_against_default(guard, open_too=True)
    return severity.lowered() if is_unset else severity


def _over_contexts(found: Sequence[Judged]) -> list[Judged]:
    """The same statement reached on several paths is told once."""
    merged: dict[tuple[Place, str], Judged] = {}
    for judged in found:
        key = (judged.place, judged.message)
        merged[key] = judged if key not in merged else _joined(merged[key], judged)
    return list(merged.values())


def _over_generations(judgements: Sequence[Judgement]) -> list[Judged]:
    """Findings of two generations: equal code and place are one finding, and the message says where it holds."""
    sides = [_by_place(judgement) for judgement in judgements]
    merged: list[Judged] = []
    for key in dict.fromkeys(key for side in sides for key in side):
        groups = [side.get(key, []) for side in sides]
        both = min(len(group) for group in groups)
        for pair in zip(*groups, strict=False):
            worst = max(pair, key=lambda judged: judged.severity.rank)
            joined = _joined(worst, next(judged for judged in pair if judged is not worst))
            # what repairs generation 2 is tried first: it more often is right on both
            fixes = tuple(fix for judged in pair for fix in judged.fixes)
            message = f"{worst.message} (on Keras 2 and 3)"
            merged.append(replace(joined, keras="2+3", message=message, fixes=fixes))
        merged += [
            replace(judged, message=f"{judged.message} (on Keras {judged.keras} only)")
            for group in groups
            for judged in group[both:]
        ]
    return merged


def _by_place(judgement: Judgement) -> dict[tuple[str, Place], list[Judged]]:
    places: dict[tuple[str, Place], list[Judged]] = {}
    for judged in judgement.findings:
        places.setdefault((judged.rule.code, judged.place), []).append(judged)
    return places


def _joined(first: Judged, second: Judged) -> Judged:
    return replace(
        first,
        severity=max(first.severity, second.severity, key=lambda severity: severity.rank),
        evidence=tuple(dict.fromkeys(first.evidence + second.evidence)),
        # what holds on two different conditions is shown without either
        guard=first.guard if first.guard == second.guard else None,
        fixes=first.fixes + second.fixes,
        unfixable_reason=first.unfixable_reason or second.unfixable_reason,
    )


def _crash(rule: Rule, component: Component, error: Exception) -> RunError:
    message = f"rule `{rule.code}` ({rule.name}) crashed with {type(error).__name__}: {error}; {_CRASH_HELP}"
    return RunError(component.name, message, rule.code, "".join(traceback.format_exception(error)))


def component_crash(filename: str, error: Exception) -> RunError:
    """The entry for a file that could not be analysed because mpfix failed."""
    message = f"analysis crashed with {type(error).__name__}: {error}; {_CRASH_HELP}"
    return RunError(filename, message, None, "".join(traceback.format_exception(error)))


def _holds_any(texts: Iterable[str], words: tuple[str, ...]) -> bool:
    return not words or any(word.lower() in text for text in texts for word in words)
