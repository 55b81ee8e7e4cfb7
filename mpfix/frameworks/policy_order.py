"""What stood under which policy: pure half precision, and models made before the policy they were meant to have."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.frameworks.events import (
    Applied,
    Compiled,
    Fitted,
    FloatxSet,
    GradientTaken,
    LayerBuilt,
    ModelBuilt,
    ModelOutput,
    OptimizerBuilt,
    PolicySet,
)
from mpfix.frameworks.layers import is_default
from mpfix.frameworks.surroundings import FunctionNode
from mpfix.record import record
from mpfix.semantic.guards import Guard, conjoin
from mpfix.semantic.library import Event
from mpfix.semantic.program import Case, Program, alternatives, cases_of, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, Constant, Object, Record, Value

MIXED = frozenset({"mixed_float16", "mixed_bfloat16"})


@fact
def moments(program: Program) -> dict[int, tuple[tuple[int, ast.AST | None], int]]:
    """When each occurrence happened, by its id: in which course of events, and at which position in it.

    A course is one root, or one function that no root reached: the order of two courses is nobody's knowledge.
    """
    found: dict[int, tuple[tuple[int, ast.AST | None], int]] = {}
    root, last = 0, -1
    for position, occurrence in enumerate(program.occurrences):
        root, last = root + (occurrence.order <= last), occurrence.order
        first = occurrence.chain[0].node if occurrence.chain else None
        alone = first if isinstance(first, (FunctionNode, ast.ClassDef)) else None
        found[id(occurrence)] = ((root, alone), position)
    return found


@fact
def _courses(program: Program) -> dict[tuple[int, ast.AST | None], list[Occurrence]]:
    """The occurrences of each course, in order."""
    found: dict[tuple[int, ast.AST | None], list[Occurrence]] = {}
    for occurrence in program.occurrences:
        course, _ = moments(program)[id(occurrence)]
        found.setdefault(course, []).append(occurrence)
    return found


def _after(program: Program, first: Occurrence, *kinds: type[Event]) -> Iterator[Occurrence]:
    """What happened after something, in the same course of events."""
    course, position = moments(program)[id(first)]
    for occurrence in _courses(program)[course]:
        if isinstance(occurrence.event, kinds) and moments(program)[id(occurrence)][1] > position:
            yield occurrence


def is_reached(program: Program, occurrence: Occurrence) -> bool:
    """Whether something happens in a root, and not only in a function that nobody calls, under a policy of others."""
    (_, alone), _ = moments(program)[id(occurrence)]
    return alone is None


def is_before(program: Program, first: Occurrence, second: Occurrence) -> bool:
    """Whether one thing surely happened before another, in the same course of events."""
    (course, position), (other, later) = (moments(program)[id(one)] for one in (first, second))
    return course == other and position < later


def is_together(program: Program, first: Occurrence, second: Occurrence) -> bool:
    """Whether two things surely happen in one process, whichever is first: in the same course of events."""
    return moments(program)[id(first)][0] == moments(program)[id(second)][0]


def training_beside(program: Program, occurrence: Occurrence, guard: Guard) -> Occurrence | None:
    """The first thing that trains in the same course of events, where it can under a guard; None where nothing does."""
    course, _ = moments(program)[id(occurrence)]
    for one in _courses(program)[course]:
        if isinstance(one.event, (Compiled, Fitted, Applied)) and conjoin(one.guard, guard) is not None:
            return one
    return None


# -- pure half precision


@record
class PureHalf:
    """float16 weights asked for at `place`. `how` says what it does.

    `fresh`: layers become float16. `late`: layers were fixed before by `reason`, the rest of Keras becomes float16.
    `beside`: a mixed policy, set at `reason`, decides on layers.
    """

    place: Place
    occurrence: Occurrence
    guard: Guard
    how: str
    reason: Place | None


@fact
def pure_halves(program: Program) -> tuple[PureHalf, ...]:
    """`set_floatx("float16")` and the policy `float16`, where they have an effect."""
    return (*_policies(program), *_floatx(program))


def _policies(program: Program) -> Iterator[PureHalf]:
    for case in program.cases(PolicySet, "policy.name"):
        if case.constant("policy.name") == "float16":
            yield PureHalf(case.place, case.occurrence, case.guard, "fresh", _first_made(program, case.place))


def _floatx(program: Program) -> Iterator[PureHalf]:
    for case in program.cases(FloatxSet, "name", "fixed"):
        if case.constant("name") != "float16" or _is_put_back(program, case.occurrence):
            continue
        mixed = _mixed_beside(program, case)
        fixed = case.at("fixed")
        if mixed is not None:
            yield PureHalf(case.place, case.occurrence, case.guard, "beside", mixed)
        elif fixed is not None:
            yield PureHalf(case.place, case.occurrence, case.guard, "late", fixed)
        else:
            yield PureHalf(case.place, case.occurrence, case.guard, "fresh", _first_made(program, case.place))


def _first_made(program: Program, policy: Place) -> Place | None:
    """The first model built under the policy of a place, else the first layer."""
    for kind in (ModelBuilt, LayerBuilt):
        for occurrence in program.happened(kind):
            if _has_policy_of(occurrence, policy):
                return occurrence.place
    return None


def _has_policy_of(occurrence: Occurrence, place: Place) -> bool:
    policy = getattr(occurrence.event, "policy", NONE)
    return any(isinstance(one, Record) and one.place == place for _, one in alternatives(policy))


def _mixed_beside(program: Program, case: Case[FloatxSet]) -> Place | None:
    """The mixed policy in force, or the one set later, before any layer is made under float16."""
    for _, one in alternatives(case.event.policy, case.guard):
        if _name(one) in MIXED and isinstance(one, Record):
            return one.place
    following = next(_after(program, case.occurrence, LayerBuilt, ModelBuilt, PolicySet), None)
    if following is None or not isinstance(following.event, PolicySet):
        return None
    names = [_name(one) for _, one in alternatives(following.event.policy, case.guard)]
    return following.place if any(name in MIXED for name in names) else None


def _name(policy: Value) -> object:
    name = policy.get("name") if isinstance(policy, Record) else NONE
    return name.value if isinstance(name, Constant) else None


def _is_put_back(program: Program, occurrence: Occurrence) -> bool:
    """Whether another floatx follows before anything is made."""
    following = next(_after(program, occurrence, FloatxSet, LayerBuilt, ModelBuilt, OptimizerBuilt, Compiled), None)
    return following is not None and isinstance(following.event, FloatxSet) and following.guard <= occurrence.guard


# -- models made before their policy


@record
class LatePolicy:
    """A half policy set at `policy` after `made`, a model or a layer of one, that is trained afterwards.

    `is_whole` is whether `made` is the trained model itself; `model` is that model.
    """

    policy: Case[PolicySet]
    made: Object
    built: Occurrence
    model: Object
    is_whole: bool
    guard: Guard


@fact
def late_policies(program: Program) -> tuple[LatePolicy, ...]:
    """Half policies that come too late for something that is trained."""
    found: list[LatePolicy] = []
    for case in program.cases(PolicySet, "policy.name", "before.name"):
        name = case.constant("policy.name")
        if name in MIXED and name != case.constant("before.name"):
            found += _late_models(program, case)
            found += _late_parts(program, case)
    return tuple(found)


def _late_models(program: Program, policy: Case[PolicySet]) -> Iterator[LatePolicy]:
    for occurrence in _courses(program)[moments(program)[id(policy.occurrence)][0]]:
        if not isinstance(occurrence.event, ModelBuilt) or not is_before(program, occurrence, policy.occurrence):
            continue
        model = occurrence.event.model
        guard = _trained_after(program, policy, model)
        for case in cases_of(occurrence, "policy"):
            both = conjoin(guard, case.guard) if guard is not None else None
            if both is not None and is_default(case.value("policy")):
                yield LatePolicy(policy, model, occurrence, model, True, both)


def _late_parts(program: Program, policy: Case[PolicySet]) -> Iterator[LatePolicy]:
    for made, first, model, second, guard in _early_parts(program):
        if not is_before(program, first, policy.occurrence) or not is_before(program, policy.occurrence, second):
            continue
        trained = _trained_after(program, policy, model)
        both = conjoin(trained, guard) if trained is not None else None
        if both is not None:
            yield LatePolicy(policy, made, first, model, False, both)


@fact
def _early_parts(program: Program) -> tuple[tuple[Object, Occurrence, Object, Occurrence, Guard], ...]:
    """Layers and models in models that were made later: the part, when it was made, the model, when that was made."""
    built = {
        occurrence.event.model if isinstance(occurrence.event, ModelBuilt) else occurrence.event.layer: occurrence
        for occurrence in program.happened(LayerBuilt, ModelBuilt)
        if isinstance(occurrence.event, (LayerBuilt, ModelBuilt))
    }
    found = []
    for case in program.cases(ModelOutput, "tensor.early"):
        made, model = case.value("tensor.early"), case.event.model
        if made in built and model in built and isinstance(made, Object) and made is not model:
            found.append((made, built[made], model, built[model], case.guard))
    return tuple(found)


def _trained_after(program: Program, policy: Case[PolicySet], model: Object) -> Guard | None:
    """The condition under which a policy is set and a model trained afterwards; None where it is not."""
    for occurrence in _after(program, policy.occurrence, Compiled, Fitted, GradientTaken, Applied):
        if model in _models_of(occurrence):
            both = conjoin(policy.guard, occurrence.guard)
            if both is not None and not _is_taken_back(program, policy.occurrence, occurrence):
                return both
    return None


def _is_taken_back(program: Program, policy: Occurrence, training: Occurrence) -> bool:
    """Whether a policy that is not mixed, or that nobody knows, is set in between."""
    for occurrence in _after(program, policy, PolicySet):
        if is_before(program, occurrence, training):
            set_to = getattr(occurrence.event, "policy", NONE)
            if any(_name(one) not in MIXED for _, one in alternatives(set_to, training.guard)):
                return True
    return False


def _models_of(occurrence: Occurrence) -> list[Value]:
    event = occurrence.event
    if isinstance(event, (Compiled, Fitted)):
        return [event.model]
    given = event.sources if isinstance(event, GradientTaken) else getattr(event, "variables", NONE)
    return [one.get("owner") for _, one in alternatives(given) if isinstance(one, Record) and one.kind == "variables"]
