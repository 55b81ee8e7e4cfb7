"""Tests to guards: which literals hold where a condition is true, and where it is false."""

from __future__ import annotations

import ast
import operator
from collections import Counter
from collections.abc import Callable
from typing import Any

from mpfix.semantic.containers import SIFTED
from mpfix.semantic.exits import narrow
from mpfix.semantic.guards import (
    TRUE,
    Condition,
    Equal,
    Guard,
    Lost,
    Switch,
    conjoin,
    contradicts,
    either,
    negate,
    relative,
)
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.texts import is_not_none
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Choice,
    Constant,
    Library,
    Loop,
    Mapping,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    derived,
)

MAX_MEMBERS = 4
"""Constants in `x in (a, b)` that are compared one by one."""

Sides = tuple[Guard | None, Guard | None]
"""Literals to add where a test is true, and where it is false; None for a side that cannot be."""

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "Is": lambda a, b: a is b if a is None or b is None else bool(a == b),
    "IsNot": lambda a, b: a is not b if a is None or b is None else bool(a != b),
}
SYMBOLS = {
    "Eq": "==", "NotEq": "!=", "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "Is": "is", "IsNot": "is not",
    "In": "in", "NotIn": "not in",
}  # fmt: skip


def test(run: Run, node: ast.expr, frame: Frame) -> Sides:
    """The two sides of a test expression; its parts are evaluated under the literals before them."""
    from mpfix.semantic.expressions import evaluate

    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yes, no = test(run, node.operand, frame)
        return no, yes
    if isinstance(node, ast.BoolOp):
        return _test_operands(run, node, frame)
    if isinstance(node, ast.Name):
        switch = _switch(run, node.id, frame)
        if switch is not None:
            return frozenset({(switch, True)}), frozenset({(switch, False)})
    return truth_guards(run, evaluate(run, node, frame))


def _test_operands(run: Run, node: ast.BoolOp, frame: Frame) -> Sides:
    """`and` gathers the literals of its operands, `or` those of their opposites; the other side is the opposite."""
    is_or = isinstance(node.op, ast.Or)
    gathered: Guard = TRUE
    saved, mark = run.path, len(run.exits)
    try:
        for operand in node.values:
            path, inner = run.path, len(run.exits)
            yes, no = test(run, operand, frame)
            if len(run.exits) > inner and not narrow(run, path, inner):
                break
            goes_on = no if is_or else yes
            below = run.under(goes_on) if goes_on is not None else None
            joined = conjoin(gathered, goes_on, run.limits.path_literals) if goes_on is not None else None
            if below is None or joined is None:
                return (TRUE, None) if is_or else (None, TRUE)
            gathered, run.path = joined, below
    finally:
        run.path = saved
        if len(run.exits) > mark:
            narrow(run, saved, mark)
    stops = negate(gathered)
    return (stops, gathered) if is_or else (gathered, stops)


def _switch(run: Run, name: str, frame: Frame) -> Switch | None:
    """The switch a name stands for: a boolean that a module assigns once, at its top level."""
    scope: Frame | None = frame
    while scope is not None:
        if name in scope.box.cells and scope.kind != "module":
            return None
        if scope.kind == "module":
            break
        scope = scope.outer
    if scope is None:
        return None
    cells = run.store.read(scope.box, name)
    if not cells or len(cells) != 1 or cells[0][1] not in (TRUE_VALUE, FALSE_VALUE) or cells[0][0]:
        return None
    if run.assignments.get(scope.module) is None:
        run.assignments[scope.module] = _assignments(scope.module.tree)
    if run.assignments[scope.module][name] != 1:
        return None
    value = cells[0][1]
    return Switch(name, value.value) if isinstance(value, Constant) else None


def _assignments(tree: ast.Module) -> Counter[str]:
    """How often each name is stored to anywhere in the module; what is no literal counts twice: nobody flips it."""
    counts: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            counts[node.id] += 1
        elif isinstance(node, ast.Global):
            counts.update(node.names)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and not isinstance(node.value, ast.Constant):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            counts.update(one.id for one in targets if isinstance(one, ast.Name))
    return counts


def truth(run: Run, value: Value) -> bool | None:
    """Whether a value counts as true; None when nobody knows."""
    match value:
        case Constant(value=constant):
            return bool(constant)
        case Sequence(items=items, open=is_open):
            return True if items else (None if is_open else False)
        case Mapping(entries=entries, open=is_open):
            return True if entries else (None if is_open else False)
        case Loop():
            return None
        case Unknown() | Choice():
            return None
        case Object(kind="list" | "dict" | "set"):
            content = run.get(value, "content")
            if not isinstance(content, (Sequence, Mapping)) or run.get(value, SIFTED) == TRUE_VALUE:
                return None
            return truth(run, content)
        case Object(kind="instance"):
            return True
        case Record() | Object() | Library():
            return run.library.truth(run, value)
    return True


def truth_guards(run: Run, value: Value) -> Sides:
    """The two sides of a test on a value."""
    if isinstance(value, Choice):
        return _choice_guards(run, value)
    known = truth(run, value)
    if known is not None:
        return (TRUE, None) if known else (None, TRUE)
    return literal(value)


def literal(condition: Value) -> Sides:
    """A condition that is one unknown value; one that a bound made unknown decides nothing."""
    if isinstance(condition, Unknown) and condition.cut:
        return _lost(condition, True), _lost(condition, False)
    return frozenset({(condition, True)}), frozenset({(condition, False)})


def _lost(condition: Condition, holds: bool) -> Guard:
    return frozenset({(Lost(frozenset({(condition, holds)})), True)})


def _choice_guards(run: Run, value: Choice) -> Sides:
    """Where the first alternative that holds is true: folded from the last one, which holds where no other does."""
    true: Guard | None = None
    is_last = True
    for guard, entry in reversed(_possible(run, value)):
        path = run.under(guard)
        if path is None:
            continue
        with run.on_path(path):
            yes, _ = truth_guards(run, entry)
        if is_last:
            true, is_last = yes, False
            continue
        here = conjoin(guard, yes) if yes is not None else None
        opposite = negate(guard)
        below = conjoin(opposite, true) if opposite is not None and true is not None else None
        true = either(guard, true) if here == guard else either(here, below)
    return true, TRUE if true is None else negate(true)


def _possible(run: Run, value: Choice) -> list[tuple[Guard, Value]]:
    """The alternatives that are possible on the current path, each still under the ones before it."""
    found: list[tuple[Guard, Value]] = []
    for guard, entry in value:
        if not contradicts(guard, run.path):
            rest = relative(guard, run.path)
            found.append((rest, entry))
            if not rest:
                break
    return found


# -- comparisons


def compare(run: Run, node: ast.Compare, frame: Frame) -> Value:
    """A comparison chain: known where its operands are, else True or False under literals."""
    from mpfix.semantic.expressions import evaluate

    left = evaluate(run, node.left, frame)
    results: list[Value] = []
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = evaluate(run, comparator, frame)
        name = type(op).__name__
        results.append(compare_values(run, name, left, right, node))
        left = right
    if len(results) == 1:
        return results[0]
    return _all_true(run, results)


def _all_true(run: Run, results: list[Value]) -> Value:
    """True where every comparison of a chain is."""
    true: Guard | None = TRUE
    for result in results:
        yes, _ = truth_guards(run, result)
        true = conjoin(true, yes, run.limits.path_literals) if true is not None and yes is not None else None
    return boolean(run, true, TRUE if true is None else negate(true))


def boolean(run: Run, yes: Guard | None, no: Guard | None) -> Value:
    """True or False by the guards that say when."""
    if yes is None or no is None:
        return Constant(no is None)
    return run.merge([(yes, TRUE_VALUE), (TRUE, FALSE_VALUE)]) or TRUE_VALUE


def compare_values(run: Run, name: str, left: Value, right: Value, node: ast.AST) -> Value:
    """One comparison, for each combination of alternatives."""
    return run.each(left, lambda a: run.each(run.restrict(right), lambda b: _compare_pair(run, name, a, b, node)))


def _compare_pair(run: Run, name: str, left: Value, right: Value, node: ast.AST) -> Value:
    if isinstance(left, Constant) and isinstance(right, Constant) and name in COMPARISONS:
        try:
            return Constant(bool(COMPARISONS[name](left.value, right.value)))
        except TypeError:
            return run.unknown(node)
    if name in ("In", "NotIn"):
        return _membership(run, name, left, right, node)
    if isinstance(left, Constant) and not isinstance(right, Constant):
        left, right, name = right, left, _mirrored(name)
    if name in ("Eq", "NotEq", "Is", "IsNot"):
        found = _equality(run, left, right, node)
        return found if name in ("Eq", "Is") else _negated(run, found)
    asked = run.library.operator(run, name, (left, right), node)
    return asked or derived("compare", (name, left, right), f"{left} {SYMBOLS[name]} {right}")


def _mirrored(name: str) -> str:
    return {"Lt": "Gt", "Gt": "Lt", "LtE": "GtE", "GtE": "LtE"}.get(name, name)


def _equality(run: Run, left: Value, right: Value, node: ast.AST) -> Value:
    if isinstance(right, Constant):
        if right == NONE and (is_not_none(left) if isinstance(left, Unknown) else not isinstance(left, Loop)):
            return FALSE_VALUE
        if isinstance(left, (Unknown, Loop)):
            return _equals_constant(run, left, right)
        asked = run.library.operator(run, "Eq", (left, right), node)
        return asked or derived("compare", ("Eq", left, right), f"{left} == {right}")
    if left == right and not isinstance(left, (Unknown, Loop)):
        return TRUE_VALUE
    asked = run.library.operator(run, "Eq", (left, right), node)
    return asked or derived("compare", ("Eq", left, right), f"{left} == {right}")


def _equals_constant(run: Run, left: Value, right: Constant) -> Value:
    condition: Equal | Switch = Equal(left, right.value)
    if isinstance(left, Unknown) and left.origin[0] == "environment":
        default = left.origin[2]
        if isinstance(default, Constant):
            condition = Switch(f"{left} == {right}", default == right)
    cut = isinstance(left, Unknown) and left.cut
    guard = _lost(condition, True) if cut else frozenset({(condition, True)})
    return run.merge([(guard, TRUE_VALUE), (TRUE, FALSE_VALUE)]) or FALSE_VALUE


def _negated(run: Run, value: Value) -> Value:
    if isinstance(value, Constant):
        return Constant(not value.value)
    yes, no = truth_guards(run, value)
    return boolean(run, no, yes)


def _membership(run: Run, name: str, left: Value, right: Value, node: ast.AST) -> Value:
    from mpfix.semantic.containers import content_of

    def ask(content: Value) -> Value:
        found = _is_in(run, left, content, node)
        return found if found is not None else derived("compare", ("In", left, right), f"{left} in {right}")

    found = run.each(content_of(run, right), ask)
    return found if name == "In" else run.each(found, lambda one: _negated(run, one))


def _is_in(run: Run, left: Value, content: Value, node: ast.AST) -> Value | None:
    if isinstance(content, Mapping):
        content = Sequence(tuple(key for key, _ in content.entries), content.open)
    if isinstance(content, Constant):
        both_texts = isinstance(left, Constant) and isinstance(left.value, str) and isinstance(content.value, str)
        return Constant(left.value in content.value) if both_texts and isinstance(left, Constant) else None
    if not isinstance(content, Sequence):
        return None
    if isinstance(left, Constant) and left in content.items:
        return TRUE_VALUE
    constants = all(isinstance(item, Constant) for item in content.items)
    if content.open or not constants or len(content.items) > MAX_MEMBERS:
        return FALSE_VALUE if constants and not content.open and isinstance(left, Constant) else None
    true: Guard | None = None
    for item in content.items:
        true = either(true, truth_guards(run, _compare_pair(run, "Eq", left, item, node))[0])
    return boolean(run, true, TRUE if true is None else negate(true))
