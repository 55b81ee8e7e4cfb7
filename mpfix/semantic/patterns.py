"""`match`: cases in turn; a literal pattern is a comparison with the subject, any other an open condition."""

from __future__ import annotations

import ast

from mpfix.semantic.assignments import assign_name
from mpfix.semantic.conditions import Sides, compare_values, test, truth_guards
from mpfix.semantic.exits import narrow
from mpfix.semantic.expressions import evaluate
from mpfix.semantic.guards import TRUE, Guard, conjoin, either, negate
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.values import Constant, Value, derived


def execute_match(run: Run, node: ast.Match, frame: Frame) -> None:
    """A `match` statement."""
    from mpfix.semantic.statements import execute_block

    path, mark = run.path, len(run.exits)
    subject = evaluate(run, node.subject, frame)
    if not narrow(run, path, mark):
        return
    for case in node.cases:
        path = run.path
        yes, no = _pattern(run, run.restrict(subject), case.pattern, frame)
        inside = run.under(yes) if yes is not None else None
        if inside is not None:
            run.path = inside
            _bind(run, case.pattern, run.restrict(subject), frame)
            if case.guard is not None:
                yes, no = _guarded(run, yes or TRUE, case.guard, frame)
                inside = run.under_from(path, yes) if yes is not None else None
            if inside is not None:
                run.path = inside
                execute_block(run, case.body, frame)
        run.path = path
        rest = run.under(no) if no is not None else None
        if rest is None:
            return
        run.path = rest


def _guarded(run: Run, matched: Guard, node: ast.expr, frame: Frame) -> Sides:
    """A pattern that matched, and its guard."""
    yes, _ = test(run, node, frame)
    both = conjoin(matched, yes) if yes is not None else None
    return both, TRUE if both is None else negate(both)


def _pattern(run: Run, subject: Value, pattern: ast.pattern, frame: Frame) -> Sides:
    if isinstance(pattern, ast.MatchValue):
        value = evaluate(run, pattern.value, frame)
        return truth_guards(run, compare_values(run, "Eq", subject, value, pattern))
    if isinstance(pattern, ast.MatchSingleton):
        return truth_guards(run, compare_values(run, "Is", subject, Constant(pattern.value), pattern))
    if isinstance(pattern, ast.MatchAs):
        return _pattern(run, subject, pattern.pattern, frame) if pattern.pattern is not None else (TRUE, None)
    if isinstance(pattern, ast.MatchOr):
        joined: Guard | None = None
        for part in pattern.patterns:
            joined = either(joined, _pattern(run, subject, part, frame)[0])
        return joined, TRUE if joined is None else negate(joined)
    matched = derived("matches", (subject, run.place(pattern)), f"{subject} matches line {pattern.lineno}")
    return frozenset({(matched, True)}), frozenset({(matched, False)})


def _bind(run: Run, pattern: ast.pattern, subject: Value, frame: Frame) -> None:
    for part in ast.walk(pattern):
        name = getattr(part, "name", None) or getattr(part, "rest", None)
        if isinstance(name, str):
            assign_name(run, name, subject if part is pattern else run.unknown(part, name), frame)
