"""Arguments that belong to the inner optimizer, moved from the wrapper to where that optimizer is made."""

from __future__ import annotations

import ast

from mpfix.frameworks.events import Applied, Compiled, OptimizerBuilt
from mpfix.frameworks.wrapper_arguments import CLIPS, NEW_ON_INNER, WrapperArgument
from mpfix.rewriting.edits import AddKeyword, RemoveArgument, ReplaceExpression
from mpfix.semantic.program import Program, alternatives
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Object, Value
from mpfix_rules.repairs.places import call_at, is_inside, is_path, source
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.update_places import means_the_same


def moved_inside(program: Program, place: Place, names: tuple[str, ...]) -> Offer:
    """Keywords of a wrapper's call, given to the optimizer that it wraps."""

    def build(plan: Plan) -> None:
        plan.title = f"Give {_listed(names)} to the inner optimizer"
        call, inner = call_at(place), inner_of(program, place)
        if call is None:
            raise Refused("the call of the wrapper is not seen")
        maker = made_for_wrapper(program, inner)
        made = call_at(maker)
        assert made is not None
        assert isinstance(inner, Object)
        _check_names(plan, inner, made, names)
        given = [keyword_of(call, name) for name in names]
        if is_inside(program, made, call):
            _within(plan, place, call, made, given)
            return
        for keyword in given:
            plan.add(place.module, RemoveArgument(call, str(keyword.arg)))
            plan.add(maker.module, AddKeyword(made, str(keyword.arg), value_for(program, place, keyword.value, made)))

    return planned(program, build)


def inner_of(program: Program, place: Place) -> Value:
    """The one optimizer that a call of the wrapper is given."""
    events = program.happened(WrapperArgument)
    inner = {o.event.inner for o in events if o.place == place and isinstance(o.event, WrapperArgument)}
    if len(inner) != 1:
        raise Refused("the wrapper is put around several optimizers")
    return inner.pop()


def made_for_wrapper(program: Program, inner: Value) -> Place:
    """The call that makes an optimizer which nothing but its wrapper uses."""
    if not isinstance(inner, Object):
        raise Refused("the inner optimizer is not known")
    built = [(o, o.event) for o in program.happened(OptimizerBuilt) if isinstance(o.event, OptimizerBuilt)]
    made = [one for one, event in built if event.optimizer is inner]
    if len({one.place for one in made}) != 1 or call_at(made[0].place) is None:
        raise Refused("the call that makes the inner optimizer is not seen")
    place = made[0].place
    if len({event.optimizer for one, event in built if one.place == place}) > 1:
        raise Refused("the same call makes several optimizers")
    around = [one for one, event in built if event.inner is inner]
    if len({one.place for one in around}) > 1 or _is_used_alone(program, inner):
        raise Refused("the inner optimizer is used by something else too")
    if any(one.guard != made[0].guard for one in around):
        raise Refused("the optimizer is wrapped only on a condition")
    return place


def _is_used_alone(program: Program, inner: Object) -> bool:
    if any(event.optimizer is inner for event in program.events(Applied)):
        return True
    given = (event.optimizer for event in program.events(Compiled))
    return any(one is inner for value in given for _, one in alternatives(value))


def keyword_of(call: ast.Call, name: str) -> ast.keyword:
    """A keyword as the call names it."""
    found = next((keyword for keyword in call.keywords if keyword.arg == name), None)
    if found is None:
        raise Refused("the arguments are gathered in a dictionary")
    return found


def value_for(program: Program, place: Place, value: ast.expr, there: ast.AST) -> str:
    """The text of a value that means the same at another node."""
    if isinstance(value, (ast.Constant, ast.UnaryOp)) or (is_path(value) and means_the_same(program, value, there)):
        return source(place.module, value)
    raise Refused(f"`{source(place.module, value)}` may not be known yet where the inner optimizer is made")


def _check_names(plan: Plan, inner: Object, made: ast.Call, names: tuple[str, ...]) -> None:
    if not inner.key.startswith("keras.optimizers.") or (".legacy." in inner.key and set(names) - set(CLIPS)):
        raise Refused("the class of the inner optimizer may not take the argument")
    if any(keyword.arg is None for keyword in made.keywords):
        raise Refused("the arguments of the inner optimizer are gathered in a dictionary")
    known = [str(keyword.arg) for keyword in made.keywords]
    if sum(name in CLIPS for name in (*known, *names)) > 1 or set(known) & set(names):
        raise Refused("the inner optimizer would get two arguments where it takes one")
    if plan.is_for_keras_2 and set(names) & NEW_ON_INNER:
        raise Refused("optimizers of Keras 2 do not have the argument either")


def _within(plan: Plan, place: Place, call: ast.Call, made: ast.Call, given: list[ast.keyword]) -> None:
    """Both calls stand in one expression: its text with the keywords in the inner brackets."""
    module = place.module
    for keyword in given:
        plan.add(module, RemoveArgument(call, str(keyword.arg)))
    plan.add(module, ReplaceExpression(made, with_keywords(plan, place, made, given)))


def with_keywords(plan: Plan, place: Place, made: ast.Call, given: list[ast.keyword]) -> str:
    """The text of a call with more keywords."""
    text = source(place.module, made)
    if "#" in text:
        raise Refused("the call that makes the inner optimizer has comments inside")
    added = ", ".join(f"{keyword.arg}={source(place.module, keyword.value)}" for keyword in given)
    head = text[: text.rindex(")")].rstrip().rstrip(",")
    return f"{head}, {added})" if made.args or made.keywords else f"{head}{added})"


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in names)
