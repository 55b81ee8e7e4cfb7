"""Strategies that train several replicas of a model: what is made in their scopes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpfix.frameworks.events import (
    Applied,
    Compiled,
    Fitted,
    OptimizerBuilt,
    PolicySet,
    Predicted,
    StrategyMade,
    TrainedUnseen,
)
from mpfix.frameworks.handlers import Methods
from mpfix.record import record
from mpfix.semantic.guards import Guard, conjoin
from mpfix.semantic.library import Event
from mpfix.semantic.program import Case, Program, alternatives, fact
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    NONE,
    TRUE_VALUE,
    Arguments,
    Bound,
    Choice,
    Constant,
    Function,
    Library,
    Object,
    Partial,
    Record,
    Sequence,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

SCOPE = "strategy scope"
"""Kind of what `strategy.scope()` gives."""

MIRRORED = ("MirroredStrategy", "MultiWorkerMirroredStrategy")
HALF = "mixed_float16"
NO_SCOPES = frozenset({"tensorflow", "keras", "builtins", "threading", "tempfile", "warnings"})
"""Packages whose context managers, but for those of strategies, are no scopes."""


@record
class ScopeMade(Event):
    """`strategy.scope()`: nothing is in it yet."""

    scope: Object
    strategy: Value


@record
class ScopeEntered(Event):
    """`with strategy.scope():` begins; or that of something nobody knows, which may be a scope."""

    strategy: Value
    scope: Value = NONE


@record
class ScopeLeft(Event):
    """It ends."""

    strategy: Value


@record
class ReplicasRun(Event):
    """`strategy.run(f)`: what `f` does, each replica does."""

    strategy: Value


@record
class StrategyGiven(Event):
    """A strategy was handed to code that nobody sees, which may enter its scope."""

    strategy: Object


def note_given(run: Run, function: Value, arguments: Arguments, node: ast.AST) -> None:
    """A call of something outside the project that may receive a strategy, or be the `run` of one."""
    if isinstance(function, Unknown) or (isinstance(function, Library) and _is_unseen(function)):
        for value in arguments.values():
            if isinstance(value, Object) and value.kind == "strategy":
                run.emit(StrategyGiven(node, value))
        first = arguments.positional[0] if arguments.positional else arguments.keyword("fn")
        if isinstance(first, (Function, Bound, Partial)):
            _note_run(run, function, node)


def _note_run(run: Run, function: Value, node: ast.AST) -> None:
    """`strategy.run(f)` of something that nobody knows."""
    match function:
        case Unknown(origin=("attribute", Value() as owner, "run")):
            run.emit(ReplicasRun(node, owner))
        case Library(key=key) if key.endswith(".run"):
            run.emit(ReplicasRun(node, function))


def _is_unseen(name: Library) -> bool:
    return name.key.partition(".")[0] not in NO_SCOPES


def _scope(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    scope = run.new_object(SCOPE, node)
    run.set(scope, "strategy", receiver)
    run.emit(ScopeMade(node, scope, receiver))
    return scope


def enter(run: Run, value: Value, node: ast.AST) -> Value | None:
    """`with strategy.scope():` begins, or another `with`; a name bound to a scope is of no interest."""
    if isinstance(value, Object) and value.kind == SCOPE:
        run.emit(ScopeEntered(node, run.get(value, "strategy"), value))
        return NONE
    if _may_be_scope(value):
        run.emit(ScopeEntered(node, value, value))
    return None


def leave(run: Run, value: Value, node: ast.AST) -> None:
    """The `with` block of a scope ends, or of what may be one."""
    if isinstance(value, Object) and value.kind == SCOPE:
        run.emit(ScopeLeft(node, run.get(value, "strategy")))
    elif _may_be_scope(value):
        run.emit(ScopeLeft(node, value))


def _may_be_scope(value: Value) -> bool:
    """Whether a context manager may be the scope of a strategy: not what a known library gives."""
    made_by = value
    while isinstance(made_by, Unknown) and made_by.origin[0] in ("call", "attribute"):
        made_by = made_by.origin[1]
    if isinstance(made_by, Library):
        return _is_unseen(made_by)
    return isinstance(value, Unknown)


def _enter_by_hand(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    return enter(run, receiver, node)


def _leave_by_hand(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    leave(run, receiver, node)
    return NONE


def _reduce(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`strategy.reduce(op, value, axis)`: one tensor of the same kind as those that the replicas gave."""
    value, axis = arguments.get(1, "value"), arguments.get(2, "axis") or NONE
    if value is None or not (axis == NONE or _is_mean(arguments.get(0, "reduce_op"))):
        return None

    def reduce(one: Value) -> Value:
        if not isinstance(one, Record) or one.kind != "tensor":
            return run.unknown(node)
        return one if axis == NONE else run.call(Library("tensorflow.reduce_mean"), Arguments((one,)), node)

    return run.each(value, reduce)


def _is_mean(operation: Value | None) -> bool:
    match operation:
        case Library(key="tensorflow.distribute.ReduceOp.MEAN"):
            return True
        case Constant(value=str() as name):
            return name.upper() == "MEAN"
    return False


def common_method(receiver: Choice, name: str) -> Bound | None:
    """A method of one of several strategies that does the same for all of them."""
    strategies = [one for _, one in receiver if one != NONE]
    is_common = all(isinstance(one, Object) and one.kind == "strategy" for one in strategies)
    if name not in ("run", "experimental_run_v2", "reduce") or len(strategies) < 2 or not is_common:
        return None
    return Bound(Library(f"strategy.{name}"), receiver)


METHODS: Methods = {
    ("strategy", "scope"): _scope,
    ("strategy", "reduce"): _reduce,
    (SCOPE, "__enter__"): _enter_by_hand,
    (SCOPE, "__exit__"): _leave_by_hand,
}


# -- what rules ask


@dataclass(frozen=True)
class UnseenOverflow:
    """A strategy of several replicas in whose scope a loss scale optimizer is put around another one."""

    strategy: Place
    policy: Place | None
    wrapped: Place
    guard: Guard


@fact
def unseen_overflows(program: Program) -> tuple[UnseenOverflow, ...]:
    """The strategies on Keras 3 whose other replicas may overflow without anybody noticing; each once."""
    found: dict[Place, UnseenOverflow] = {}
    for made, wrapping, guard in _wrapped_in_scopes(program) if program.generation == 3 else ():
        policy = _policy(program, guard)
        if policy is not None and made.place not in found:
            joined = conjoin(guard, policy.guard)
            if joined is not None:
                found[made.place] = UnseenOverflow(made.place, policy.at("policy"), wrapping, joined)
    return tuple(found.values())


def _wrapped_in_scopes(program: Program) -> Iterator[tuple[Occurrence, Place, Guard]]:
    """Each strategy of several replicas with what wraps an optimizer in one of its scopes."""
    made = [one for one in program.happened(StrategyMade) if _is_mirrored(one)]
    inside: list[Value] = []
    wrapping = {(one.occurrence.order, one.place): one.guard for one in _wrappings(program)}
    for occurrence in program.happened(ScopeEntered, ScopeLeft, Compiled, OptimizerBuilt) if made else ():
        event = occurrence.event
        if isinstance(event, ScopeEntered):
            inside.append(event.strategy)
        elif isinstance(event, ScopeLeft):
            inside = inside[:-1]
        elif (occurrence.order, occurrence.place) in wrapping and inside:
            for one in made:
                guard = conjoin(one.guard, wrapping[occurrence.order, occurrence.place])
                if guard is not None and any(is_of(strategy, one) for strategy in inside):
                    yield one, occurrence.place, guard


def _wrappings(program: Program) -> Iterator[Case[Compiled] | Case[OptimizerBuilt]]:
    """Where compile, or the program, puts a loss scale optimizer around another one."""
    for case in program.cases(Compiled, "wrapped"):
        if case.value("wrapped") == TRUE_VALUE and not _is_only_used(program, case.event.model):
            yield case
    if _trains(program):
        for built in program.cases(OptimizerBuilt):
            if built.event.inner != NONE and not _is_only_compiled(program, built.event.optimizer):
                yield built


def _is_only_compiled(program: Program, optimizer: Object) -> bool:
    """Whether all that an optimizer is for is to compile models that are never trained."""
    given = [
        event for event in program.events(Compiled) if any(one is optimizer for _, one in alternatives(event.optimizer))
    ]
    return bool(given) and all(_is_only_used(program, event.model) for event in given)


def _trains(program: Program) -> bool:
    """Whether anything is trained, if only a model that nobody can name."""
    unseen = (
        ast.unparse(event.node.func) for event in program.events(TrainedUnseen) if isinstance(event.node, ast.Call)
    )
    return bool(program.happened(Applied, Fitted)) or any(text.endswith((".fit", ".train_on_batch")) for text in unseen)


def _is_only_used(program: Program, model: Object) -> bool:
    """Whether a model predicts or is evaluated, and is never trained."""
    trained = any(event.model is model for event in program.events(Fitted))
    return not trained and any(event.model is model for event in program.events(Predicted))


def _is_mirrored(made: Occurrence) -> bool:
    """Whether a strategy has several replicas where there are several devices, and is not given just one."""
    event = made.event
    assert isinstance(event, StrategyMade)
    if event.key.rpartition(".")[2] not in MIRRORED:
        return False
    if isinstance(event.devices, Sequence):
        return event.devices.open or len(event.devices.items) > 1
    return event.devices == NONE


def is_of(strategy: Value, made: Occurrence) -> bool:
    """Whether a scope is that of a strategy, as far as it can be told."""
    return any(isinstance(one, Object) and one.place == made.place for _, one in alternatives(strategy))


def _policy(program: Program, guard: Guard) -> Case[PolicySet] | None:
    """Where mixed_float16 is set."""
    for case in program.cases(PolicySet, "policy", "policy.name"):
        is_half = case.constant("policy.name") == HALF and isinstance(case.value("policy"), Record)
        if is_half and conjoin(case.guard, guard) is not None:
            return case
    return None
