"""Arguments of older loss scale optimizers, in the words of Keras 3: dynamic by default, or a fixed scale."""

from __future__ import annotations

import ast

from mpfix.frameworks.events import Compiled
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.steps import all_steps
from mpfix.frameworks.wrapper_arguments import STABLE, WrapperArgument
from mpfix.rewriting.edits import AddKeyword, DeleteStatement, RemoveArgument, ReplaceExpression
from mpfix.semantic.program import Program, alternatives
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import NONE, Object
from mpfix_rules.repairs.inner_arguments import inner_of, keyword_of, made_for_wrapper, value_for, with_keywords
from mpfix_rules.repairs.places import call_at, is_inside, is_path, source, statement_of
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned

FACTOR = "loss_scale_factor"
ONLY_WRAPPED = frozenset({"inner_optimizer", "dynamic_scale", "initial_scale", "dynamic_growth_steps", "step_counter"})


def left_to_default(program: Program, event: WrapperArgument, place: Place) -> Offer:
    """The wrapper without the argument: it scales dynamically by itself."""

    def build(plan: Plan) -> None:
        plan.title = "Leave the scaling to its default, which is dynamic"
        call = _call(place)
        if event.position > 0:
            _check_positions(plan, call, event.position)
            plan.add(place.module, RemoveArgument(call, event.position))
        else:
            keyword_of(call, event.name)
            plan.add(place.module, RemoveArgument(call, event.name))

    return planned(program, build)


def fixed(program: Program, event: WrapperArgument, place: Place) -> Offer:
    """The bare optimizer with a fixed scale of its own instead of the wrapper."""

    def build(plan: Plan) -> None:
        plan.title = f"Set `{FACTOR}` on the optimizer itself"
        call, scale = _call(place), _scale(_call(place), event)
        if plan.is_for_keras_2:
            raise Refused("no spelling of a fixed scale is right on both generations")
        inner = inner_of(program, place)
        maker = made_for_wrapper(program, inner)
        _check_uses(program, event)
        made = call_at(maker)
        assert made is not None
        if any(keyword.arg in (FACTOR, None) for keyword in made.keywords):
            raise Refused("the arguments of the inner optimizer are not seen")
        if is_inside(program, made, call):
            added = ast.keyword(arg=FACTOR, value=scale)
            plan.add(place.module, ReplaceExpression(call, with_keywords(plan, place, made, [added])))
        else:
            plan.add(maker.module, AddKeyword(made, FACTOR, value_for(program, place, scale, made)))
            _unwrap(plan, place, call)
        _keep_bare(plan, event)

    return planned(program, build)


def _call(place: Place) -> ast.Call:
    call = call_at(place)
    if call is None or any(isinstance(one, ast.Starred) for one in call.args):
        raise Refused("the arguments of the wrapper are not seen")
    return call


def _check_positions(plan: Plan, call: ast.Call, position: int) -> None:
    if len(call.args) <= position:
        raise Refused("the arguments are gathered in a list")
    if plan.is_for_keras_2 and len(call.args) > position + 1:
        raise Refused("what the next argument means differs between the generations")


def _scale(call: ast.Call, event: WrapperArgument) -> ast.expr:
    """The fixed scale, where the call says it."""
    if event.name == "loss_scale":
        return keyword_of(call, "loss_scale").value
    if event.position == 1 and len(call.args) > 2:
        return call.args[2]
    found = next((keyword.value for keyword in call.keywords if keyword.arg == "initial_scale"), None)
    if found is None:
        raise Refused("the call does not say how large the fixed scale is")
    return found


def _check_uses(program: Program, event: WrapperArgument) -> None:
    """A bare optimizer must do where the wrapper was."""
    for step in all_steps(program):
        if step.event.optimizer is event.wrapper and (step.of("scaled") == NONE or step.asked_as_keras_2):
            raise Refused("a step applies the optimizer without `scale_loss`")
    for part in program.names:
        if any(use.call is None and canonical(use.qualified).name == STABLE for use in part.names.uses):
            raise Refused("the code asks whether the optimizer is a loss scale optimizer")
        reads = (node.attr for node in ast.walk(part.module.tree) if isinstance(node, ast.Attribute))
        if not ONLY_WRAPPED.isdisjoint(reads):
            raise Refused("the code reads what only a loss scale optimizer has")


def _unwrap(plan: Plan, place: Place, call: ast.Call) -> None:
    """The inner optimizer in place of the wrapper; `x = wrap(x)` goes."""
    inner = call.args[0] if call.args else keyword_of(call, "inner_optimizer").value
    if not is_path(inner):
        raise Refused("the inner optimizer has no name")
    statement, text = statement_of(plan.program, call), source(place.module, inner)
    is_assignment = isinstance(statement, ast.Assign) and statement.value is call and len(statement.targets) == 1
    if is_assignment and ast.unparse(statement.targets[0]) == ast.unparse(inner):  # type: ignore[attr-defined]
        plan.add(place.module, DeleteStatement(statement))
    else:
        plan.add(place.module, ReplaceExpression(call, text))


def _keep_bare(plan: Plan, event: WrapperArgument) -> None:
    """Tell every `compile` that takes the optimizer not to wrap it: that would clear the fixed scale."""
    for occurrence in plan.program.happened(Compiled):
        compiled = occurrence.event
        assert isinstance(compiled, Compiled)
        given: list[object] = [one for _, one in alternatives(compiled.optimizer)]
        call = call_at(occurrence.place)
        if event.wrapper not in given or call is None:
            continue
        if any(not isinstance(one, Object) for one in given) or len(given) > 1:
            raise Refused("`compile` takes one of several optimizers")
        if not any(keyword.arg == "auto_scale_loss" for keyword in call.keywords):
            plan.add(occurrence.place.module, AddKeyword(call, "auto_scale_loss", "False"))
