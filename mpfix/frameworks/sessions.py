"""Sessions of TensorFlow 1 that are made for their GPU options, beside code that never runs in a session."""

from __future__ import annotations

import ast

from mpfix.frameworks.events import Applied, Compiled, Fitted, GradientTaken, ModelCalled, Predicted
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.policy_order import is_before
from mpfix.frameworks.training import trains
from mpfix.record import record
from mpfix.semantic.guards import implies
from mpfix.semantic.library import Event
from mpfix.semantic.program import Program, fact
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Arguments, Constant, Library, Unknown, Value

CONFIG = "tensorflow.compat.v1.ConfigProto"
OPTIONS = "tensorflow.compat.v1.GPUOptions"
SESSIONS = frozenset({"tensorflow.compat.v1.Session", "tensorflow.compat.v1.InteractiveSession"})
GPU_OPTIONS = frozenset({"allow_growth", "per_process_gpu_memory_fraction", "visible_device_list"})

GRAPH_MODE = (
    "tensorflow.compat.v1.disable_eager_execution",
    "tensorflow.compat.v1.disable_v2_behavior",
    "tensorflow.compat.v1.placeholder",
    "tensorflow.compat.v1.global_variables_initializer",
    "tensorflow.compat.v1.train.",
    "tensorflow.compat.v1.get_default_graph",
    "tensorflow.compat.v1.estimator.",
    "tensorflow.compat.v1.layers.",
    "tensorflow.estimator.",
    "tensorflow.Graph",
    "tensorflow.compat.v1.Graph",
)
"""Names (prefixes where they end in a dot) of code that runs in sessions."""


USES = (Applied, Compiled, Fitted, GradientTaken, ModelCalled, Predicted)
"""What starts the eager runtime, and the GPU with it, if nothing did before."""


@record
class SessionMade(Event):
    """A session of TensorFlow 1 was made with a `config`."""

    config: Value


@record
class GpuOptionSet(Event):
    """`config.gpu_options.name = value`, or an argument `name` of the options, which then stand for `config`."""

    config: Value
    name: str
    value: Value


@record
class SessionUsed(Event):
    """Something is run in a session."""


def note_attribute(run: Run, receiver: Unknown, name: str, node: ast.AST) -> None:
    """`session.run` and its like."""
    if name not in ("run", "as_default", "partial_run", "make_callable", "graph"):
        return
    value: Value = receiver
    for _ in range(4):
        match value:
            case Unknown(origin=("call", Library(key=key), *_)):
                if key in SESSIONS:
                    run.emit(SessionUsed(node))
                return
            case Unknown(origin=(_, Value() as inner, *_)):
                value = inner
            case _:
                return


def note_call(run: Run, key: str, arguments: Arguments, node: ast.AST) -> None:
    """A call that may make a session, or options for one."""
    if key in SESSIONS:
        config = arguments.get(2 if key.endswith(".Session") else None, "config")
        if config is not None:
            run.emit(SessionMade(node, config))
    elif key == OPTIONS:
        made = Unknown(("options", run.place(node)), "options")
        for name, value in arguments.keywords:
            if name in GPU_OPTIONS:
                run.emit(GpuOptionSet(node, made, name, value))


def note_stored(run: Run, receiver: Value, name: str, value: Value, node: ast.AST) -> None:
    """`config.gpu_options.allow_growth = True`."""
    match receiver:
        case Unknown(origin=("attribute", Value() as config, "gpu_options")) if name in GPU_OPTIONS:
            run.emit(GpuOptionSet(node, config, name, value))


# -- facts


@record
class VainSession:
    """A session that is made for its GPU options, in a program whose training never runs in it.

    A process has one allocator for a GPU, made with the options of whoever comes first: a first session decides for
    eager code too. `options` are the places that set them, `made` the one that makes the configuration, `used` what
    surely used the GPU before; None where nothing is known to.
    """

    occurrence: Occurrence
    made: Place
    options: tuple[Occurrence, ...]
    used: Place | None


@fact
def vain_sessions(program: Program) -> tuple[VainSession, ...]:
    """Sessions with GPU options in programs that train eagerly, or by Keras."""
    if not trains(program) or _runs_in_sessions(program):
        return ()
    found = []
    for occurrence in program.happened(SessionMade):
        assert isinstance(occurrence.event, SessionMade)
        made = _made_at(occurrence.event.config)
        options = _options_of(program, occurrence.event.config)
        if made is not None and options:
            found.append(VainSession(occurrence, made, options, _used_before(program, occurrence)))
    return tuple(found)


def _used_before(program: Program, session: Occurrence) -> Place | None:
    """What surely used the GPU before a session was made: it makes variables or computes, under both generations."""
    return next(
        (
            one.place
            for one in program.happened(*USES)
            if is_before(program, one, session) and implies(session.guard, one.guard)
        ),
        None,
    )


def _made_at(config: Value) -> Place | None:
    match config:
        case Unknown(origin=("call", Library(key=key), *_, Place() as place)) if key == CONFIG:
            return place
    return None


def _options_of(program: Program, config: Value) -> tuple[Occurrence, ...]:
    """What sets GPU options of a configuration: attributes, or the options it is made with."""
    made = _made_at(config)
    given = set(ast.walk(made.node)) if made is not None else set()
    return tuple(
        one
        for one in program.happened(GpuOptionSet)
        if isinstance(one.event, GpuOptionSet)
        and (one.event.config == config or (_is_options(one.event.config) and _belongs(program, one, given)))
    )


def _is_options(value: Value) -> bool:
    return isinstance(value, Unknown) and value.origin[0] == "options"


def _belongs(program: Program, options: Occurrence, given: set[ast.AST]) -> bool:
    """Whether options are an argument of a configuration, or the only ones of the program."""
    return options.place.node in given or len({one.place for one in program.happened(GpuOptionSet)}) == 1


def _runs_in_sessions(program: Program) -> bool:
    """Whether some code is made for graphs and sessions; then the options are in force there."""
    names = (canonical(use.qualified).name for part in program.names for use in part.names.uses)
    return bool(program.happened(SessionUsed)) or any(
        name == one or (one.endswith(".") and name.startswith(one)) for name in names for one in GRAPH_MODE
    )


def is_growth(options: tuple[Occurrence, ...]) -> bool:
    """Whether the options ask for memory that grows, and for nothing else."""
    events = [one.event for one in options]
    return all(isinstance(one, GpuOptionSet) and one.name == "allow_growth" for one in events) and all(
        isinstance(one, GpuOptionSet) and one.value == Constant(True) for one in events
    )
