"""A validation from its options to its report: which children run, in which order, and what their records say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from mpfix.errors import UsageError
from mpfix.settings import Settings
from mpfix.validate.cells import in_cells
from mpfix.validate.compare import answers, answers_alone, seems_different
from mpfix.validate.endings import ending_of
from mpfix.validate.figures import variant_result, wants_reference
from mpfix.validate.plan import MEMORY, NUMERICS, ChildJob, Options, Variant, is_installed
from mpfix.validate.rewrites import Texts, key, rewrites_of
from mpfix.validate.runner import ChildResult, Leash, Line, run_child
from mpfix.validate.symptoms import symptoms_of
from mpfix.validation import Answer, ValidationReport, VariantResult

PARALLEL = 2
"""Runs for numerics at the same time; runs for memory and time have the machine for themselves."""
_LISTS = (
    ("Not saved", "diverted"),
    ("Written by the script", "files"),
    ("Stand-in data", "stand_ins"),
    ("Not seen", "problems"),
)
MISSING = "Neither TensorFlow nor Keras is installed: pip install 'mpfix[validate]'"


@dataclass(frozen=True)
class Progress:
    """How far a validation is: for a progress bar."""

    label: str
    done: int
    """Runs that are over."""
    total: int
    """Runs in all, as far as is known."""
    step: int = 0


Watch = Callable[[Progress], None]
T = TypeVar("T")


def validate(options: Options, settings: Settings, *, watch: Watch | None = None) -> ValidationReport:
    """Run a script before and after the fixes that the settings allow, and compare.

    Raises:
        UsageError: an option is wrong, or the script cannot be run.
        SourceError: the script cannot be read.
    """
    if not any(map(is_installed, ("tensorflow", "keras", "tf_keras"))):
        return _report(options, failure=MISSING)
    if not options.script.is_file():
        raise UsageError(f"`{options.display}`: is no file")
    rewrites = rewrites_of(options.script, settings)
    texts = [rewrites.before, rewrites.after] if rewrites.changed else [replace(rewrites.before, label="as is")]
    report = measure(options, variants_of(options, texts), fixes=rewrites.fixed, watch=watch)
    notes = [*report.notes, *(f"Not looked at: {name}" for name in rewrites.unreadable)]
    if not rewrites.changed:
        notes.insert(0, "No fix to apply with these options, so there is nothing to compare with: measured once")
    return replace(report, changed_files=rewrites.changed, notes=tuple(notes))


def variants_of(options: Options, texts: Sequence[Texts]) -> tuple[Variant, ...]:
    """What is measured: each text as it is; with policies or batch sizes the last text under each of them."""
    if not options.policies and not options.batch_sizes:
        return tuple(Variant(item.label, item.by_path, cells=item.cells) for item in texts)
    last = texts[-1]
    policies, batches = options.policies or (None,), options.batch_sizes or (None,)
    cells = [(policy, batch) for batch in batches for policy in policies]
    return tuple(Variant(_label(policy, batch), last.by_path, policy, batch, last.cells) for policy, batch in cells)


def _label(policy: str | None, batch: int | None) -> str:
    return ", ".join(filter(None, (policy, f"batch {batch}" if batch else None)))


def measure(
    options: Options, variants: Sequence[Variant], *, fixes: Mapping[str, int] | None = None, watch: Watch | None = None
) -> ValidationReport:
    """Run each variant and compare all of them with the first."""
    runs = _Runs(options, variants, watch or (lambda progress: None))
    results = runs.results()
    fixes = fixes or {}
    failure = _failure(results)
    compared = () if failure else _compared(results, fixes)
    return _report(options, results, compared, fixes, failure=failure)


def _compared(results: Sequence[VariantResult], fixes: Mapping[str, int]) -> tuple[Answer, ...]:
    """The answers, each variant against the first."""
    first, *others = results
    if not others:
        return answers_alone(first)
    if len(others) == 1:
        return answers(first, others[0], fixes)
    return tuple(
        _labelled(answer, other) for other in others for answer in answers(_base(results, other), other, fixes)
    )


def _base(results: Sequence[VariantResult], other: VariantResult) -> VariantResult:
    """What a cell of a matrix is compared with: the first policy at its batch size, or the first cell of all."""
    alike = next(result for result in results if result.batch_size == other.batch_size)
    return alike if alike is not other else results[0]


def _labelled(answer: Answer, variant: VariantResult) -> Answer:
    return replace(answer, question=f"{variant.label}: {answer.question}")


def _failure(results: Sequence[VariantResult]) -> str | None:
    """Why nothing was measured: no variant made a single step."""
    if any(result.steps for result in results):
        return None
    ending = results[-1].ending
    return f"{ending.sentence}{f' ({ending.advice})' if ending.advice else ''}"


def _report(
    options: Options,
    variants: Sequence[VariantResult] = (),
    compared: Sequence[Answer] = (),
    fixes: Mapping[str, int] | None = None,
    *,
    failure: str | None = None,
) -> ValidationReport:
    return ValidationReport(
        script=options.display or str(options.script),
        arguments=options.arguments,
        steps=options.steps,
        variants=tuple(variants),
        answers=tuple(compared),
        fixes=fixes or {},
        notes=_notes(variants),
        failure=failure,
    )


def _notes(results: Sequence[VariantResult]) -> tuple[str, ...]:
    found: list[str] = []
    for title, name in _LISTS:
        items = sorted({item for result in results for item in getattr(result, name)})
        if items:
            found.append(f"{title}: {', '.join(items[:20])}{f' and {len(items) - 20} more' if len(items) > 20 else ''}")
    left = max((result.left_running for result in results), default=0)
    if left:
        found.append(f"Processes that the script left running, ended with it: {left}")
    return tuple(found)


class _Runs:
    """The children of one validation."""

    def __init__(self, options: Options, variants: Sequence[Variant], watch: Watch) -> None:
        self.options = options
        self.variants = variants
        self.watch = watch
        self.leash = Leash()
        self.done = 0
        self.total = len(variants) * (options.repeat + 2)

    def results(self) -> tuple[VariantResult, ...]:
        """Measure every variant; what interrupts that ends all runs at once."""
        try:
            return self._results()
        except BaseException:
            self.leash.let_go()
            raise

    def _results(self) -> tuple[VariantResult, ...]:
        numerics = self._parallel(lambda variant: self._run(variant, NUMERICS), self.variants)
        references = self._parallel(self._reference, self.variants, numerics)
        memory: list[list[ChildResult]] = [[] for _ in self.variants]

        def measured() -> tuple[VariantResult, ...]:
            self._measure(memory, numerics)
            parts = zip(self.variants, numerics, references, memory, strict=True)
            return tuple(self._result(*part) for part in parts)

        results = measured()
        if seems_different(_compared(results, {})):
            # a few runs of one and the same script part now and then by chance: what fresh runs say counts
            self.total += sum(map(len, memory))
            results = measured()
        return results

    def _measure(self, memory: Sequence[list[ChildResult]], numerics: Sequence[ChildResult]) -> None:
        """Add runs for memory and time, in turn and in changing order: what else the machine does meets all alike."""
        places = [i for i, first in enumerate(numerics) if first.of_kind("step")]
        for _ in range(self.options.repeat):
            for i in places:
                memory[i].append(self._run(self.variants[i], MEMORY))
            places.reverse()

    def _parallel(self, function: Callable[..., T], *arguments: Sequence[object]) -> list[T]:
        with ThreadPoolExecutor(PARALLEL) as pool:
            try:
                return list(pool.map(function, *arguments))
            except BaseException:
                # the pool waits for its threads, which wait for their children
                self.leash.let_go()
                pool.shutdown(cancel_futures=True)
                raise

    def _reference(self, variant: Variant, numerics: ChildResult) -> ChildResult | None:
        return self._run(variant, NUMERICS, is_reference=True) if wants_reference(numerics) else None

    def _run(self, variant: Variant, kind: str, *, is_reference: bool = False) -> ChildResult:
        options = self.options
        job = ChildJob(options, variant, kind, Path.cwd(), options.script.absolute(), is_reference)
        name = f"{variant.label}, {'float32 for comparison' if is_reference else kind}"
        self.watch(Progress(name, self.done, self.total))

        def on_line(line: Line) -> None:
            if line["kind"] == "step":
                self.watch(Progress(name, self.done, self.total, line["number"]))

        result = run_child(job, on_line=on_line, leash=self.leash)
        self.done += 1
        return in_cells(result, variant.cells)

    def _result(
        self, variant: Variant, numerics: ChildResult, reference: ChildResult | None, memory: Sequence[ChildResult]
    ) -> VariantResult:
        script = self.options.script.absolute()
        text = variant.texts.get(key(script)) or script.read_text("utf-8", "replace")
        endings = [ending_of(run, script, self.options.timeout, text) for run in (numerics, *memory)]
        # a run that fails tells more than those that do not: some faults show only in traced code
        ending = next((item for item in endings if not item.is_orderly), endings[0])
        latest = memory[-self.options.repeat :]
        result = variant_result(variant, self.options, latest, numerics, reference, ending)
        symptoms = symptoms_of(numerics, result.numerics, ending, script, is_forced=variant.policy is not None)
        return replace(result, symptoms=symptoms)
