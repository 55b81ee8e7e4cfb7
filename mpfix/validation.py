"""What a validation measured: frozen data that reporters turn into text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from statistics import median


class Verdict(Enum):
    """What the difference between two variants means to the user."""

    SAME = "same"
    BETTER = "better"
    WORSE = "worse"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure from several runs."""

    values: tuple[float, ...]

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def width(self) -> float:
        """Largest minus smallest value; 0 for a single run, whose spread nobody knows."""
        return max(self.values) - min(self.values)

    @property
    def is_repeated(self) -> bool:
        """Whether there is a spread to compare with."""
        return len(self.values) > 1


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run of the script ended."""

    kind: str
    """`stopped` after the last step, `finished`, `exit`, `raised`, `died`, `timeout`, `memory` or `lost`."""
    sentence: str
    traceback: str = ""
    advice: str | None = None
    """What the user can do about it: an option to add, as it is to be typed."""

    @property
    def is_orderly(self) -> bool:
        """Whether the script did not fail."""
        return self.kind in ("stopped", "finished")


@dataclass(frozen=True, slots=True)
class MemoryFigures:
    """Memory in bytes; `label` says which memory it is."""

    label: str
    is_gpu: bool
    peak: Spread
    steady: Spread
    """The peak without the first steps, which trace and build."""
    variables: int
    slots: int
    reserved: int | None = None
    """What the allocator of a GPU took from the driver."""
    gpu_process: int | None = None
    """What NVML says of the whole process: with the context and the kernels."""
    allocator_peak: float | None = None
    """Where `peak` is that of a step by XLA's plan: the allocator's, with what XLA tried while it compiled."""

    @property
    def rest(self) -> float:
        """The peak without what stays between steps: activations, gradients, copies, workspace, tracing.

        Process memory counts from just before the first step, when variables are usually there already.
        """
        return max(self.peak.middle - self.slots - (self.variables if self.is_gpu else 0), 0)


@dataclass(frozen=True, slots=True)
class LayerFigures:
    """What a layer computes in, and why."""

    name: str
    kind: str
    compute: str | None
    variable: str | None
    output: str | None
    place: str | None
    reason: str
    is_island: bool = False
    """Computes in float32 among layers that compute in half precision."""


@dataclass(frozen=True, slots=True)
class GradientFigures:
    """Shares of the gradient of one variable over all steps, between 0 and 1."""

    name: str
    zeros: float
    zeros_in_float32: float | None
    """Zeros of the same variable in a float32 run; None where there was none."""
    lost_unscaled: float | None
    """Not zero in float32, and too small for float16 without loss scaling."""
    lost_scaled: float | None
    """The same with a loss scale of 32768."""

    @property
    def underflow(self) -> float | None:
        """Zeros that float32 does not have."""
        return None if self.zeros_in_float32 is None else max(self.zeros - self.zeros_in_float32, 0.0)


@dataclass(frozen=True, slots=True)
class Numerics:
    """What the run with probes saw."""

    losses: tuple[float, ...] = ()
    """One loss for each step; NaN stays NaN."""
    loss_kind: str = ""
    """`compiled`, `returned` by the step, or `differentiated`."""
    loss_dtype: str | None = None
    scales: tuple[float, ...] = ()
    """The loss scale after each step; empty where nothing scales."""
    evaluations: int = 0
    """Gradients taken with respect to variables: micro batches."""
    updates: int = 0
    skipped: int = 0
    gradient_ratio: float | None = None
    """Size of the gradients that reach the optimizer against a float32 run, in the first common update."""
    update_ratio: float | None = None
    """Size of the change of all variables against a float32 run, in the first common update."""
    nonfinite: str | None = None
    """The first tensor with NaN or infinity: layer, step and line."""
    gradients: tuple[GradientFigures, ...] = ()
    layers: tuple[LayerFigures, ...] = ()


@dataclass(frozen=True, slots=True)
class Symptom:
    """Something measured that should not be."""

    key: str
    sentence: str


@dataclass(frozen=True, slots=True)
class VariantResult:
    """All that was measured of one variant."""

    label: str
    ending: Ending
    steps: int
    policy: str | None = None
    batch_size: int | None = None
    memory: MemoryFigures | None = None
    step_seconds: Spread | None = None
    """Median time of a step, of each run."""
    first_seconds: float | None = None
    """Time of the first step, which traces and builds."""
    loss_spread: float | None = None
    """Largest distance between the losses of the runs for memory and time, relative to their size."""
    traces: Mapping[str, int] = field(default_factory=dict)
    numerics: Numerics | None = None
    symptoms: tuple[Symptom, ...] = ()
    files: tuple[str, ...] = ()
    """What the script wrote by itself."""
    diverted: tuple[str, ...] = ()
    """What it would have saved."""
    stand_ins: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be done or seen."""
    versions: Mapping[str, str] = field(default_factory=dict)
    keras: str | None = None
    """The Keras package that trained."""
    backend: str | None = None
    gpus: tuple[str, ...] = ()
    left_running: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One question that people ask, answered in a sentence."""

    question: str
    sentence: str
    verdict: Verdict


@dataclass(frozen=True)
class ValidationReport:
    """Everything a validation has to say."""

    script: str
    arguments: tuple[str, ...]
    steps: int
    """Training steps that were asked for."""
    variants: tuple[VariantResult, ...] = ()
    answers: tuple[Answer, ...] = ()
    fixes: Mapping[str, int] = field(default_factory=dict)
    """Number of findings that the later variant repairs, by code."""
    changed_files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failure: str | None = None
    """Why there are no figures, and what to do; None where there are."""

    @property
    def has_regression(self) -> bool:
        """Whether something became worse."""
        return any(answer.verdict is Verdict.WORSE for answer in self.answers)
