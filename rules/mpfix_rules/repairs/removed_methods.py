"""Methods of the Keras 2 loss scale optimizer, in the words of Keras 3."""

from __future__ import annotations

import ast

from mpfix.frameworks.events import ScalingMethodUsed
from mpfix.frameworks.steps import all_steps
from mpfix.rewriting.edits import AppendToBlock, ReplaceExpression, ReplaceStatement
from mpfix.semantic.program import Case, Program
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import FALSE_VALUE
from mpfix_rules.repairs.clips import clip_inside
from mpfix_rules.repairs.places import call_at, is_path, is_stored_in, names_in, source, statement_of
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.training_step import block_of_tape, new_name, target_of
from mpfix_rules.repairs.unscaling import drop_unscaling
from mpfix_rules.repairs.wrappers import bindings


def modernised(program: Program, case: Case[ScalingMethodUsed]) -> Offer:
    """The use of a removed name, and what belongs to it, for Keras 3."""
    name, place = case.event.name, case.place

    def build(plan: Plan) -> None:
        if name in ("get_scaled_loss", "get_unscaled_gradients"):
            _pair(plan, place, name)
        elif name == "minimize":
            _minimize(plan, place, is_bare=case.value("state.wrapped") == FALSE_VALUE)
        else:
            _attribute(plan, place, name)

    return planned(program, build)


def _pair(plan: Plan, place: Place, name: str) -> None:
    """Both calls of every step that this one is a part of."""
    plan.title = "Scale with `scale_loss`; `apply_gradients` unscales by itself"
    steps = [s for s in all_steps(plan.program) if place in (s.place("scaled at"), s.place("unscaled at"))]
    others = {o.event.name for o in plan.program.happened(ScalingMethodUsed) if isinstance(o.event, ScalingMethodUsed)}
    if not steps and "get_unscaled_gradients" in others:
        raise Refused("what happens to the unscaled gradients is not seen")
    scalings = {step.place("scaled at") for step in steps} | ({place} if name == "get_scaled_loss" else set())
    unscalings = {step.place("unscaled at") for step in steps}
    for one in sorted((p for p in scalings if p is not None), key=lambda p: p.sort_key):
        rename_scaling(plan, one)
    for one in sorted((p for p in unscalings if p is not None), key=lambda p: p.sort_key):
        drop_unscaling(plan, one)
    for step in steps:
        clip_inside(plan, step)


def rename_scaling(plan: Plan, place: Place) -> None:
    """`get_scaled_loss` under its name on the generations at hand."""
    call = call_at(place)
    if call is None or not isinstance(call.func, ast.Attribute):
        raise Refused("the method is called through another name")
    if call.func.attr != "get_scaled_loss":
        return
    if plan.is_for_keras_2 and not is_path(call.func.value):
        raise Refused("the optimizer has no name")
    plan.add(place.module, ReplaceExpression(call.func, plan.scaling(source(place.module, call.func.value))))


def _attribute(plan: Plan, place: Place, name: str) -> None:
    node = place.node
    new = {"_optimizer": "inner_optimizer", "loss_scale": "dynamic_scale"}.get(name)
    if new is None or not isinstance(node, ast.Attribute):
        raise Refused("Keras 3 has nothing in its place")
    if name == "loss_scale":
        if plan.is_for_keras_2:
            raise Refused("no name of the loss scale is right on both generations")
        plan.is_unsafe = True  # exists only once the optimizer is built
    plan.title = f"Use `{new}`"
    plan.add(place.module, ReplaceExpression(node, f"{source(place.module, node.value)}.{new}"))


# -- minimize


def _minimize(plan: Plan, place: Place, *, is_bare: bool) -> None:
    """The three steps that `minimize` did in one."""
    call, module = call_at(place), place.module
    plan.title = "Write out the tape"
    statement = statement_of(plan.program, place.node)
    if call is None or not isinstance(call.func, ast.Attribute) or not is_path(call.func.value):
        raise Refused("the optimizer has no name")
    if not (isinstance(statement, ast.Expr) and statement.value is call):
        raise Refused("the call is no statement of its own")
    loss, variables = target_of(call), _variables(call)
    if loss is None or variables is None:
        raise Refused("the arguments of the call are not seen")
    optimizer = source(module, call.func.value)
    if isinstance(loss, ast.Lambda):
        plan.add(module, ReplaceStatement(statement, _with_tape(plan, module, optimizer, loss, variables, is_bare)))
        return
    tape = next((one.value for one in call.keywords if one.arg == "tape"), None)
    if tape is None or not is_path(tape):
        raise Refused("the loss is neither a lambda nor recorded by a tape")
    differentiated = source(module, loss)
    if not is_bare:
        block = block_of_tape(plan.program, call, ast.unparse(tape))
        if block is None or not is_path(loss) or not is_stored_in(block, ast.unparse(loss)):
            raise Refused("the loss is not computed inside the tape of this function")
        differentiated = new_name(module, loss)
        plan.add(module, AppendToBlock(block, f"{differentiated} = {plan.scaled(optimizer, source(module, loss))}"))
    lines = _applied(plan, module, optimizer, source(module, tape), differentiated, variables, is_bare)
    plan.add(module, ReplaceStatement(statement, lines))


def _variables(call: ast.Call) -> ast.expr | None:
    found = call.args[1] if len(call.args) > 1 else None
    found = found or next((one.value for one in call.keywords if one.arg == "var_list"), None)
    return found if found is not None and is_path(found) else None


def _with_tape(plan: Plan, module: Module, optimizer: str, loss: ast.Lambda, variables: ast.expr, is_bare: bool) -> str:
    tensorflow = next((name for name, target in bindings(module).items() if target == "tensorflow"), None)
    if tensorflow is None:
        raise Refused("the module does not import tensorflow")
    tape, value, scaled = (_free(module, name) for name in ("tape", "loss", "scaled_loss"))
    lines = [f"with {tensorflow}.GradientTape() as {tape}:", f"    {value} = {source(module, loss.body)}"]
    if not is_bare:
        lines.append(f"    {scaled} = {plan.scaled(optimizer, value)}")
    differentiated = value if is_bare else scaled
    return "\n".join([*lines, _applied(plan, module, optimizer, tape, differentiated, variables, is_bare)])


def _applied(
    plan: Plan, module: Module, optimizer: str, tape: str, loss: str, variables: ast.expr, is_bare: bool
) -> str:
    gradients, trained = _free(module, "gradients"), source(module, variables)
    lines = [f"{gradients} = {tape}.gradient({loss}, {trained})"]
    if plan.is_for_keras_2 and not is_bare:
        lines.append(f"{gradients} = {plan.unscaling(optimizer)}({gradients})")
    return "\n".join([*lines, f"{optimizer}.apply_gradients(zip({gradients}, {trained}))"])


def _free(module: Module, name: str) -> str:
    taken = names_in(module)
    return name if name not in taken else next(f"{name}_{n}" for n in range(2, 99) if f"{name}_{n}" not in taken)
