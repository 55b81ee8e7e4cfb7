"""Repairs of policies: a mixed one instead of pure float16, and one that is set before the model is made."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.events import FloatxSet, LayerBuilt, ModelBuilt, ModelOutput, PolicySet
from mpfix.frameworks.heads import half_heads, heads_by_default
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.policies import MAKERS
from mpfix.frameworks.policy_order import LatePolicy, PureHalf
from mpfix.frameworks.surroundings import function_around, scope_around, statements_around
from mpfix.rewriting.edits import DeleteStatement, EnsureImport, Intent, ModuleEdits, MoveStatement, ReplaceExpression
from mpfix.rule import FixIntent
from mpfix.semantic.names import NamesResult
from mpfix.semantic.program import Program, alternatives, fact
from mpfix.semantic.run import Occurrence
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import At, Object, Record, Value
from mpfix_rules.repairs.casts import source_of
from mpfix_rules.repairs.heads import float32_edits, merged_edits

SETTER = "mixed_precision.set_global_policy"
OTHER_BLOCK = "the policy is set in another block than the model is built in"
LAYERS_BEFORE = "layers were made before: they would stay float32"
POLICY_BEFORE = "the policy in force decides; delete the call if it is meant"
Repair = tuple[FixIntent | None, str | None]
"""A fix, or the reason why there is none."""


# -- mixed_float16 instead of float16


def mixed_instead(program: Program, found: PureHalf) -> Repair:
    """`mixed_float16` where pure float16 was asked for; beside a mixed policy the call goes."""
    if found.how == "late":
        return None, LAYERS_BEFORE if program.generation == 3 else POLICY_BEFORE
    intents = _deleted(program, found) if found.how == "beside" else _mixed(program, found)
    if not intents:
        return None, None
    heads = [one for one in half_heads(program) if getattr(one.policy, "place", None) == found.place]
    return FixIntent(
        "Delete the call" if found.how == "beside" else "Use the policy `mixed_float16`",
        Applicability.UNSAFE,
        Effect.CHANGES_TRAINING,
        lambda: merged_edits((ModuleEdits(found.place.module, intents), *float32_edits(program, heads))),
    ), None


def _deleted(program: Program, found: PureHalf) -> tuple[Intent, ...]:
    around = statements_around(scope_around(program, found.place), found.place.node)
    statement = around[-1] if around else None
    is_whole = isinstance(statement, ast.Expr) and statement.value is found.place.node
    return (DeleteStatement(statement),) if is_whole and statement is not None else ()


def _mixed(program: Program, found: PureHalf) -> tuple[Intent, ...]:
    call = found.place.node
    if not isinstance(call, ast.Call):
        return ()
    if isinstance(found.occurrence.event, FloatxSet):
        if not call.args:
            return ()
        name, imported = setter_name(program, found.place)
        renamed = ReplaceExpression(call.func, name)
        return (renamed, _mixed_name(found.place, call.args[0]), *((imported,) if imported is not None else ()))
    named = _policy_name(found)
    return (_mixed_name(*named),) if named is not None else ()


def _policy_name(found: PureHalf) -> tuple[Place, ast.expr] | None:
    """Where the name of a policy stands: in the call that sets it, or in the one that made it."""
    places = [found.place]
    event = found.occurrence.event
    for _, one in alternatives(event.policy) if isinstance(event, PolicySet) else ():
        made = one.get("made at") if isinstance(one, Record) else None
        places += [made.place] if isinstance(made, At) else []
    for place in places:
        call = place.node
        given = [*call.args[:1], *(k.value for k in call.keywords if k.arg)] if isinstance(call, ast.Call) else []
        for argument in given:
            if isinstance(argument, ast.Constant) and argument.value == "float16":
                return place, argument
    return None


def _mixed_name(place: Place, argument: ast.expr) -> Intent:
    """`mixed_float16` in the quotes of the old name."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return ReplaceExpression(argument, source_of(place.module, argument).replace(argument.value, "mixed_float16"))
    return ReplaceExpression(argument, '"mixed_float16"')


def setter_name(program: Program, floatx: Place) -> tuple[str, EnsureImport | None]:
    """`set_global_policy` in the Keras package of a call of `set_floatx`, and the import it may need."""
    call = floatx.node
    names = next((one.names for one in program.names if one.module is floatx.module), None)
    uses = names.uses if names is not None else ()
    spelt = next((use.qualified for use in uses if use.call is call), "keras.backend.set_floatx")
    function = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
    for ending in (".backend.set_floatx", ".config.set_floatx"):
        if function.endswith(ending):
            return f"{function[: -len(ending)]}.{SETTER}", None
    package = canonical(spelt).package
    root = package_name(names, package) if names is not None else None
    return (f"{root}.{SETTER}", None) if root else (SETTER, EnsureImport(package, "mixed_precision"))


def package_name(names: NamesResult, package: str) -> str | None:
    """How a file calls a Keras package: `tf.keras`, `keras`; None where it has no name for it."""
    parent, _, last = package.rpartition(".")
    for imported in names.imports:
        if parent and imported.local is not None and imported.qualified == parent:
            return f"{imported.local}.{last}"
    return next((one.local for one in names.imports if one.local is not None and one.qualified == package), None)


# -- the policy before the model


@dataclass(frozen=True, slots=True)
class _Block:
    """Statements of one block: what sets the policy, and what makes the model first."""

    setting: ast.stmt
    making: ast.stmt
    statements: list[ast.stmt]


def policy_first(program: Program, policy: Occurrence, found: list[LatePolicy]) -> Repair:
    """The statement that sets the policy in front of the one that begins to make the model."""
    block = _common_block(program, policy, found)
    if block is None or not _only_sets_policies(program, policy.place, block.setting):
        return None, OTHER_BLOCK
    moved: list[ast.stmt] = []
    missing = _move_with_names(program, policy.place, block, block.setting, moved)
    if missing is not None:
        return None, f"`{missing}` is computed after the model"
    moves = ModuleEdits(policy.place.module, tuple(MoveStatement(one, block.making) for one in moved))
    whole = {one.model for one in found if one.is_whole}
    heads = [one for one in heads_by_default(program) if one.case.event.model in whole]
    return FixIntent(
        "Set the policy before the model is built",
        Applicability.UNSAFE,
        Effect.REPAIRS,
        lambda: merged_edits((moves, *float32_edits(program, heads))),
    ), None


def _common_block(program: Program, policy: Occurrence, found: list[LatePolicy]) -> _Block | None:
    """The innermost block that holds both the policy and the model, with the earliest statement of the model."""
    blocks = [_block_of(program, policy, frames) for frames in _makings(program, found)]
    known = [one for one in blocks if one is not None]
    first = known[0] if known else None
    if first is None or blocks[0] is None:
        return None
    same = [one for one in known if one.setting is first.setting]
    return min(same, key=lambda one: one.statements.index(one.making))


def _makings(program: Program, found: list[LatePolicy]) -> list[tuple[Place, ...]]:
    """The call frames of everything that makes a model: itself, its first layer, its input."""
    frames = [(*one.built.chain, one.built.place) for one in found]
    late = {one.made for one in found}
    built = _built(program)
    for occurrence in program.happened(ModelOutput):
        event = occurrence.event
        if not isinstance(event, ModelOutput) or event.model not in late or not isinstance(event.tensor, Record):
            continue
        early, given = event.tensor.get("early"), event.tensor.get("input place")
        if isinstance(early, Object) and early in built:
            frames.append((*built[early].chain, built[early].place))
        if isinstance(given, At):
            frames += [(*one.built.chain, given.place) for one in found]
    return frames


@fact
def _built(program: Program) -> dict[Value, Occurrence]:
    found: dict[Value, Occurrence] = {}
    for occurrence in program.happened(LayerBuilt, ModelBuilt):
        event = occurrence.event
        made = event.layer if isinstance(event, LayerBuilt) else getattr(event, "model", None)
        if made is not None:
            found.setdefault(made, occurrence)
    return found


def _block_of(program: Program, policy: Occurrence, making: tuple[Place, ...]) -> _Block | None:
    setting = (*policy.chain, policy.place)
    for mine, other in zip(setting, making, strict=False):
        if mine == other:
            continue
        if mine.module is not other.module:
            return None
        scope = scope_around(program, mine)
        pairs = zip(statements_around(scope, mine.node), statements_around(scope, other.node), strict=False)
        apart = next(((one, two) for one, two in pairs if one is not two), None)
        statements = _statements_with(scope, apart[0]) if apart is not None else []
        if apart is None or apart[1] not in statements or statements.index(apart[1]) >= statements.index(apart[0]):
            return None
        return _Block(apart[0], apart[1], statements)
    return None


def _statements_with(scope: ast.AST, statement: ast.stmt) -> list[ast.stmt]:
    """The block that holds a statement."""
    for node in ast.walk(scope):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and any(one is statement for one in block):
                return block
    return []


def _only_sets_policies(program: Program, place: Place, statement: ast.stmt) -> bool:
    """Whether a statement does nothing but set policies, itself or in a function that does nothing else."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id="print") | ast.Attribute(attr="info" | "debug"))):
            return True
        case ast.Expr(value=ast.Call() as call):
            return _sets_policy(program, Place(place.module, call))
        case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.Return(value=None):
            return True
        case ast.Assign(value=ast.Call() as call):
            return _makes_policy(program, place, call)
        case ast.If(body=body, orelse=orelse):
            return all(_only_sets_policies(program, place, one) for one in (*body, *orelse))
    return False


def _sets_policy(program: Program, call: Place) -> bool:
    for occurrence in program.happened(PolicySet):
        frames = (*occurrence.chain, occurrence.place)
        if call in frames:
            inner = frames[frames.index(call) + 1 :]
            if not inner:
                return True
            function = function_around(program, inner[0])
            body = [] if function is None or isinstance(function, ast.Lambda) else function.body
            return bool(body) and all(_only_sets_policies(program, inner[0], one) for one in body)
    return False


def _makes_policy(program: Program, place: Place, call: ast.Call) -> bool:
    uses = (use for one in program.names if one.module is place.module for use in one.names.uses)
    return any(use.call is call and canonical(use.qualified).name in MAKERS for use in uses)


def _move_with_names(
    program: Program, place: Place, block: _Block, statement: ast.stmt, moved: list[ast.stmt]
) -> str | None:
    """Collect a statement and the policies it names, in order; gives a name that is bound too late, if there is one."""
    start, end = block.statements.index(block.making), block.statements.index(statement)
    for name in sorted({one.id for one in ast.walk(statement) if isinstance(one, ast.Name)}):
        for earlier in block.statements[start:end]:
            if name not in _bound(earlier):
                continue
            value = earlier.value if isinstance(earlier, ast.Assign) else None
            if not isinstance(value, ast.Call) or not _makes_policy(program, place, value):
                return name
            missing = _move_with_names(program, place, block, earlier, moved)
            if missing is not None:
                return missing
    if statement not in moved:
        moved.append(statement)
    return None


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement binds in its own scope."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(one.asname or one.name).partition(".")[0] for one in statement.names}
    return {one.id for one in ast.walk(statement) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
