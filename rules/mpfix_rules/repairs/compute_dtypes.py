"""Repairs of operands in float32 that meet half tensors: they take the compute dtype, where they are made or used."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mpfix.diagnostic import Applicability, Effect, Severity
from mpfix.frameworks.dtype_clashes import Clash, clashes_in_layers, followers
from mpfix.frameworks.dtype_containers import Filled
from mpfix.frameworks.dtypes import may_be_half
from mpfix.frameworks.half_statistics import WeightAssigned
from mpfix.frameworks.surroundings import FunctionNode, function_around, holds
from mpfix.rewriting.edits import AddKeyword, Intent, ModuleEdits, ReplaceExpression, SetKeyword, WrapExpression
from mpfix.rule import Evidence, Finding, FixIntent
from mpfix.semantic.program import Case, Program, alternatives
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import NONE, TRUE_VALUE, At, Constant, Object, Record, Value
from mpfix_rules.repairs.heads import merged_edits, policy_evidence
from mpfix_rules.repairs.places import is_path, shown, source, statement_of

TITLE = "Use the compute dtype"
UNNAMED = "nothing at that place has the compute dtype"
MEANT = "a half tensor is cast to float32: which of the two sides its author wants is not known"
OTHERS = "the container gets tensors of other dtypes too"
RAISES = "TensorFlow does not mix the two and raises an error"
PROMOTES = "the result is {fixed}, the rest of the layer leaves half precision"
NAMED = "its dtype is asked for here"
RANGES = ("range", "linspace", "arange")
"""Functions whose results half precision may not hold apart: they are cast where they are used."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A fix, or the reason why there is none."""

    fix: FixIntent | None = None
    reason: str | None = None


def evidence_of(clashes: Sequence[Clash]) -> tuple[Evidence, ...]:
    """Where float32 meets half, and where the policy was set."""
    met = [Evidence(one.place, f"the {one.half_dtype} tensor meets it here") for one in clashes]
    policies = [item for one in clashes for item in policy_evidence(one.policy or NONE, one.guard)]
    return tuple(dict.fromkeys((*met, *policies)))


def judged(program: Program, hows: frozenset[str], what: str) -> Iterator[Finding]:
    """One finding for each maker of a float32 tensor that meets half tensors in layers, for makers that did it so.

    Args:
        hows: what fixed the dtype, as `Clash.how` says it.
        what: the tensor for people, with `{shown}` and `{fixed}`.
    """
    for clashes in clashes_in_layers(program):
        first = clashes[0]
        if first.how not in hows or first.maker is None:
            continue
        harm = (PROMOTES if first.promotes else RAISES).format(fixed=first.fixed_dtype)
        text = what.format(shown=shown(first.maker.node), fixed=first.fixed_dtype)
        repair = repaired(program, clashes)
        place, made = _to_blame(program, first, first.maker)
        yield Finding(
            place,
            f"{text} and meets a {first.half_dtype} tensor: {harm}",
            evidence=(*made, *evidence_of(clashes)),
            guard=first.guard,
            severity=Severity.NOTE if first.promotes else None,
            fix=repair.fix,
            unfixable_reason=repair.reason,
        )


def _to_blame(program: Program, clash: Clash, maker: Place) -> tuple[Place, tuple[Evidence, ...]]:
    """Where to show a clash: at the maker, unless a function of several statements was told the dtype by another one.

    It is right for any dtype; then the clash is shown where both meet.
    """
    given = clash.source.get("named") if clash.source is not None else NONE
    named = next((one for _, one in alternatives(given, clash.guard) if isinstance(one, At)), None)
    around = function_around(program, maker)
    if named is None or around is function_around(program, named.place):
        return maker, ()
    if around is None or isinstance(around, ast.Lambda) or isinstance(around.body[0], ast.Return):
        return maker, (Evidence(named.place, NAMED),)
    return clash.place, (Evidence(maker, f"{shown(maker.node)} is made here"), Evidence(named.place, NAMED))


def repaired(program: Program, clashes: Sequence[Clash]) -> Repair:
    """The compute dtype for what was made in float32, of clashes that one maker is to blame for."""
    first = clashes[0]
    origin = first.source
    is_upcast = origin is not None and may_be_half(origin.get("of"))
    is_assumed = origin is not None and origin.get("assumed") == TRUE_VALUE
    if is_upcast and not is_assumed:
        return Repair(reason=MEANT)
    intents = _at_maker(program, clashes) or _at_uses(program, clashes)
    if not intents:
        return Repair(reason=UNNAMED)
    is_safe = not is_upcast and not first.promotes
    return Repair(
        FixIntent(
            TITLE,
            Applicability.SAFE if is_safe else Applicability.UNSAFE,
            Effect.CHANGES_TRAINING if first.promotes else Effect.REPAIRS,
            lambda: tuple(ModuleEdits(module, tuple(edits)) for module, edits in intents.items()),
        )
    )


def cast_at(program: Program, clashes: Sequence[Clash]) -> Repair:
    """The compute dtype for what was made in float32 for good, where it meets half tensors."""
    intents = _at_uses(program, clashes)
    if not intents:
        return Repair(reason=UNNAMED)
    edits = tuple(ModuleEdits(module, tuple(one)) for module, one in intents.items())
    return Repair(FixIntent(TITLE, Applicability.SAFE, Effect.REPAIRS, lambda: edits))


_Edits = dict[Module, list[Intent]]


def _at_maker(program: Program, clashes: Sequence[Clash]) -> _Edits:
    """Another dtype where the tensor is made, if it is used as it is, and in the same function."""
    first = clashes[0]
    call = first.maker.node if first.maker is not None else None
    if first.maker is None or first.source is None or not isinstance(call, ast.Call):
        return {}
    if any(_is_derived(one) or not _is_near(program, one) for one in clashes) or _name_of(call) in RANGES:
        return {}
    dtype = _dtype_at(program, first, first.maker)
    edit = _with_dtype(call, first.source, dtype) if dtype is not None else None
    return {first.maker.module: [edit]} if edit is not None else {}


def _is_derived(clash: Clash) -> bool:
    return isinstance(clash.fixed, Record) and clash.fixed.get("derived") == TRUE_VALUE


def _is_near(program: Program, clash: Clash) -> bool:
    maker = clash.maker
    return maker is not None and function_around(program, maker) is function_around(program, clash.place)


def _name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _with_dtype(call: ast.Call, origin: Record, dtype: str) -> Intent | None:
    """A call with another dtype; None where it takes none, or not visibly."""
    if any(one.arg is None for one in call.keywords) or any(isinstance(one, ast.Starred) for one in call.args):
        return None
    if any(one.arg == "dtype" for one in call.keywords):
        return SetKeyword(call, "dtype", dtype)
    position = origin.get("position")
    if not isinstance(position, Constant):
        return None
    if position.value < len(call.args):
        return ReplaceExpression(call.args[position.value], dtype)
    return AddKeyword(call, "dtype", dtype)


def _at_uses(program: Program, clashes: Sequence[Clash]) -> _Edits:
    """Casts around the operands, wherever they meet half tensors."""
    edits: _Edits = {}
    done: set[ast.AST] = set()
    for clash in clashes:
        operand, function = operand_at(clash, fixed=True), cast_function(program, clash.place)
        dtype = _dtype_at(program, clash, clash.place)
        if operand is None or function is None or dtype is None:
            return {}
        if operand not in done:
            done.add(operand)
            edits.setdefault(clash.place.module, []).append(WrapExpression(operand, f"{function}(", f", {dtype})"))
    return edits


def cast_of_assigned(program: Program, case: Case[WeightAssigned]) -> Repair:
    """The dtype of a variable for what it is assigned."""
    call, function = case.place.node, cast_function(program, case.place)
    given = next((one for one in getattr(call, "args", ()) if not isinstance(one, ast.Starred)), None)
    if given is None or function is None:
        return Repair(reason=UNNAMED)
    wrapped = WrapExpression(given, f"{function}(", f', "{case.constant("own")}")')
    edits = (ModuleEdits(case.place.module, (wrapped,)),)
    return Repair(FixIntent("Cast what is assigned", Applicability.SAFE, Effect.REPAIRS, lambda: edits))


# -- containers


def repaired_container(program: Program, filled: Filled) -> Repair:
    """The compute dtype for a container that gets half tensors."""
    call, event = filled.maker.node, filled.case.event
    function = function_around(program, filled.maker)
    if not all(may_be_half(one.event.value_dtype) for one in filled.puts):
        return Repair(reason=OTHERS)
    if not isinstance(call, ast.Call) or not isinstance(function, ast.FunctionDef):
        return Repair(reason=UNNAMED)
    if not _is_method(function, event.scope):
        return Repair(reason=UNNAMED)
    dtype = f"{function.args.args[0].arg}.compute_dtype"
    keyword = next((one.arg for one in call.keywords if one.arg in ("dtype", "fn_output_signature")), None)
    position = 2 if _name_of(call) == "map_fn" else 0
    if keyword is not None:
        edit: Intent = SetKeyword(call, keyword, dtype)
    elif position < len(call.args) and not any(isinstance(one, ast.Starred) for one in call.args):
        edit = ReplaceExpression(call.args[position], dtype)
    else:
        return Repair(reason=UNNAMED)
    edits = (ModuleEdits(filled.maker.module, (edit,)),)
    return Repair(FixIntent(TITLE, Applicability.SAFE, Effect.REPAIRS, lambda: edits))


# -- losses


def float32_predictions(program: Program, clash: Clash) -> Repair:
    """float32 for the half side of an operation in a loss, and of those that only meet float32 by its result."""
    edits = [_with_float32_side(program, one) for one in (clash, *followers(program, clash))]
    found = tuple(one for one in edits if one is not None)
    if len(found) < len(edits):
        return Repair(reason="the half operand is not written where it meets the other")
    title = "Cast the half side to float32"
    return Repair(FixIntent(title, Applicability.SAFE, Effect.REPAIRS, lambda: merged_edits(found)))


def _with_float32_side(program: Program, clash: Clash) -> ModuleEdits | None:
    operand, function = operand_at(clash, fixed=False), cast_function(program, clash.place)
    if operand is None or function is None or isinstance(clash.place.node, ast.AugAssign):
        return None
    return ModuleEdits(clash.place.module, (WrapExpression(operand, f"{function}(", f', "{clash.fixed_dtype}")'),))


# -- names


def _dtype_at(program: Program, clash: Clash, place: Place) -> str | None:
    """An expression for the compute dtype at a place: of the layer in its own methods, else of the half operand."""
    function = function_around(program, place)
    if isinstance(function, ast.FunctionDef) and _is_method(function, clash.case.event.scope):
        return f"{function.args.args[0].arg}.compute_dtype"
    operand = operand_at(clash, fixed=False)
    if operand is None or not is_path(operand) or function is not function_around(program, clash.place):
        return None
    if _is_parameter(function, operand) or holds(statement_of(program, clash.place.node), place.node):
        return f"{source(clash.place.module, operand)}.dtype"
    return None


def _is_method(function: ast.FunctionDef, scope: Value) -> bool:
    classes = scope.cls.mro() if isinstance(scope, Object) and scope.cls is not None else ()
    return bool(function.args.args) and any(function in one.node.body for one in classes)


def _is_parameter(function: FunctionNode | None, operand: ast.expr) -> bool:
    if function is None or not isinstance(operand, ast.Name):
        return False
    return any(one.arg == operand.id for one in (*function.args.posonlyargs, *function.args.args))


def operand_at(clash: Clash, *, fixed: bool) -> ast.expr | None:
    """The expression of the operand in float32 (`fixed`) or of the half one; None where it stands nowhere."""
    event = clash.case.event
    is_left = (event.left is clash.fixed) == fixed
    index = event.indices[0 if is_left else 1]
    operands = _operands(clash.place.node)
    return operands[index] if index < len(operands) else None


def _operands(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.AugAssign(target=target, value=value):
            return [target, value]
        case ast.Call(args=args) if not any(isinstance(one, ast.Starred) for one in args):
            if _name_of(node) in ("where", "switch"):
                return args[1:3]
            return [item for one in args for item in (one.elts if isinstance(one, (ast.List, ast.Tuple)) else [one])]
    return []


CASTS = (("tensorflow", "cast"), ("keras.ops", "cast"), ("keras.backend", "cast"), ("tensorflow.keras.backend", "cast"))


def cast_function(program: Program, place: Place) -> str | None:
    """The function that casts, in the words of the module: `tf.cast`."""
    names = next((one.names for one in program.names if one.module is place.module), None)
    for module, function in CASTS:
        for imported in names.imports if names is not None else ():
            if imported.local is not None and imported.qualified == module:
                return f"{imported.local}.{function}"
    return None
