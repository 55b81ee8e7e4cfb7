"""Repairs of reports that show a scaled loss: the loss itself is told, under a name of its own where it has none."""

from __future__ import annotations

import ast
import re

from mpfix.frameworks.reports import ScaledReport, gradients_of_scaled, scaled_reports
from mpfix.rewriting.edits import ReplaceExpression, ReplaceStatement
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix_rules.repairs.places import call_at, function_of, is_inside, parents, source, statement_of
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.update_places import free_name


def unscaled_report(program: Program, report: ScaledReport) -> Offer:
    """Report the loss that was scaled, not what came out."""
    return planned(program, lambda plan: _build(plan, report))


def _build(plan: Plan, report: ScaledReport) -> None:
    program, place = plan.program, report.scaling
    call, statement = call_at(place), statement_of(program, place.node)
    if function_of(program, place.node) is not _function(program, report.place):
        raise Refused("the loss is scaled in another function than the one that reports it")
    if call is None or len(call.args) != 1 or call.keywords or not _is_assigned(statement, call):
        raise Refused("the scaled loss has no name of its own")
    assert isinstance(statement, ast.Assign)
    assert isinstance(statement.targets[0], ast.Name)
    name, loss = statement.targets[0].id, call.args[0]
    if isinstance(loss, ast.Name) and loss.id != name:
        _tell_the_other(plan, report, statement, name, loss.id)
        return
    _check_blocks(program, report, statement)
    _check_stores(program, statement, name, own=isinstance(loss, ast.Name))
    if not isinstance(loss, ast.Name) and name.startswith("scaled"):
        _name_the_loss(plan, report, statement, call)
    else:
        _name_the_scaled(plan, report, statement, call)


def _is_assigned(statement: ast.stmt, call: ast.Call) -> bool:
    """Whether a statement gives the result of a call one name, and does nothing else."""
    is_plain = isinstance(statement, ast.Assign) and len(statement.targets) == 1 and statement.value is call
    return is_plain and isinstance(statement.targets[0], ast.Name)  # type: ignore[attr-defined]


def _function(program: Program, place: Place) -> ast.AST:
    return function_of(program, place.node)


def _reads(node: ast.AST, name: str) -> list[ast.Name]:
    return [
        one for one in ast.walk(node) if isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load)
    ]


def _stores(scope: ast.AST, name: str) -> list[ast.Name]:
    return [
        one
        for one in ast.walk(scope)
        if isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Store)
    ]


def _replace_in_report(plan: Plan, report: ScaledReport, name: str, by: str) -> None:
    found = _reads(report.place.node, name)
    if not found:
        raise Refused(f"the report does not name `{name}`")
    plan.title = f"Report `{by}`, which is not scaled"
    module = report.place.module
    texts = [one for one in ast.walk(report.place.node) if isinstance(one, ast.JoinedStr)]
    for one in found:
        text = next((text for text in texts if is_inside(plan.program, one, text)), None)
        if text is None:
            plan.add(module, ReplaceExpression(one, by))
        else:
            # what stands inside a text is rewritten with the text
            plan.add(module, ReplaceExpression(text, _renamed(source(module, text), text, name, by)))


def _renamed(written: str, text: ast.JoinedStr, name: str, by: str) -> str:
    pattern = rf"\b{re.escape(name)}\b"
    if len(re.findall(pattern, written)) != len(_reads(text, name)):
        raise Refused(f"the text of the report says `{name}` too")
    return re.sub(pattern, by, written)


def _tell_the_other(plan: Plan, report: ScaledReport, statement: ast.Assign, name: str, loss: str) -> None:
    """`scaled = optimizer.scale_loss(loss)`: the report names `loss`."""
    program, scope = plan.program, function_of(plan.program, statement)
    for one in _stores(scope, name):
        other = statement_of(program, one)
        copies = isinstance(other, ast.Assign) and ast.unparse(other.value) == loss
        if other is not statement and not copies:
            raise Refused(f"`{name}` is given other values too")
    if any(one.lineno > statement.lineno for one in _stores(scope, loss)):
        raise Refused(f"`{loss}` changes after it was scaled")
    _replace_in_report(plan, report, name, loss)


def _check_blocks(program: Program, report: ScaledReport, statement: ast.stmt) -> None:
    """Whatever is done on the way to the report, the loss must have been scaled."""
    node, scope = parents(program)[statement], function_of(program, statement)
    while node is not scope:
        if not isinstance(node, (ast.With, ast.AsyncWith)) and not is_inside(program, report.place.node, node):
            raise Refused("the loss is scaled in a branch that the report does not stand in")
        node = parents(program)[node]


def _check_stores(program: Program, statement: ast.stmt, name: str, *, own: bool) -> None:
    others = [one for one in _stores(function_of(program, statement), name) if statement_of(program, one) != statement]
    if any(one.lineno > statement.lineno for one in others) or (others and not own):
        raise Refused(f"`{name}` is given other values too")


def _name_the_loss(plan: Plan, report: ScaledReport, statement: ast.Assign, call: ast.Call) -> None:
    """`scaled_loss = optimizer.scale_loss(f(x))`: `f(x)` gets a name, which the report tells."""
    name, module = ast.unparse(statement.targets[0]), report.scaling.module
    loss = free_name(module, name.removeprefix("scaled").lstrip("_") or "loss", "loss")
    _split(plan, report.scaling, statement, call, loss, name)
    _replace_in_report(plan, report, name, loss)


def _name_the_scaled(plan: Plan, report: ScaledReport, statement: ast.Assign, call: ast.Call) -> None:
    """`loss = optimizer.scale_loss(loss)`: the scaled loss gets a name, which `tape.gradient` is given."""
    program, module = plan.program, report.scaling.module
    name = ast.unparse(statement.targets[0])
    scaled = free_name(module, f"scaled_{name}")
    reports = [one.place.node for one in scaled_reports(program) if one.scaling == report.scaling]
    targets = [_target(program, one, statement, name) for one in gradients_of_scaled(program, report.scaling)]
    later = [one for one in _reads(function_of(program, statement), name) if _is_behind(one, statement)]
    for one in later:
        if one not in targets and not any(is_inside(program, one, node) for node in reports):
            raise Refused(f"`{name}` is used for something else too")
    _split(plan, report.scaling, statement, call, name, scaled)
    for target in targets:
        plan.add(module, ReplaceExpression(target, scaled))
    plan.title = f"Keep the scaled loss apart, as `{scaled}`"


def _is_behind(node: ast.Name, statement: ast.stmt) -> bool:
    return (node.lineno, node.col_offset) > (statement.end_lineno or 0, statement.end_col_offset or 0)


def _target(program: Program, place: Place, statement: ast.stmt, name: str) -> ast.Name:
    """What is differentiated, where the call names it."""
    call = call_at(place)
    given = (
        [] if call is None else [*call.args[:1], *(one.value for one in call.keywords if one.arg in ("target", "loss"))]
    )
    if len(given) != 1 or not isinstance(given[0], ast.Name) or given[0].id != name:
        raise Refused("the scaled loss is not differentiated under its name")
    if function_of(program, given[0]) is not function_of(program, statement):
        raise Refused("the scaled loss is differentiated in another function")
    return given[0]


def _split(plan: Plan, place: Place, statement: ast.Assign, call: ast.Call, loss: str, scaled: str) -> None:
    """Two statements: one makes the loss, one scales it."""
    module, given = place.module, call.args[0]
    lines = [] if ast.unparse(given) == loss else [f"{loss} = {_dedented(place, statement, given)}"]
    lines.append(f"{scaled} = {source(module, call.func)}({loss})")
    plan.add(module, ReplaceStatement(statement, "\n".join(lines)))


def _dedented(place: Place, statement: ast.stmt, node: ast.expr) -> str:
    first, *rest = source(place.module, node).split("\n")
    if not rest:
        return first
    if "#" in "".join((first, *rest)):
        raise Refused("the loss is computed over several lines with comments")
    indent = " " * statement.col_offset
    inside = "\n".join([first, *(line.removeprefix(indent) for line in rest)])
    return inside if first.rstrip().endswith(("(", "[", "{")) else f"({inside})"
