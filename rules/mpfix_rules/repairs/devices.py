"""Repairs of where tensors are made."""

from __future__ import annotations

import ast

from mpfix.rewriting.edits import ReplaceStatement
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix_rules.repairs.places import statement_of
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.update_places import statement_source, tensorflow_name


def on_host(program: Program, place: Place, *, is_fed: bool) -> Offer:
    """The statement of a data set inside `with tf.device("CPU:0")`."""

    def build(plan: Plan) -> None:
        node = place.node
        if is_fed:
            raise Refused("what trains must stay on the GPU: give it a dataset that is made on the CPU, or in batches")
        is_dataset = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if not is_dataset or not node.func.attr.startswith("from_tensor"):  # type: ignore[attr-defined]
            raise Refused("where this tensor is needed is for the author to say")
        statement = statement_of(program, node)
        if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
            raise Refused("the dataset is made inside a longer statement")
        if statement.lineno != statement.end_lineno:
            raise Refused("the statement has several lines")
        plan.is_unsafe = True
        plan.title = 'Make the dataset on the CPU with `tf.device("CPU:0")`'
        text = statement_source(place, statement)
        code = f'with {tensorflow_name(place.module)}.device("CPU:0"):\n    {text}'
        plan.add(place.module, ReplaceStatement(statement, code))

    return planned(program, build)
