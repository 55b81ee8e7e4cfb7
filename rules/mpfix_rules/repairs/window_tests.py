"""Repairs of the test that says where a window of micro batches ends."""

from __future__ import annotations

import ast

from mpfix.frameworks.windows import Update
from mpfix.rewriting.edits import ReplaceExpression
from mpfix.semantic.program import Program
from mpfix_rules.repairs.places import function_of, is_path, parents, source
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.update_places import loop_around


def count_from_one(program: Program, update: Update) -> Offer:
    """`(step + 1) % n` in the test of a window, so that it ends at its last micro batch."""

    def build(plan: Plan) -> None:
        loop = loop_around(program, update)
        place = update.occurrence.place
        remainder = _tested_remainder(program, place.node)
        if remainder is None or not is_path(remainder.left):
            raise Refused("the test of the window is not an `if` around the update")
        text = ast.unparse(remainder)
        same = [one for one in ast.walk(loop) if isinstance(one, ast.BinOp) and ast.unparse(one) == text]
        if len(same) != 1:
            raise Refused(f"`{text}` decides on more than the update: what belongs to it must change too")
        plan.changes_training = True
        plan.title = f"End the window at its last micro batch: `({ast.unparse(remainder.left)} + 1)`"
        left = source(place.module, remainder.left)
        plan.add(place.module, ReplaceExpression(remainder.left, f"({left} + 1)"))

    return planned(program, build)


def _tested_remainder(program: Program, node: ast.AST) -> ast.BinOp | None:
    """The one remainder in the test of the nearest `if` around a node, in its function."""
    scope = function_of(program, node)
    while node is not scope and node in parents(program):
        inner, node = node, parents(program)[node]
        if isinstance(node, ast.If) and any(inner is one for one in node.body):
            found = [one for one in ast.walk(node.test) if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mod)]
            if found:
                return found[0] if len(found) == 1 else None
    return None
