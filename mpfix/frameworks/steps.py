"""Training steps: which gradient feeds which update, who scaled, unscaled and touched it, under what policy."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from mpfix.frameworks.events import (
    Applied,
    AttributeTested,
    Clipped,
    GradientTaken,
    Scaled,
    ScalingMethodUsed,
    TapeOpened,
)
from mpfix.frameworks.keys import canonical
from mpfix.semantic.guards import Guard, conjoin
from mpfix.semantic.program import Case, Program, cases_of, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import FALSE_VALUE, NONE, TRUE_VALUE, At, Constant, Object, Record, Unknown, Value

_STATE = ("wrapped", "distributed", "off", "factor", "automatic", "inner", "wrapped at", "made at", "policy", "clips")
_GRADIENTS = (
    "taken", "distributed", "scaled", "scaled at", "scaled again", "scaled late", "scaled method", "scaled wrapped",
    "scaled fixed", "scaled static", "hand", "hand factor", "hand divisor", "unscaled", "unscaled at", "unscaled again",
    "divided by hand", "half", "vector", "vector at",
)  # fmt: skip
MAX_CASES = 256
"""Cases of one update that are looked at: flags that nothing ties together multiply."""

FIELDS = (*(f"state.{name}" for name in _STATE), *(f"gradients.{name}" for name in _GRADIENTS))


@dataclass(frozen=True)
class Step:
    """One update in one consistent combination of alternatives: gradients of a tape, applied by an optimizer."""

    occurrence: Occurrence
    guard: Guard
    fields: Mapping[str, Value]
    gradient: Place
    """The call of `tape.gradient`, or of `minimize`."""

    @property
    def event(self) -> Applied:
        """The update."""
        assert isinstance(self.occurrence.event, Applied)
        return self.occurrence.event

    @property
    def applied(self) -> Place:
        """The call that applies the gradients."""
        return self.occurrence.place

    @property
    def is_minimize(self) -> bool:
        """Whether one call does it all."""
        return self.event.method == "minimize"

    def of(self, name: str) -> Value:
        """A property of the gradients."""
        return self.fields[f"gradients.{name}"]

    def state(self, name: str) -> Value:
        """A property of the optimizer, as it was then."""
        return self.fields[f"state.{name}"]

    def place(self, name: str) -> Place | None:
        """The place that a property of the gradients, or else of the optimizer, holds."""
        for path in (f"gradients.{name}", f"state.{name}"):
            value = self.fields.get(path)
            if isinstance(value, At):
                return value.place
        return None

    @property
    def wrapped(self) -> bool | None:
        """Whether a loss scale optimizer applies; None when nobody knows."""
        value = self.state("wrapped")
        return bool(value.value) if isinstance(value, Constant) and value != NONE else None

    @property
    def is_distributed(self) -> bool:
        """Whether it may run under a strategy, Horovod or another backend."""
        return any(value not in (NONE, FALSE_VALUE) for value in (self.state("distributed"), self.of("distributed")))

    @property
    def is_plain(self) -> bool:
        """Whether surely nobody scaled the loss or unscaled the gradients."""
        return all(self.of(name) == NONE for name in ("scaled", "hand", "unscaled"))

    @property
    def scales_itself(self) -> bool:
        """Whether the loss was scaled by the optimizer that applies, once and inside a tape."""
        again, late = self.of("scaled again"), self.of("scaled late")
        return self.of("scaled") == self.event.optimizer and again == NONE and late != TRUE_VALUE

    @property
    def asked_as_keras_2(self) -> bool:
        """Whether a method of Keras 2 scales or unscales: its author counted by the rules of Keras 2."""
        return self.of("scaled method") == Constant("get_scaled_loss") or self.of("unscaled") != NONE


@fact
def all_steps(program: Program) -> tuple[Step, ...]:
    """The updates whose gradients come from a tape, in each case, on whatever devices."""
    found: list[Step] = []
    for occurrence in program.happened(Applied):
        for case in islice(cases_of(occurrence, *FIELDS, allow_unknown=True), MAX_CASES):
            gradient = case.value("gradients.taken")
            if isinstance(gradient, At):
                found.append(Step(case.occurrence, case.guard, case.fields, gradient.place))
    return tuple(found)


@fact
def training_steps(program: Program) -> tuple[Step, ...]:
    """The updates of a single device: what happens under a strategy or Horovod is not judged."""
    alone = [step for step in all_steps(program) if not step.is_distributed and not _is_caught(step)]
    return tuple(step for step in alone if not _may_be_distributed(program, step.occurrence))


def _may_be_distributed(program: Program, occurrence: Occurrence) -> bool:
    """Whether a function that no root reached stands in a program with strategies: somebody may run it under one."""
    return is_unreached(occurrence) and uses_strategies(program)


def _is_caught(step: Step) -> bool:
    """Whether a case needs an exception in a `try` that asks for a method of loss scaling: then there is none."""
    raised = (
        condition.origin[1].node
        for condition, holds in step.guard
        if holds and isinstance(condition, Unknown) and condition.origin[0] == "raised"
    )
    methods = ("get_scaled_loss", "get_unscaled_gradients", "scale_loss")
    return any(getattr(part, "attr", None) in methods for node in raised for part in ast.walk(node))


def is_unreached(occurrence: Occurrence) -> bool:
    """Whether something happened in a function that nobody in the program calls."""
    return bool(occurrence.chain) and hasattr(occurrence.chain[0].node, "body")


@fact
def uses_strategies(program: Program) -> bool:
    """Whether the program names a distribution strategy, or Horovod."""
    return any(_is_strategy(use.qualified) for module in program.names for use in module.names.uses)


def _is_strategy(qualified: str) -> bool:
    key = canonical(qualified).name
    name = key.rpartition(".")[2]
    if key.startswith("tensorflow.distribute."):
        return "Strategy" in name and name not in ("OneDeviceStrategy", "StrategyExtended")
    return key.startswith("horovod.")


def siblings(program: Program, step: Step) -> tuple[Step, ...]:
    """All cases of the update, and of others of the same gradient."""
    return tuple(one for one in training_steps(program) if one.gradient == step.gradient)


def uses_of_optimizer(program: Program, optimizer: Value) -> frozenset[Place]:
    """Where an optimizer, or a wrapper around it, applies gradients."""
    found = set()
    for occurrence in program.happened(Applied):
        event = occurrence.event
        assert isinstance(event, Applied)
        state = event.state
        inner = state.get("inner") if isinstance(state, Record) else NONE
        if optimizer in (event.optimizer, inner):
            found.add(occurrence.place)
    return frozenset(found)


# -- between the gradient and the update


def touched(program: Program, step: Step) -> tuple[Case[Clipped], ...]:
    """What clips, measures or disturbs the gradients of a step, with the scale they carry there."""
    found = []
    for occurrence in program.happened(Clipped):
        for case in cases_of(occurrence, *(f"gradients.{name}" for name in ("taken", "scaled", "unscaled")),
                             "threshold", allow_unknown=True):  # fmt: skip
            taken = case.value("gradients.taken")
            same = isinstance(taken, At) and taken.place == step.gradient
            if same and conjoin(case.guard, step.guard) is not None and case.place != step.applied:
                found.append(case)
    return tuple(found)


def may_hold_the_scale(threshold: Value) -> bool:
    """Whether a threshold may have been multiplied by the loss scale."""
    if isinstance(threshold, Unknown):
        return threshold.origin[0] in ("operator", "call", "deep")
    return isinstance(threshold, Record)


# -- a scaled loss that is not differentiated


def scaled_beside(program: Program, step: Step) -> Occurrence | None:
    """Where the optimizer of a step scales a loss inside the tape, although another one is differentiated."""
    position = _positions(program)[id(step.occurrence)]
    opened = [o for o in program.happened(TapeOpened) if _positions(program)[id(o)] < position]
    used = {place for one in training_steps(program) if (place := one.place("scaled at")) is not None}
    for occurrence in reversed(program.happened(Scaled)):
        event = occurrence.event
        assert isinstance(event, Scaled)
        if not (opened and _positions(program)[id(opened[-1])] < _positions(program)[id(occurrence)] < position):
            continue
        fits = event.recording and event.optimizer == step.event.optimizer and occurrence.place not in used
        if fits and conjoin(occurrence.guard, step.guard) is not None and occurrence.loops == step.occurrence.loops:
            return occurrence
    return None


@fact
def _positions(program: Program) -> dict[int, int]:
    """Where each occurrence, by identity, stands in the order of the program."""
    return {id(occurrence): index for index, occurrence in enumerate(program.occurrences)}


@dataclass(frozen=True)
class LateScaling:
    """A loss that is scaled after its tape has closed, and differentiated all the same."""

    scaling: Place
    gradient: Place
    opened: Place
    guard: Guard


@fact
def late_scalings(program: Program) -> tuple[LateScaling, ...]:
    """The scalings that no tape records; whoever applies the gradients, they are none."""
    found: list[LateScaling] = []
    for occurrence in program.happened(GradientTaken):
        opened = _opening(program, occurrence)
        for case in cases_of(occurrence, "target.scaled late", "target.scaled at", "target.scaled again"):
            scaling = case.value("target.scaled at")
            is_late = case.value("target.scaled late") == TRUE_VALUE and case.value("target.scaled again") == NONE
            if is_late and opened is not None and isinstance(scaling, At):
                found.append(LateScaling(scaling.place, case.place, opened, case.guard))
    return tuple(found)


def _opening(program: Program, occurrence: Occurrence) -> Place | None:
    """The last `with` that opened the tape of a gradient."""
    event, position = occurrence.event, _positions(program)[id(occurrence)]
    assert isinstance(event, GradientTaken)
    opened = [
        one
        for one in program.happened(TapeOpened)
        if isinstance(one.event, TapeOpened)
        and one.event.tape is event.tape
        and _positions(program)[id(one)] < position
    ]
    return opened[-1].place if opened else None


# -- tests for what Keras 3 lost


@dataclass(frozen=True)
class DeadTest:
    """A test for `get_scaled_loss` that is never true on Keras 3, and the scaling that stands behind it."""

    test: Occurrence
    scaling: Occurrence

    @property
    def asked(self) -> AttributeTested:
        """The test."""
        assert isinstance(self.test.event, AttributeTested)
        return self.test.event


@fact
def as_meant(program: Program) -> Program | None:
    """The program in which such tests may be true; None where there are none."""
    if program.again is None or not _dead_tests(program):
        return None
    return program.again()


def _dead_tests(program: Program) -> list[Occurrence]:
    """Tests whose answer Keras 3 has changed."""
    return [
        occurrence
        for occurrence in program.happened(AttributeTested)
        if isinstance(occurrence.event, AttributeTested) and occurrence.event.answer is not None
    ]


@fact
def dead_tests(program: Program) -> tuple[DeadTest, ...]:
    """The tests on Keras 3 that keep a loss from being scaled."""
    meant = as_meant(program)
    if program.generation != 3 or meant is None:
        return ()
    alive = {occurrence.place for occurrence in program.happened(Scaled) if not is_unreached(occurrence)}
    found: dict[tuple[Place, Place], DeadTest] = {}
    for occurrence in meant.happened(Scaled):
        event = occurrence.event
        assert isinstance(event, Scaled)
        if event.method != "get_scaled_loss" or occurrence.place in alive:
            continue
        test = _test_before(meant, occurrence, event.optimizer)
        if test is not None:
            found.setdefault((test.place, occurrence.place), DeadTest(test, occurrence))
    return tuple(found.values())


def _test_before(meant: Program, scaling: Occurrence, optimizer: Value) -> Occurrence | None:
    position = _positions(meant)[id(scaling)]
    fitting = [
        one
        for one in meant.happened(AttributeTested)
        if isinstance(one.event, AttributeTested)
        and one.event.name == "get_scaled_loss"
        and is_same(one.event.owner, optimizer)
        and _positions(meant)[id(one)] < position
    ]
    return fitting[-1] if fitting else None


def is_same(one: Value, other: Value) -> bool:
    """Whether two values, possibly of two runs of a program, are the same optimizer."""
    if isinstance(one, Object) and isinstance(other, Object):
        return one is other or (one.place, one.kind, one.key) == (other.place, other.kind, other.key)
    return one == other


def is_dead_use(program: Program, use: Occurrence) -> bool:
    """Whether a method that Keras 3 lost is only called behind tests that are never true."""
    meant = as_meant(program)
    if meant is None or not is_unreached(use):
        return False
    same = [one for one in meant.happened(ScalingMethodUsed) if one.place == use.place]
    return any(not is_unreached(one) or len(one.chain) > 1 for one in same)


def optimizer_evidence(step: Step) -> Iterator[tuple[Place, str]]:
    """Where the optimizer of a step was wrapped, with what made compile wrap it, or where it was made."""
    if step.wrapped:
        policy, wrapped = step.place("policy"), step.place("wrapped at")
        if policy is not None and step.state("automatic") == TRUE_VALUE:
            yield policy, "under this policy compile wraps the optimizer"
        if wrapped is not None:
            automatic = step.state("automatic") == TRUE_VALUE
            yield wrapped, "compile wraps the optimizer here" if automatic else "the optimizer is wrapped here"
    elif (made := step.place("made at")) is not None:
        yield made, "the optimizer is made here, without loss scaling"


def is_known_optimizer(value: Value) -> bool:
    """Whether a value is an optimizer that the program makes."""
    return isinstance(value, Object) and value.kind == "optimizer"
