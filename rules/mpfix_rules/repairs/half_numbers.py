"""Repairs of numbers that half precision cannot hold: masks that choose instead of add, sums in float32."""

from __future__ import annotations

import ast

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.half_facts import HalfOperation
from mpfix.frameworks.surroundings import scope_around, statements_around
from mpfix.rewriting.edits import Intent, ModuleEdits, ReplaceExpression, ReplaceStatement
from mpfix.rule import Evidence, FixIntent
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Module
from mpfix.semantic.values import At
from mpfix_rules.repairs.casts import source_of
from mpfix_rules.repairs.heads import policy_evidence

CHOOSE = "Choose between the scores and the lowest number with `where`"
LOWEST = "Take the lowest number of the dtype"
FINITE = "Take a number that float16 can hold"


def half_evidence(one: HalfOperation) -> tuple[Evidence, ...]:
    """Why a tensor is in half: where its policy was set, else where it was cast; and whose layers do it."""
    made = tuple(Evidence(place, f"`{name}` is made here") for place, name in one.makers)
    found = policy_evidence(one.policy, one.guard)
    cast = one.tensor.get("cast at")
    if not found and isinstance(cast, At) and cast.place != one.place:
        return (Evidence(cast.place, f"cast to {one.dtype} here"), *made)
    return (*found, *made)


def number_text(number: float) -> str:
    """A number for people: `-1e9`."""
    return f"{number:g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def name_of_tensorflow(program: Program, module: Module) -> str | None:
    """What TensorFlow is called in a module."""
    names = next((one.names for one in program.names if one.module is module), None)
    imports = names.imports if names is not None else ()
    return next((one.local for one in imports if one.local is not None and one.qualified == "tensorflow"), None)


def finite_mask(program: Program, one: HalfOperation) -> FixIntent | None:
    """A mask times a huge number, added to scores: `where` with the lowest number, else a number that float16 holds."""
    node, module = one.place.node, one.place.module
    if not isinstance(node, ast.BinOp) or one.number is None:
        return None
    chosen = _chosen(program, one, node, one.number)
    if chosen is not None:
        return FixIntent(CHOOSE, Applicability.SAFE, Effect.REPAIRS, lambda: (ModuleEdits(module, (chosen,)),))
    constant = node.left if one.is_right else node.right
    intent = ReplaceExpression(constant, "-3e4" if one.number < 0 else "3e4")
    return FixIntent(FINITE, Applicability.UNSAFE, Effect.REPAIRS, lambda: (ModuleEdits(module, (intent,)),))


def lowest_choice(program: Program, one: HalfOperation) -> FixIntent | None:
    """`tf.where(mask, scores, -1e9)` with the lowest number of the scores' dtype."""
    call, module = one.place.node, one.place.module
    tf = name_of_tensorflow(program, module)
    if tf is None or not isinstance(call, ast.Call) or len(call.args) != 3 or call.keywords:
        return None
    number, scores = (call.args[1], call.args[2]) if one.is_right else (call.args[2], call.args[1])
    if not is_repeatable(scores):
        return None
    side = "min" if (one.number or 0.0) < 0 else "max"
    intent = ReplaceExpression(number, f"{tf}.as_dtype({source_of(module, scores)}.dtype).{side}")
    return FixIntent(LOWEST, Applicability.SAFE, Effect.REPAIRS, lambda: (ModuleEdits(module, (intent,)),))


def is_repeatable(node: ast.expr) -> bool:
    """Whether an expression may be written twice: a name, or an attribute of one."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _chosen(program: Program, one: HalfOperation, product: ast.BinOp, number: float) -> Intent | None:
    """`scores + (1 - mask) * -1e9` as `where(mask, scores, lowest)`."""
    module = one.place.module
    tf = name_of_tensorflow(program, module)
    statements = statements_around(scope_around(program, one.place), product)
    added = _sum_of(statements[-1], product) if statements else None
    if tf is None or added is None:
        return None
    whole, scores, sign = added
    mask, is_kept, turned = _mask(product.right if one.is_right else product.left)
    if not is_repeatable(scores) or number * sign * turned > 0:
        return None
    condition = f"{tf}.cast({source_of(module, _uncast(mask))}, {tf}.bool)"
    text = source_of(module, scores)
    lowest = f"{tf}.as_dtype({text}.dtype).min"
    chosen = f"{tf}.where({condition}, {text}, {lowest})" if is_kept else f"{tf}.where({condition}, {lowest}, {text})"
    if isinstance(whole, ast.expr):
        return ReplaceExpression(whole, chosen)
    return ReplaceStatement(whole, f"{text} = {chosen}")


def _sum_of(statement: ast.stmt, product: ast.expr) -> tuple[ast.stmt | ast.expr, ast.expr, int] | None:
    """What adds a product to scores, the scores, and 1, or -1 where it is subtracted."""
    if isinstance(statement, ast.AugAssign) and statement.value is product:
        sign = _sign(statement.op)
        return (statement, statement.target, sign) if sign else None
    for node in ast.walk(statement):
        if isinstance(node, ast.BinOp) and _sign(node.op):
            if node.right is product:
                return node, node.left, _sign(node.op)
            if node.left is product and isinstance(node.op, ast.Add):
                return node, node.right, 1
    return None


def _sign(operator: ast.operator) -> int:
    return 1 if isinstance(operator, ast.Add) else -1 if isinstance(operator, ast.Sub) else 0


def _mask(factor: ast.expr) -> tuple[ast.expr, bool, int]:
    """The mask in a factor, whether it marks what is kept, and the sign of the factor where it does not keep."""
    match factor:
        case ast.BinOp(left=ast.Constant(value=1 | 1.0), op=ast.Sub(), right=mask):
            return mask, True, 1
        case ast.BinOp(left=mask, op=ast.Sub(), right=ast.Constant(value=1 | 1.0)):
            return mask, True, -1
    return factor, False, 1


def _uncast(mask: ast.expr) -> ast.expr:
    """What a cast of a mask is given: to be true or false it needs no dtype."""
    match mask:
        case ast.Call(func=ast.Attribute(attr="cast"), args=[given, _], keywords=[]):
            return given
    return mask
