"""The repair of a model's head: what leaves the model is computed in float32."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.heads import Head, layers_of, output_layers
from mpfix.frameworks.keys import canonical
from mpfix.frameworks.policy_facts import set_at
from mpfix.frameworks.training import layers_by_place
from mpfix.rewriting.edits import AddKeyword, Intent, ModuleEdits, SetKeyword, WrapExpression
from mpfix.rule import Evidence, Finding, FixIntent
from mpfix.semantic.guards import Guard
from mpfix.semantic.names import NamesResult
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import TRUE_VALUE, Object, Record, Value

LAYER_TITLE = 'Compute it in float32 with `dtype="float32"`'
CAST_TITLE = "Cast its argument to float32"
SHARED = "the same call makes hidden layers too: they would be computed in float32 as well"
STARRED = "`**` may bring a `dtype` of its own"


def policy_evidence(policy: Value, guard: Guard) -> tuple[Evidence, ...]:
    """Where the policy of a layer was set that is in force under a guard.

    Nothing for a dtype of its own, or a policy that is only assumed.
    """
    if not isinstance(policy, Record) or policy.kind != "policy":
        return ()
    if TRUE_VALUE in (policy.get("explicit"), policy.get("default")):
        return ()
    return (Evidence(set_at(policy, guard), "the policy is set here"),)


def worst_by_place(found: Iterable[Finding]) -> Iterator[Finding]:
    """One finding for each place: of a head in float16 here and bfloat16 there the worse, with the evidence of both."""
    places: dict[Place, list[Finding]] = {}
    for one in found:
        places.setdefault(one.place, []).append(one)
    for same in places.values():
        worst = max(same, key=lambda one: one.severity.rank if one.severity is not None else 0)
        yield replace(worst, evidence=tuple(dict.fromkeys(item for one in same for item in one.evidence)))


def float32_head(
    program: Program,
    maker: Place,
    heads: frozenset[Object],
    effect: Effect = Effect.TOLERANCE_EQUAL,
    *,
    passed_by: Iterable[Place] = (),
    meets_others: bool = False,
) -> FixIntent | None:
    """Compute what is made at `maker`, a layer's constructor or a function's call, in float32.

    Only shown where the call makes other layers than `heads` and outputs too; not even that where the values are
    computed with others before they leave (`meets_others`): nobody would see that these must be float32 as well.
    """
    found = _float32_intent(program, maker, heads)
    if found is None or (meets_others and found[1] is not None):
        return None
    intent, reason = found
    return FixIntent(
        LAYER_TITLE if maker in layers_by_place(program) else CAST_TITLE,
        Applicability.DISPLAY_ONLY if reason else Applicability.SAFE,
        effect,
        lambda: merged_edits((ModuleEdits(maker.module, (intent,)), *_passing_edits(passed_by))),
        reason=reason,
        generations=(2, 3) if maker in layers_by_place(program) else (program.generation,),
    )


def merged_edits(edits: Iterable[ModuleEdits]) -> tuple[ModuleEdits, ...]:
    """The edits with those of one module together."""
    by_module: dict[Module, tuple[Intent, ...]] = {}
    for one in edits:
        by_module[one.module] = (*by_module.get(one.module, ()), *one.intents)
    return tuple(ModuleEdits(module, intents) for module, intents in by_module.items())


def _passing_edits(passed_by: Iterable[Place]) -> tuple[ModuleEdits, ...]:
    """float32 for the layers behind a head, which would cast its values back to half."""
    return tuple(
        ModuleEdits(one.module, (with_float32(one.node),))
        for one in dict.fromkeys(passed_by)
        if isinstance(one.node, ast.Call) and not _is_float32(one.node)
    )


def _is_float32(call: ast.Call) -> bool:
    return any(keyword.arg == "dtype" and "float32" in ast.unparse(keyword.value) for keyword in call.keywords)


def float32_edits(program: Program, heads: Iterable[Head]) -> tuple[ModuleEdits, ...]:
    """Every head in float32, but for those whose repair would reach hidden layers too."""
    listed = list(heads)
    layers = layers_of(listed)
    found = ((one.maker, _float32_intent(program, one.maker, layers)) for one in listed)
    intents = {maker: intent[0] for maker, intent in found if intent is not None and intent[1] is None}
    behind = (place for one in listed if one.maker in intents for place in one.passed_by)
    return (*(ModuleEdits(maker.module, (one,)) for maker, one in intents.items()), *_passing_edits(behind))


def _float32_intent(program: Program, maker: Place, heads: frozenset[Object]) -> tuple[Intent, str | None] | None:
    """What makes a head float32, and the reason why it may only be shown."""
    call = maker.node
    if not isinstance(call, ast.Call):
        return None
    made = layers_by_place(program).get(maker)
    if made is None:
        intent = cast_argument(program, maker)
        return (intent, None) if intent is not None else None
    return with_float32(call), SHARED if made - heads - output_layers(program) else (
        STARRED if _has_stars(call) else None
    )


def _has_stars(call: ast.Call) -> bool:
    return any(keyword.arg is None for keyword in call.keywords)


def with_float32(call: ast.Call) -> Intent:
    """`dtype="float32"` as the keyword of a layer's constructor."""
    if any(keyword.arg == "dtype" for keyword in call.keywords):
        return SetKeyword(call, "dtype", '"float32"')
    return AddKeyword(call, "dtype", '"float32"')


def cast_argument(program: Program, maker: Place) -> Intent | None:
    """A cast around the first argument of `tf.nn.softmax(x)`; None where no name for one is at hand."""
    call = maker.node
    if not isinstance(call, ast.Call) or not call.args or isinstance(call.args[0], ast.Starred):
        return None
    around = cast_around(program, maker)
    return WrapExpression(call.args[0], *around) if around is not None else None


def cast_around(program: Program, maker: Place) -> tuple[str, str] | None:
    """What to write before and after an expression to cast it, in the words by which a function was reached."""
    names = next((one.names for one in program.names if one.module is maker.module), None)
    if names is None or not isinstance(maker.node, ast.Call):
        return None
    func = ast.unparse(maker.node.func)
    key = next((canonical(use.qualified).name for use in names.uses if use.call is maker.node), "")
    if key.startswith("keras.activations."):
        return _cast_of_keras(program, names, func)
    for root, before, after in CASTS:
        for ending in (".nn", ".math", ""):
            last = f"{ending}.{key.rpartition('.')[2]}"
            if key.startswith(f"{root}.") and func.endswith(last) and (ending or key == f"{root}{last}"):
                base = func[: -len(last)]
                return f"{base}{before}", after.replace("@", base)
    return _imported_cast(names)


def _cast_of_keras(program: Program, names: NamesResult, func: str) -> tuple[str, str] | None:
    """Keras 3 wants `keras.ops` for the symbolic tensors of functional models; Keras 2 has no such module."""
    if program.generation == 2:
        return _imported_cast(names)
    base, found, _ = func.rpartition(".activations.")
    return (f"{base}.ops.cast(", ', "float32")') if found else _imported_ops(names)


CASTS = (
    ("tensorflow", ".cast(", ", @.float32)"),
    ("keras.ops", ".cast(", ', "float32")'),
    ("keras.backend", ".cast(", ', "float32")'),
)


def _imported_cast(names: NamesResult) -> tuple[str, str] | None:
    for imported in names.imports:
        if imported.local is not None and imported.qualified == "tensorflow":
            return f"{imported.local}.cast(", f", {imported.local}.float32)"
    return _imported_ops(names)


def _imported_ops(names: NamesResult) -> tuple[str, str] | None:
    for imported in names.imports:
        if imported.local is not None and canonical(imported.qualified).name == "keras.ops":
            return f"{imported.local}.cast(", ', "float32")'
    return None
