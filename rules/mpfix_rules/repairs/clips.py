"""Clips of scaled gradients: behind the unscaling on Keras 2, in the inner optimizer where Keras 3 takes part."""

from __future__ import annotations

import ast

from mpfix.frameworks.events import Clipped, OptimizerBuilt
from mpfix.frameworks.steps import Step, may_hold_the_scale, touched, uses_of_optimizer
from mpfix.rewriting.edits import AddKeyword, DeleteStatement, MoveStatement, ReplaceExpression, ReplaceStatement
from mpfix.semantic.program import Case, Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, Constant
from mpfix_rules.repairs.places import (
    block_of,
    function_of,
    parents,
    reads_of,
    shown,
    source,
    statement_of,
)
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned

KEYWORDS = {
    "tensorflow.clip_by_global_norm": "global_clipnorm",
    "tensorflow.clip_by_norm": "clipnorm",
    "tensorflow.clip_by_value": "clipvalue",
    "keras.ops.clip": "clipvalue",
}


def unscaled_before(program: Program, step: Step, case: Case[Clipped]) -> Offer:
    """The repair of one clip, norm or noise that stands before the unscaling."""

    def build(plan: Plan) -> None:
        plan.changes_training = True
        if plan.is_for_keras_3:
            plan.title = "Clip in the inner optimizer, after the unscaling"
            clip_inside(plan, step)
        else:
            plan.title = "Unscale the gradients first"
            _unscale_first(plan, step, case)

    return planned(program, build)


def _unscale_first(plan: Plan, step: Step, case: Case[Clipped]) -> None:
    """Move the statement that unscales in front of the first that reads the scaled gradients."""
    program, unscaled_at = plan.program, step.place("unscaled at")
    assert unscaled_at is not None
    unscale = statement_of(program, unscaled_at.node)
    before = [one for one in touched(program, step) if one.value("gradients.unscaled") == NONE]
    first = min((statement_of(program, one.place.node) for one in before), key=lambda one: one.lineno)
    name = _renamed_in_place(unscale, unscaled_at)
    if block_of(program, first) != block_of(program, unscale) or function_of(program, first) is not function_of(
        program, step.gradient.node
    ):
        raise Refused("the clip and the unscaling do not stand side by side")
    taken = statement_of(program, step.gradient.node)
    targets = [ast.unparse(target) for target in taken.targets] if isinstance(taken, ast.Assign) else []
    if name is None or targets != [name]:
        raise Refused("the unscaled gradients have another name: moving the call would not reach the clip")
    plan.add(case.place.module, MoveStatement(unscale, first))


def _renamed_in_place(statement: ast.stmt, place: Place) -> str | None:
    """`g` of `g = optimizer.get_unscaled_gradients(g)`."""
    if not (isinstance(statement, ast.Assign) and statement.value is place.node and len(statement.targets) == 1):
        return None
    call = statement.value
    name = ast.unparse(statement.targets[0])
    return name if isinstance(call, ast.Call) and call.args and ast.unparse(call.args[0]) == name else None


# -- into the inner optimizer


def clip_inside(plan: Plan, step: Step) -> None:
    """Move what clips the gradients of a step into the inner optimizer; refuse what else reads them there."""
    for case in touched(plan.program, step):
        keyword = KEYWORDS.get(case.event.how)
        if keyword is None:
            what = "noise" if case.event.how == "noise" else f"`{shown(_function(case.place))}`"
            raise Refused(
                f"{what} reads the gradients before `{step.event.method}`: on Keras 3 they are still scaled there"
            )
        _move_inside(plan, step, case, keyword)
        plan.is_unsafe = True


def value_clip_inside(plan: Plan, step: Step, case: Case[Clipped]) -> None:
    """Move one clip by value into the inner optimizer, which clips once an overflow has been looked for."""
    others = [one for one in touched(plan.program, step) if one.place != case.place]
    if others:
        raise Refused(f"`{shown(_function(others[0].place))}` reads the gradients too")
    call = case.place.node
    limit = _times_scale(call) if isinstance(call, ast.Call) and may_hold_the_scale(case.value("threshold")) else None
    _move_inside(plan, step, case, "clipvalue", limit)
    plan.is_unsafe = True


def _times_scale(call: ast.Call) -> ast.expr:
    """The number of a limit that is written as a number times the loss scale."""
    given = {one.arg: one.value for one in call.keywords}
    limits = [*call.args[1:3], *(given[name] for name in ("clip_value_min", "clip_value_max") if name in given)]
    parts = [(one.left, one.right) if isinstance(one, ast.BinOp) else (one, one) for one in limits]
    numbers = [_number(left) for left, _ in parts]
    scales = {ast.unparse(right) for _, right in parts}
    if len(parts) != 2 or len(scales) != 1 or None in numbers or numbers[0] != -(numbers[1] or 0):
        raise Refused("the limits of the clip are not one constant times the scale and its negative")
    if not all(isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult) for one in limits):
        raise Refused("the limits of the clip are not one constant times the scale and its negative")
    return parts[1][0]


def _function(place: Place) -> ast.AST:
    return place.node.func if isinstance(place.node, ast.Call) else place.node


def _move_inside(plan: Plan, step: Step, case: Case[Clipped], keyword: str, limit: ast.expr | None = None) -> None:
    program, call = plan.program, case.place.node
    assert isinstance(call, ast.Call)
    if function_of(program, _outermost(program, call)) is not function_of(program, step.gradient.node):
        raise Refused("the clip stands in another function")
    blocks = (block_of(program, step.gradient.node), block_of(program, step.applied.node))
    if block_of(program, call) not in blocks:
        raise Refused("the clip is not done in every step")
    threshold = limit or _threshold(call, keyword)
    maker = sole_constructor(program, step)
    if step.state("clips") == Constant(True):
        raise Refused("the inner optimizer clips already")
    if uses_of_optimizer(program, step.event.optimizer) - {step.applied}:
        raise Refused("the optimizer is applied in other places too, where nothing is clipped")
    assert isinstance(maker.node, ast.Call)
    plan.add(maker.module, AddKeyword(maker.node, keyword, source(case.place.module, threshold)))
    _drop_clip(plan, case.place, call)


def _outermost(program: Program, call: ast.AST) -> ast.AST:
    """A call, or the lambda or comprehension that it is the body of."""
    node = call
    while isinstance(parents(program)[node], (ast.Lambda, ast.expr, ast.comprehension)):
        node = parents(program)[node]
    return node


def sole_constructor(program: Program, step: Step) -> Place:
    """The one call that makes the bare optimizer of a step."""
    made = step.place("made at")
    if made is None or not isinstance(made.node, ast.Call):
        raise Refused("the constructor of the optimizer is not seen")
    function = made.node.func
    if isinstance(function, ast.Attribute) and function.attr == "compile":
        raise Refused("the optimizer is given by its name")
    events = (o.event for o in program.happened(OptimizerBuilt) if o.place == made)
    if len({e.optimizer for e in events if isinstance(e, OptimizerBuilt)}) > 1:
        raise Refused("the same call makes several optimizers")
    return made


def _threshold(call: ast.Call, keyword: str) -> ast.expr:
    """The limit of a clip, a literal number."""
    given = {one.arg: one.value for one in call.keywords}
    if keyword == "clipvalue":
        limits = [*call.args[1:3], *(given[name] for name in ("clip_value_min", "clip_value_max") if name in given)]
        numbers = [_number(one) for one in limits]
        if len(numbers) != 2 or None in numbers or numbers[0] != -(numbers[1] or 0):
            raise Refused("the limits of the clip are not one constant and its negative")
        return limits[1]
    limit = call.args[1] if len(call.args) > 1 else given.get("clip_norm")
    if limit is None or _number(limit) is None or len(call.args) > 2 or set(given) - {"clip_norm", "t", "t_list"}:
        raise Refused("the threshold of the clip is not a constant")
    return limit


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    is_number = isinstance(node, ast.Constant) and isinstance(node.value, (int, float))
    return float(node.value) if is_number else None  # type: ignore[attr-defined]


def _drop_clip(plan: Plan, place: Place, call: ast.Call) -> None:
    """Take a clip out of the step; its result becomes its argument."""
    program, module = plan.program, place.module
    statement = statement_of(program, call)
    if not call.args:
        raise Refused("the clip names its arguments")
    before, target = _before(program, statement, call), _target(program, statement, call)
    if before is not None and target is not None:
        if ast.unparse(target) == ast.unparse(before):
            plan.add(module, DeleteStatement(statement))
        else:
            plan.add(module, ReplaceStatement(statement, f"{source(module, target)} = {source(module, before)}"))
        return
    parent = parents(program)[call]
    if isinstance(parent, ast.Subscript) and _is_global(call):
        plan.add(module, ReplaceExpression(parent, source(module, call.args[0])))
    elif not _is_global(call):
        plan.add(module, ReplaceExpression(call, source(module, call.args[0])))
    else:
        raise Refused("the clip has a form that cannot be taken out")


def _is_global(call: ast.Call) -> bool:
    return ast.unparse(call.func).endswith("clip_by_global_norm")


def _before(program: Program, statement: ast.stmt, call: ast.Call) -> ast.expr | None:
    """The gradients before a clip that makes up a whole statement: its argument, or what a comprehension walks over."""
    if not isinstance(statement, ast.Assign):
        return None
    value = statement.value
    if isinstance(value, ast.Subscript) and value.value is call:
        return call.args[0]
    if value is call:
        return call.args[0]
    if isinstance(value, ast.ListComp) and value.elt is call and len(value.generators) == 1:
        loop = value.generators[0]
        if not loop.ifs and ast.unparse(loop.target) == ast.unparse(call.args[0]):
            return loop.iter
    return None


def _target(program: Program, statement: ast.stmt, call: ast.Call) -> ast.expr | None:
    """The name that the clipped gradients get; the norm that `clip_by_global_norm` gives besides must not be read."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target = statement.targets[0]
    if isinstance(target, ast.Tuple) and len(target.elts) == 2 and statement.value is call:
        norm = target.elts[1]
        if not isinstance(norm, ast.Name) or reads_of(function_of(program, statement), norm.id):
            raise Refused("the norm that the clip gives is used")
        return target.elts[0]
    return (
        target
        if isinstance(target, (ast.Name, ast.Attribute)) and not (statement.value is call and _is_global(call))
        else None
    )
