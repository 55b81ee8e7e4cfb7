"""The repair of casts to half in an input pipeline."""

from __future__ import annotations

import ast

from mpfix.frameworks.host_casts import HostHalf
from mpfix.rewriting.edits import ReplaceExpression
from mpfix.semantic.program import Program
from mpfix_rules.repairs.places import is_path, source
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned

WORDS = ("bfloat16", "float16", "half")


def in_float32(program: Program, half: HostHalf) -> Offer:
    """The same cast, to float32."""

    def build(plan: Plan) -> None:
        call, module = half.cast.place.node, half.cast.place.module
        dtype = _dtype(call) if isinstance(call, ast.Call) else None
        if dtype is None:
            raise Refused("the cast does not name its dtype")
        if isinstance(dtype, ast.Constant) and dtype.value in WORDS:
            code = source(module, dtype).replace(str(dtype.value), "float32")
        elif isinstance(dtype, ast.Attribute) and dtype.attr in WORDS and is_path(dtype):
            code = f"{source(module, dtype.value)}.float32"
        else:
            raise Refused("the dtype of the cast is made elsewhere")
        plan.changes_training = True
        plan.title = "Compute in float32 on the host"
        plan.add(module, ReplaceExpression(dtype, code))

    return planned(program, build)


def _dtype(call: ast.Call) -> ast.expr | None:
    if len(call.args) > 1:
        return call.args[1]
    return next((one.value for one in call.keywords if one.arg == "dtype"), None)
