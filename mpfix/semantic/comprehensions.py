"""Comprehensions: mapped over known elements, or over one element that stands for all."""

from __future__ import annotations

import ast
from dataclasses import replace

from mpfix.semantic.containers import SIFTED, list_content, new_dict, new_list
from mpfix.semantic.guards import Guard
from mpfix.semantic.library import Iteration, is_framework_value
from mpfix.semantic.run import Run
from mpfix.semantic.store import Frame
from mpfix.semantic.values import TRUE_VALUE, Loop, Mapping, Object, Sequence, Unknown, Value, derived

Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


def comprehension(run: Run, node: Comprehension, frame: Frame) -> Value:
    """The list, dict or generator a comprehension makes."""
    inner = Frame("comprehension", run.store.new_box(run.path), frame.module, frame, frame.function)
    inner.nonlocals = frame.nonlocals
    results: list[Value] = []
    is_open, is_sifted = _generate(run, node, 0, inner, results)
    if isinstance(node, ast.DictComp):
        pairs = tuple((r.items[0], r.items[1]) for r in results if isinstance(r, Sequence))
        return new_dict(run, Mapping(pairs, is_open), node)
    content = Sequence(tuple(results[: run.limits.entries]), is_open or len(results) > run.limits.entries)
    if isinstance(node, ast.GeneratorExp):
        return content
    made = new_list(run, content, node, kind="list" if isinstance(node, ast.ListComp) else "set")
    if is_sifted:
        run.set(made, SIFTED, TRUE_VALUE)
    return made


def _generate(run: Run, node: Comprehension, depth: int, frame: Frame, results: list[Value]) -> tuple[bool, bool]:
    """Run the generators from `depth` on: whether there may be other elements than those found, or none at all."""
    from mpfix.semantic.assignments import assign
    from mpfix.semantic.conditions import test
    from mpfix.semantic.expressions import evaluate

    if depth == len(node.generators):
        if isinstance(node, ast.DictComp):
            results.append(Sequence((evaluate(run, node.key, frame), evaluate(run, node.value, frame))))
        else:
            results.append(evaluate(run, node.elt, frame))
        return False, False
    generator = node.generators[depth]
    elements = iterate(run, evaluate(run, generator.iter, frame), generator.iter, frame)
    is_open, is_sifted = elements.open, False
    for element in elements.items:
        assign(run, generator.target, element, frame)
        saved = run.path
        alive = True
        for condition in generator.ifs:
            yes, no = test(run, condition, frame)
            is_sifted = is_sifted or (yes is not None and no is not None)
            path = run.under(yes) if yes is not None else None
            if path is None:
                alive = False
                break
            run.path = path
        if alive:
            inner_open, inner_sifted = _generate(run, node, depth + 1, frame, results)
            is_open, is_sifted = is_open or inner_open, is_sifted or inner_sifted
        run.path = saved
    return is_open or is_sifted, is_sifted


def iterate(run: Run, value: Value, node: ast.AST, frame: Frame | None) -> Sequence:
    """The elements of a value: all of them, or one that stands for all in an open sequence."""
    return iterate_loop(run, value, node, frame)[0]


def iterate_loop(run: Run, value: Value, node: ast.AST, frame: Frame | None) -> tuple[Sequence, bool]:
    """As `iterate`, and whether the walk is over the parts of one framework value."""
    from mpfix.semantic.alternatives import project
    from mpfix.semantic.values import Choice

    if isinstance(value, Choice):
        found = [
            (guard, iterate_loop(run, entry, node, frame)) for guard, entry in project(value.alternatives, run.path)
        ]
        elements: list[tuple[Guard, Value]] = [(guard, _stand_in(run, entry, node)) for guard, (entry, _) in found]
        element = run.merge(elements)
        return Sequence((element,) if element is not None else (), True), all(e for _, (_, e) in found)
    original = value
    if isinstance(value, Loop):
        value = value.widened
    content = list_content(run, value)
    if content is not None:
        if content.open:
            return Sequence((_stand_in(run, content, node),), True), _elementwise(run, content, node)
        return content, bool(content.items) and _elementwise(run, content, node)
    if is_framework_value(value):
        iteration = run.library.iterate(run, value, node)
        if iteration is not None:
            element = iteration.element
            if isinstance(original, Loop):
                # what a loop carries, it carries element by element
                element = replace(original, widened=element)
            return Sequence((element,), True), iteration.elementwise
    return Sequence((derived("element", (original, run.place(node)), f"item of {original}"),), True), False


def _elementwise(run: Run, content: Sequence, node: ast.AST) -> bool:
    """Whether a sequence holds the parts of one framework value (pairs of gradient and variable, say)."""
    flat: list[Value] = []
    for item in content.items[:4]:
        flat.extend(item.items if isinstance(item, Sequence) else (item,))
    return any(
        isinstance(found, Iteration) and found.elementwise
        for found in (run.library.iterate(run, one, node) for one in flat if is_framework_value(one))
    )


def _stand_in(run: Run, content: Sequence, node: ast.AST) -> Value:
    """One value for all elements of a sequence."""
    if len(content.items) == 1:
        return content.items[0]
    distinct = tuple(dict.fromkeys(content.items))
    common: Value | None = distinct[0] if distinct and isinstance(distinct[0], Object) else None
    for one in distinct[1:]:
        common = run.library.widen(common, one) if common is not None and isinstance(one, Object) else None
    if common is not None or len(distinct) == 1:
        return common or distinct[0]
    return Unknown(("some", distinct, run.place(node)), "item")
