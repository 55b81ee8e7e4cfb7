"""The repairs of gradient accumulation: the built-in argument, resets, and what leads to them."""

from __future__ import annotations

import ast

from mpfix.frameworks.accumulation import Doubled, Sum
from mpfix.frameworks.events import Applied, OptimizerBuilt, Reset
from mpfix.frameworks.replica_scopes import may_run_in_replicas
from mpfix.frameworks.windows import Update, updates, window_length
from mpfix.rewriting.edits import AddKeyword, DeleteStatement, InsertAfter, MoveStatement, ReplaceExpression
from mpfix.semantic.program import Program
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, At, Constant, Object, Record, Unknown, Value
from mpfix_rules.repairs.by_hand import accumulate_lost, accumulate_step
from mpfix_rules.repairs.places import block_of, function_of, is_path, parents, source, statement_of
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.update_places import (
    applied_parts,
    binding_scope,
    loop_around,
    means_the_same,
    plain_statement,
    root,
    stands_in,
    statement_source,
    window_around,
)

ARGUMENT = "gradient_accumulation_steps"


def once_per_window(program: Program, doubled: Doubled) -> Offer:
    """One update for each window instead of one for each micro batch and another for the window."""

    def build(plan: Plan) -> None:
        plan.changes_training = True
        if doubled.kind == "sum":
            plan.title = "Apply the accumulated gradients only"
            statement = plain_statement(program, doubled.place.node, "the update of each step")
            plan.add(doubled.place.module, DeleteStatement(statement))
            return
        if may_run_in_replicas(program, doubled.again.occurrence):
            # the argument raises there, and sums must be made in a scope
            raise Refused("replicas of a strategy may run the step, and each needs a sum of its own")
        check_optimizer(program, doubled)
        if plan.is_for_keras_2:
            plan.title = "Add the gradients up and apply their mean when the window is full"
            accumulate_step(plan, doubled)
        else:
            _built_in(plan, doubled)

    return planned(program, build)


def accumulate_by_hand(program: Program, update: Update, taken: Occurrence) -> Offer:
    """A sum of the gradients of all micro batches in place of those of the last."""

    def build(plan: Plan) -> None:
        plan.changes_training = True
        plan.title = "Add the gradients up and apply their mean when the window is full"
        accumulate_lost(plan, update, taken)

    return planned(program, build)


# -- the argument of the optimizer


def check_optimizer(program: Program, doubled: Doubled) -> None:
    """Refuse where the optimizer does anything else, or counts its updates."""
    state = _state(doubled.again)
    rate = state.get("rate")
    if isinstance(rate, (Object, Record)):
        raise Refused(
            "a learning rate schedule would count other steps after the repair: its numbers must change with it"
        )
    if isinstance(rate, Unknown):
        raise Refused("the learning rate may be a schedule, whose numbers would have to change with the repair")
    known = {_way(doubled.each), _way(doubled.again)}
    if any(one.optimizer == doubled.again.optimizer and _way(one) not in known for one in updates(program)):
        raise Refused("the optimizer updates the weights elsewhere too")


def _way(update: Update) -> tuple[Place, ...]:
    return (*update.occurrence.chain, update.occurrence.place)


def _state(update: Update) -> Record:
    event = update.occurrence.event
    assert isinstance(event, Applied)
    return event.state if isinstance(event.state, Record) else Record("optimizer", update.occurrence.place, {})


def _built_in(plan: Plan, doubled: Doubled) -> None:
    """`gradient_accumulation_steps=n` for the optimizer; the update of the window goes."""
    again = doubled.again
    state, node = _state(again), doubled.again_place.node
    if state.get("accumulates") != NONE:
        raise Refused("the optimizer accumulates already")
    maker = _constructor(plan.program, state)
    length = _length_for(plan.program, again, node, maker)
    statement = plain_statement(plan.program, node, "the update of the window")
    owner, field = block_of(plan.program, statement)
    alone = isinstance(owner, ast.If) and field == "body" and len(owner.body) == 1 and not owner.orelse
    window = window_around(plan.program, node)
    gone = owner if alone and window is not None and window.branch is owner else statement
    assert isinstance(maker.node, ast.Call)
    assert isinstance(gone, ast.stmt)
    plan.add(maker.module, AddKeyword(maker.node, ARGUMENT, length))
    plan.add(doubled.again_place.module, DeleteStatement(gone))
    plan.title = f"Accumulate with `{ARGUMENT}={length}`"


def _constructor(program: Program, state: Record) -> Place:
    """The one call that makes the optimizer."""
    made = state.get("made at")
    place = made.place if isinstance(made, At) else None
    if place is None or not isinstance(place.node, ast.Call):
        raise Refused("the constructor of the optimizer is not seen, or there are several")
    if isinstance(place.node.func, ast.Attribute) and place.node.func.attr == "compile":
        raise Refused("the optimizer is given by its name")
    events = [o.event for o in program.happened(OptimizerBuilt) if o.place == place]
    if len({e.optimizer for e in events if isinstance(e, OptimizerBuilt)}) != 1:
        raise Refused("the same call makes several optimizers")
    return place


def _length_for(program: Program, again: Update, node: ast.AST, maker: Place) -> str:
    """The window's length as the constructor can name it."""
    value = _constant(window_length(again))
    window = window_around(program, node)
    if window is not None and isinstance(window.length, ast.Constant):
        value = window.length.value
    if not isinstance(value, int) or isinstance(value, bool) or value < 2:
        raise Refused("the length of the window is no constant of at least 2")
    if (
        window is not None
        and isinstance(window.length, ast.Name)
        and _is_set_before(program, window.length, maker.node)
    ):
        return window.length.id
    return str(value)


def _constant(value: Value | None) -> object:
    return value.value if isinstance(value, Constant) else None


def _is_set_before(program: Program, name: ast.Name, node: ast.AST) -> bool:
    """Whether a name is bound once, at module level, to a constant, and above a node of the module level."""
    module = binding_scope(program, name.id, name)
    if not isinstance(module, ast.Module) or not means_the_same(program, name, node):
        return False
    stores = [
        one
        for one in ast.walk(module)
        if isinstance(one, ast.Name) and one.id == name.id and isinstance(one.ctx, ast.Store)
    ]
    first = statement_of(program, stores[0]) if len(stores) == 1 else None
    return (
        isinstance(first, ast.Assign)
        and parents(program)[first] is module
        and first.lineno < getattr(node, "lineno", 0)
    )


# -- accumulators that exist


def add_instead(program: Program, update: Update, overwritten: Occurrence) -> Offer:
    """`assign_add` where gradients take the place of what the accumulator held."""

    def build(plan: Plan) -> None:
        call = overwritten.place.node
        resets = (o.event for o in program.happened(Reset) if update.loop in o.loops)
        is_reset = any(isinstance(event, Reset) and event.accumulator == update.accumulator for event in resets)
        if not is_reset or update.property("divided") == NONE:
            raise Refused("the loop neither averages nor starts again: more than this call is missing")
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "assign":
            raise Refused("the accumulator is not written by `assign`")
        plan.changes_training = True
        plan.title = "Add the gradients with `assign_add`"
        receiver = source(overwritten.place.module, call.func.value)
        plan.add(overwritten.place.module, ReplaceExpression(call.func, f"{receiver}.assign_add"))

    return planned(program, build)


def reset_after(program: Program, update: Update, found: Sum) -> Offer:
    """A new start of the sum behind the update."""

    def build(plan: Plan) -> None:
        place = update.occurrence.place
        statement = plain_statement(program, place.node, "the update")
        plan.changes_training = True
        plan.title = "Start the sum again after the update"
        if found.place is not None:
            name = _list_of_variables(program, found.place, statement)
            code = f"for accumulator in {name}:\n    accumulator.assign({_zeros(found.place)}(accumulator))"
        else:
            code = _made_again(program, place, statement)
        plan.add(place.module, InsertAfter(statement, code))

    return planned(program, build)


def _zeros(variable: Place) -> str:
    """`tf.zeros_like`, spelt as the variable's constructor is."""
    function = variable.node.func if isinstance(variable.node, ast.Call) else None
    if isinstance(function, ast.Attribute) and function.attr == "Variable" and isinstance(function.value, ast.Name):
        return f"{function.value.id}.zeros_like"
    raise Refused("the module has no short name for TensorFlow")


def _list_of_variables(program: Program, variable: Place, statement: ast.stmt) -> str:
    """The name of the list that holds the accumulators, where it means the same at the update."""
    maker = statement_of(program, variable.node)
    target = maker.targets[0] if isinstance(maker, ast.Assign) and len(maker.targets) == 1 else None
    is_list = isinstance(maker, ast.Assign) and isinstance(maker.value, (ast.ListComp, ast.List))
    if target is None or not is_list or not is_path(target):
        raise Refused("the accumulators are not a list with a name")
    if not means_the_same(program, target, statement) and not _is_own(program, target, statement):
        raise Refused("the accumulators and the update are not named in one function")
    return ast.unparse(target)


def _is_own(program: Program, target: ast.expr, statement: ast.stmt) -> bool:
    """Whether a target is an attribute of the object whose method holds the statement."""
    first, second = function_of(program, target), function_of(program, statement)
    if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
        return False
    methods = [one for one in (first, second) if isinstance(one, ast.FunctionDef) and one.args.args]
    receivers = {one.args.args[0].arg for one in methods}
    same_class = first in parents(program) and parents(program)[first] is parents(program).get(second)
    return len(methods) == 2 and receivers == {target.value.id} and same_class


def _made_again(program: Program, place: Place, statement: ast.stmt) -> str:
    """A copy of the statement that made the sum."""
    parts = applied_parts(place.node)
    name = _sum_name(parts[0]) if parts is not None else None
    if name is None:
        raise Refused("the sum has no name at the update")
    scope = binding_scope(program, root(name), name)
    makers = [
        node
        for node in ast.walk(place.module.tree)
        if isinstance(node, ast.Assign)
        and any(ast.unparse(target) == ast.unparse(name) for target in node.targets)
        and binding_scope(program, root(name), node) is scope
    ]
    first = min(makers, key=lambda node: node.lineno, default=None)
    if first is None or not isinstance(first.value, (ast.ListComp, ast.Constant)):
        raise Refused("the statement that makes the sum is not seen")
    return statement_source(place, first)


def _sum_name(gradients: ast.expr) -> ast.expr | None:
    """The sum that is applied: its name, or what a comprehension over it names."""
    if isinstance(gradients, (ast.ListComp, ast.GeneratorExp)) and len(gradients.generators) == 1:
        gradients = gradients.generators[0].iter
    return gradients if is_path(gradients) else None


def zeros_before_loop(program: Program, update: Update, zeros: Place) -> Offer:
    """Zeros in front of the loop, and again after each update."""

    def build(plan: Plan) -> None:
        loop = loop_around(program, update)
        maker = statement_of(program, zeros.node)
        statement = plain_statement(program, update.occurrence.place.node, "the update")
        is_plain = isinstance(maker, ast.Assign) and len(maker.targets) == 1 and is_path(maker.targets[0])
        if (
            not is_plain
            or not stands_in(program, maker, loop)
            or function_of(program, statement) is not function_of(program, maker)
        ):
            raise Refused("the zeros and the update are not in one function")
        plan.changes_training = True
        plan.title = "Make the zeros in front of the loop and after each update"
        module = zeros.module
        plan.add(module, MoveStatement(maker, loop), InsertAfter(statement, statement_source(zeros, maker)))

    return planned(program, build)
