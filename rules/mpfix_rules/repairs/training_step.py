"""The repair of a training step: wrapping, scaling, averaging, clipping and unscaling, written together."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from mpfix.frameworks.events import OptimizerBuilt
from mpfix.frameworks.steps import Step, siblings
from mpfix.rewriting.edits import AppendToBlock, InsertAfter, InsertBefore, ReplaceExpression, WrapExpression
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import NONE, TRUE_VALUE
from mpfix_rules.repairs.clips import clip_inside, sole_constructor
from mpfix_rules.repairs.places import (
    With,
    call_at,
    function_of,
    is_inside,
    is_path,
    is_stored_in,
    names_in,
    parents,
    reads_of,
    shown,
    source,
    statement_of,
)
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.update_places import means_the_same
from mpfix_rules.repairs.wrappers import mean_in, wrap_optimizer

OTHER_REPLICAS = "replicas of a strategy may run the step: Keras 3 looks for an overflow on the first one only"
APART = "the tape and its gradient are in different functions"


def repaired(program: Program, step: Step) -> Offer:
    """Everything that a step lacks of loss scaling; where that changes training, a vector loss is averaged as well."""
    return planned(program, lambda plan: _repair(plan, step))


def repaired_all(program: Program, steps: Iterable[Step]) -> Offer:
    """Everything that the steps of one optimizer lack: a wrapper that only some scale for is worse than none."""

    def build(plan: Plan) -> None:
        for step in steps:
            _repair(plan, step)

    return planned(program, build)


def averaged(program: Program, step: Step) -> Offer:
    """The mean of a vector loss, with all that the step lacks besides."""

    def build(plan: Plan) -> None:
        _average(plan, step)
        plan.title = "Average the loss over the batch"
        if needs_scaling(program, step):
            _repair(plan, step)

    return planned(program, build)


def needs_scaling(program: Program, step: Step) -> bool:
    """Whether nothing of loss scaling is there although a float16 model is trained, or a wrapper divides."""
    if step.wrapped is None or step.state("off") == TRUE_VALUE or step.state("factor") != NONE or step.is_minimize:
        return False
    divides = bool(step.wrapped) and 3 in program.generations
    return step.is_plain and step.of("divided by hand") == NONE and (divides or step.place("half") is not None)


def _repair(plan: Plan, step: Step) -> None:
    call = call_at(step.gradient)
    if call is None or not _shares_optimizer(plan.program, step, call):
        raise Refused("the gradient and its application are in different functions")
    if step.wrapped is False:
        _wrap(plan, step)
    elif plan.is_for_keras_2 and any(one.wrapped is False for one in siblings(plan.program, step)):
        raise Refused("the optimizer is wrapped on a condition that the step does not see")
    plan.title = plan.title or _title(plan, step)
    if step.is_minimize:
        return
    optimizer = receiver_of(step)
    if step.of("scaled") == NONE:
        add_scaling(plan, step.gradient, optimizer)
    if plan.is_for_keras_2 and step.of("unscaled") == NONE:
        add_unscaling(plan, step.gradient, optimizer)
    if plan.is_for_keras_3:
        clip_inside(plan, step)


def _shares_optimizer(program: Program, step: Step, call: ast.Call) -> bool:
    """Whether the name of the optimizer that applies means the same where the gradient is taken."""
    if function_of(program, call) is function_of(program, step.applied.node):
        return True
    applied = call_at(step.applied)
    receiver = applied.func.value if applied is not None and isinstance(applied.func, ast.Attribute) else None
    return receiver is not None and means_the_same(program, receiver, call)


def _title(plan: Plan, step: Step) -> str:
    if step.wrapped is False:
        return (
            "Wrap the optimizer"
            if step.is_minimize or step.of("scaled") != NONE
            else "Wrap the optimizer and scale the loss"
        )
    if plan.is_for_keras_2:
        return "Scale the loss and unscale the gradients"
    return f"Scale the loss with `{optimizer_name(step)}.scale_loss`"


def _wrap(plan: Plan, step: Step) -> None:
    program, maker = plan.program, sole_constructor(plan.program, step)
    if len({one.place("made at") for one in siblings(program, step)}) > 1:
        raise Refused("the optimizer is built in more than one place")
    made = [o.event for o in program.happened(OptimizerBuilt)]
    if any(isinstance(event, OptimizerBuilt) and event.inner == step.event.optimizer for event in made):
        raise Refused("the same optimizer is wrapped elsewhere")
    wrap_optimizer(plan, maker)
    plan.changes_training = True
    if plan.is_for_keras_3:
        plan.only_show_in_replicas(step.occurrence, OTHER_REPLICAS)
    if step.of("vector") == TRUE_VALUE:
        _average(plan, step)


def _average(plan: Plan, step: Step) -> None:
    vector = step.place("vector at")
    if vector is None or not isinstance(vector.node, ast.expr):
        raise Refused("the call that makes the vector is not seen")
    _check_sole_use(plan.program, step, vector)
    plan.add(vector.module, WrapExpression(vector.node, f"{mean_in(plan, vector.module)}(", ")"))
    plan.changes_training = True
    plan.only_show_in_replicas(step.occurrence)


def _check_sole_use(program: Program, step: Step, vector: Place) -> None:
    """A vector that is read besides must stay one."""
    statement = statement_of(program, vector.node)
    if not (isinstance(statement, ast.Assign) and statement.value is vector.node):
        return
    scope = function_of(program, vector.node)
    for target in statement.targets:
        for read in reads_of(scope, ast.unparse(target)):
            holder = parents(program)[read]
            if isinstance(holder, (ast.Subscript, ast.BinOp)):
                raise Refused("the vector is used for something else too")


# -- names


def loss_name(place: Place) -> str:
    """What the loss is called where it is differentiated or scaled."""
    call = call_at(place)
    argument = target_of(call) if call is not None else None
    return shown(argument) if argument is not None else "the loss"


def optimizer_name(step: Step, place: Place | None = None) -> str:
    """What the optimizer is called in the text, where it applies or at another place."""
    call = call_at(place or step.applied)
    is_method = call is not None and isinstance(call.func, ast.Attribute)
    return shown(call.func.value) if is_method else "the optimizer"  # type: ignore[union-attr]


def scaled_name(program: Program, place: Place) -> str:
    """What the result of a scaling call is called."""
    statement = statement_of(program, place.node)
    named = isinstance(statement, ast.Assign) and statement.value is place.node
    return shown(statement.targets[0]) if named else "loss"  # type: ignore[attr-defined]


def receiver_of(step: Step, place: Place | None = None) -> str:
    """The text of the optimizer that a step applies with, or that another call is a method of."""
    where = place or step.applied
    call = call_at(where)
    if call is None or not isinstance(call.func, ast.Attribute) or not is_path(call.func.value):
        raise Refused("the optimizer has no name that the step could use")
    return source(where.module, call.func.value)


def target_of(call: ast.Call) -> ast.expr | None:
    """The loss that a gradient or scaling call is given."""
    if call.args:
        return None if isinstance(call.args[0], ast.Starred) else call.args[0]
    return next((one.value for one in call.keywords if one.arg in ("target", "loss")), None)


# -- scale


def add_scaling(plan: Plan, gradient: Place, optimizer: str, test: str | None = None) -> None:
    """A last line of the tape's block that scales the loss (under a test, where one is given), and its result used."""
    program, module, call = plan.program, gradient.module, call_at(gradient)
    target = target_of(call) if call is not None else None
    if call is None or target is None:
        raise Refused("the differentiated loss has no name")
    block = recording_block(program, call)
    if block is None:
        raise Refused(APART)
    text, inside = source(module, target), is_inside(program, call, block)
    if not is_path(target) or not is_stored_in(block, ast.unparse(target)):
        raise Refused(APART if is_path(target) else "the differentiated loss has no name")
    name = new_name(module, target)
    line = f"{name} = {plan.scaled(optimizer, text)}" + (f" if {test} else {text}" if test else "")
    statement = statement_of(program, call)
    plan.add(module, InsertBefore(statement, line) if inside else AppendToBlock(block, line))
    plan.add(module, ReplaceExpression(target, name))


def recording_block(program: Program, call: ast.Call) -> With | None:
    """The last `with` block before a gradient call, in the same function, in which its tape records."""
    if not isinstance(call.func, ast.Attribute):
        return None
    return block_of_tape(program, call, ast.unparse(call.func.value))


def block_of_tape(program: Program, call: ast.Call, tape: str) -> With | None:
    """The last `with` block of a tape before a call in the same function."""
    scope = function_of(program, call)
    found = [
        node
        for node in ast.walk(scope)
        if isinstance(node, (ast.With, ast.AsyncWith))
        and node.lineno <= call.lineno
        and function_of(program, node) is scope
        and any(_opens(item, tape) for item in node.items)
    ]
    return max(found, key=lambda node: node.lineno, default=None)


def _opens(item: ast.withitem, tape: str) -> bool:
    name = ast.unparse(item.optional_vars) if item.optional_vars is not None else ast.unparse(item.context_expr)
    return name == tape


def new_name(module: Module, target: ast.expr) -> str:
    """`scaled_` and the loss's own name, with a number where it is taken."""
    base = target.attr if isinstance(target, ast.Attribute) else ast.unparse(target)
    name = f"scaled_{base}"
    taken = names_in(module)
    return name if name not in taken else next(f"{name}_{n}" for n in range(2, 99) if f"{name}_{n}" not in taken)


# -- unscale


def add_unscaling(plan: Plan, gradient: Place, optimizer: str, test: str | None = None) -> None:
    """The gradients divided right behind the call that takes them, before anything clips them."""
    module, call = gradient.module, gradient.node
    assert isinstance(call, ast.Call)
    holder = parents(plan.program)[call]
    if (
        isinstance(holder, ast.Assign)
        and holder.value is call
        and len(holder.targets) == 1
        and is_path(holder.targets[0])
    ):
        name = source(module, holder.targets[0])
        line = f"{name} = {plan.unscaling(optimizer)}({name})"
        plan.add(module, InsertAfter(holder, f"if {test}:\n    {line}" if test else line))
    elif test is not None:
        raise Refused("the gradients have no name that a condition could change")
    else:
        plan.add(module, WrapExpression(call, f"{plan.unscaling(optimizer)}(", ")"))
