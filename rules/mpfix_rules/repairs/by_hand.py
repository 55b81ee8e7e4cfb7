"""Accumulation written out: variables that hold the sum, an update of their mean, and the tail of each epoch."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from mpfix.frameworks.accumulation import Doubled
from mpfix.frameworks.events import Applied, ModelCalled
from mpfix.frameworks.windows import Update
from mpfix.rewriting.edits import InsertAfter, InsertBefore, ReplaceExpression, ReplaceStatement
from mpfix.semantic.program import Program
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import NONE, Object, Record
from mpfix_rules.repairs.places import function_of, is_path, parents, source, statement_of
from mpfix_rules.repairs.plan import Plan, Refused
from mpfix_rules.repairs.update_places import (
    Loop,
    Window,
    applied_parts,
    free_name,
    loop_around,
    means_the_same,
    outermost,
    plain_statement,
    root,
    stands_in,
    statement_source,
    tensorflow_name,
    window_around,
)

METHOD = "the step is a method: where the accumulators of its class are made is for its author to decide"
BETWEEN = "something changes the gradients between the tape and the update"


@dataclass(frozen=True)
class Text:
    """The names that a repair needs, none of which the module uses yet."""

    tensorflow: str
    accumulators: str
    apply: str
    pending: str
    accumulator: str
    gradient: str
    count: str

    @property
    def flush(self) -> str:
        """The call that applies the mean."""
        return f"{self.apply}({self.tensorflow}.cast({self.pending}, {self.tensorflow}.float32))"

    def adding(self, gradients: str) -> str:
        """Statements that add gradients to the accumulators."""
        return (
            f"for {self.accumulator}, {self.gradient} in zip({self.accumulators}, {gradients}):\n"
            f"    if {self.gradient} is not None:\n"
            f"        {self.accumulator}.assign_add({self.gradient})"
        )


def accumulate_step(plan: Plan, doubled: Doubled) -> None:
    """The step adds its gradients up in place of its own update; the window applies the mean."""
    program, place = plan.program, doubled.place
    loop = loop_around(program, doubled.again)
    update = plain_statement(program, place.node, "the update of each step")
    step = function_of(program, update)
    _check_step(program, doubled, loop, step)
    gradients = _gradients_name(program, doubled, update)
    module = place.module
    text = _text(module)
    plan.add(module, ReplaceStatement(update, text.adding(gradients)))
    at = step if isinstance(step, (ast.FunctionDef, ast.AsyncFunctionDef)) else outermost(program, loop)
    _write(plan, doubled.again, doubled.again_place, loop, at, text)


def accumulate_lost(plan: Plan, update: Update, taken: Occurrence) -> None:
    """The loop adds up the gradients that it takes in each iteration; the window applies the mean."""
    program = plan.program
    loop, place = loop_around(program, update), update.occurrence.place
    window = window_around(program, place.node)
    if window is None or len(window.branch.body) != 1:
        raise Refused("the update does not stand alone behind the test of the window")
    parts = applied_parts(place.node)
    if parts is None or not isinstance(parts[0], ast.Name):
        raise Refused("the gradients have no name at the update")
    maker = _maker(program, loop, taken, parts[0].id)
    text = _text(place.module)
    plan.add(place.module, InsertAfter(maker, text.adding(parts[0].id)))
    _write(plan, update, place, loop, outermost(program, loop), text)


def _text(module: Module) -> Text:
    return Text(
        tensorflow_name(module),
        free_name(module, "accumulators", "gradient_accumulators"),
        free_name(module, "apply_accumulated", "apply_accumulated_gradients"),
        free_name(module, "pending", "pending_micro_batches"),
        free_name(module, "accumulator", "gradient_accumulator"),
        free_name(module, "gradient", "new_gradient"),
        free_name(module, "count", "micro_batches"),
    )


# -- what must hold


def _check_step(program: Program, doubled: Doubled, loop: Loop, step: ast.AST) -> None:
    """The step is the loop's body, or a function that this body calls once, and nobody else."""
    if step is function_of(program, loop):
        return
    if isinstance(parents(program).get(step), ast.ClassDef) or not isinstance(step, ast.FunctionDef):
        raise Refused(METHOD)
    calls = [
        node
        for node in ast.walk(doubled.place.module.tree)
        if isinstance(node, ast.Name) and node.id == step.name and isinstance(node.ctx, ast.Load)
    ]
    on_the_way = {place.node for place in doubled.each.occurrence.chain}
    call = parents(program)[calls[0]] if len(calls) == 1 else None
    if call not in on_the_way or not isinstance(call, ast.Call) or call.func is not calls[0]:
        raise Refused("the step is not called once, in the body of the loop")
    statement = statement_of(program, call)
    if not stands_in(program, statement, loop) or not stands_in(
        program, statement_of(program, doubled.place.node), step
    ):
        raise Refused("the step, or its update, stands behind a condition")


def _gradients_name(program: Program, doubled: Doubled, update: ast.stmt) -> str:
    """The name of the gradients that the update of each step takes, unchanged since the tape gave them."""
    taken = doubled.each.taken
    assert taken is not None
    names = _names_of_gradients(program, taken)
    found = [node.id for node in ast.walk(update) if isinstance(node, ast.Name) and node.id in names]
    if len(set(found)) != 1 or _is_changed(doubled.each):
        raise Refused(BETWEEN)
    return found[0]


def _names_of_gradients(program: Program, taken: Place) -> set[str]:
    """Names that hold gradients as the tape gave them, or as the loss scale optimizer unscaled them."""
    scope = function_of(program, taken.node)
    names: set[str] = set()
    for node in sorted((one for one in ast.walk(scope) if isinstance(one, ast.Assign)), key=lambda one: one.lineno):
        if len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            continue
        if node.value is taken.node or _is_unscaled(node.value, names, taken.node):
            names.add(node.targets[0].id)
    return names


def _is_unscaled(value: ast.expr, names: set[str], taken: ast.AST) -> bool:
    if (
        not isinstance(value, ast.Call)
        or len(value.args) != 1
        or "get_unscaled_gradients" not in ast.unparse(value.func)
    ):
        return False
    argument = value.args[0]
    return argument is taken or (isinstance(argument, ast.Name) and argument.id in names)


def _is_changed(update: Update) -> bool:
    changed = ("clipped", "divided by hand")
    return any(update.property(name) != NONE for name in changed)


def _maker(program: Program, loop: Loop, taken: Occurrence, name: str) -> ast.stmt:
    """The statement of the loop's body that binds the gradients."""
    calls = {taken.place.node, *(place.node for place in taken.chain)}
    for statement in loop.body:
        if isinstance(statement, ast.Assign) and any(one in calls for one in ast.walk(statement.value)):
            targets = statement.targets[0].elts if isinstance(statement.targets[0], ast.Tuple) else statement.targets
            if any(isinstance(one, ast.Name) and one.id == name for one in targets):
                return statement
    raise Refused(BETWEEN)


def _check_variables(program: Program, update: Update) -> None:
    """The model has its variables before they are copied."""
    event = update.occurrence.event
    owner = event.variables.get("owner") if isinstance(event, Applied) and isinstance(event.variables, Record) else None
    if not isinstance(owner, Object):
        raise Refused("whose variables are trained is not known")
    called = program.happened(ModelCalled)
    early = any(isinstance(o.event, ModelCalled) and o.event.model == owner and not o.loops for o in called)
    if not early and not _is_built(program, owner.place):
        raise Refused("the model may have no variables yet in front of the loop")


def _is_built(program: Program, model: Place) -> bool:
    """Whether a model's constructor gives it variables: the first layer says what it takes, or tensors are given."""
    call = model.node
    if not isinstance(call, ast.Call):
        return False
    if ast.unparse(call.func).endswith("Sequential"):
        first = call.args[0].elts[:1] if call.args and isinstance(call.args[0], (ast.List, ast.Tuple)) else []
        return any(_says_its_input(one) for one in first) or _is_built_by_name(program, call)
    given = {keyword.arg for keyword in call.keywords} | {str(i) for i in range(len(call.args))}
    return ast.unparse(call.func).endswith("Model") and len(given) >= 2


def _says_its_input(layer: ast.expr) -> bool:
    if not isinstance(layer, ast.Call):
        return False
    name = ast.unparse(layer.func).rpartition(".")[2]
    shapes = {"input_shape", "input_dim", "batch_input_shape"}
    return name in ("Input", "InputLayer") or any(keyword.arg in shapes for keyword in layer.keywords)


def _is_built_by_name(program: Program, call: ast.Call) -> bool:
    """Whether `name.build(...)` follows, or an input is added, where the model's name is bound."""
    statement = statement_of(program, call)
    if not isinstance(statement, ast.Assign):
        return False
    name = ast.unparse(statement.targets[0])
    calls = [one for one in ast.walk(function_of(program, statement)) if isinstance(one, ast.Call)]
    methods = [(one.func, one.args) for one in calls if isinstance(one.func, ast.Attribute)]
    return any(
        function.attr == "build" or (function.attr == "add" and bool(given) and _says_its_input(given[0]))
        for function, given in methods
        if isinstance(function, ast.Attribute) and ast.unparse(function.value) == name
    )


# -- the text


def _write(plan: Plan, update: Update, place: Place, loop: Loop, at: ast.stmt, text: Text) -> None:
    """Accumulators and their update in front of a statement, and the counting in the loop."""
    program, module = plan.program, place.module
    window = window_around(program, place.node)
    statement = plain_statement(program, place.node, "the update of the window")
    if window is None or window.branch.orelse or not stands_in(program, window.branch, loop):
        raise Refused("the window is not an `if` of its own in the body of the loop")
    if not stands_in(program, statement, window.branch) or loop.orelse:
        raise Refused("the update stands behind another condition too")
    _check_variables(program, update)
    made = _made(plan, update, place, statement, at, text)
    start = f"{text.pending} = 0"
    if at is loop:
        made += start
    else:
        plan.add(module, InsertBefore(loop, start))
    plan.add(
        module,
        InsertBefore(at, made),
        InsertAfter(loop, f"if {text.pending} > 0:\n    {text.flush}"),
        *_counting(module, window, statement, text),
    )


def _counting(
    module: Module, window: Window, statement: ast.stmt, text: Text
) -> tuple[InsertBefore, ReplaceExpression, ReplaceStatement]:
    length = source(module, window.length)
    return (
        InsertBefore(window.branch, f"{text.pending} += 1"),
        ReplaceExpression(window.branch.test, f"{text.pending} == {length}"),
        ReplaceStatement(statement, f"{text.flush}\n{text.pending} = 0"),
    )


def _made(plan: Plan, update: Update, place: Place, statement: ast.Expr, at: ast.stmt, text: Text) -> str:
    """The accumulators and the function that applies their mean."""
    program, module = plan.program, place.module
    call = update.occurrence.place.node
    parts = applied_parts(call)
    if parts is None or not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        raise Refused("the gradients and variables of the update are not seen")
    optimizer = call.func.value
    for path in (parts[1], optimizer):
        if not is_path(path) or not means_the_same(program, path, at) or root(path) == "self":
            raise Refused(
                METHOD if root(path) == "self" else "the optimizer or its variables have no name in front of the step"
            )
    variables = source(module, parts[1])
    gap = "\n\n\n" if isinstance(function_of(program, at), ast.Module) else "\n\n"
    name = _applied_name(program, statement, parts[0])
    return (
        f"{source(module, optimizer)}.build({variables})\n"
        f"{text.accumulators} = [{text.tensorflow}.Variable({text.tensorflow}.zeros_like(variable), trainable=False)"
        f" for variable in {variables}]{gap}"
        f"{_decorators(module, at)}def {text.apply}({text.count}):\n"
        f"    {name} = [{text.accumulator} / {text.count} for {text.accumulator} in {text.accumulators}]\n"
        f"{_indented(statement_source(place, statement))}\n"
        f"    for {text.accumulator} in {text.accumulators}:\n"
        f"        {text.accumulator}.assign({text.tensorflow}.zeros_like({text.accumulator})){gap}"
    )


def _applied_name(program: Program, statement: ast.Expr, gradients: ast.expr) -> str:
    """What the update of the window calls its gradients."""
    if isinstance(gradients, ast.Name) and statement_of(program, gradients) is statement:
        return gradients.id
    call = statement.value
    named = [one for one in call.args if isinstance(one, ast.Name)] if isinstance(call, ast.Call) else []
    if len(named) != 1:
        raise Refused("the gradients have no name at the update")
    return named[0].id


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _decorators(module: Module, at: ast.stmt) -> str:
    """The tracing of the step, for the update too."""
    found = getattr(at, "decorator_list", [])
    if len(found) != 1 or "function" not in ast.unparse(found[0]) or "input_signature" in ast.unparse(found[0]):
        return ""
    return f"@{source(module, found[0])}\n"
