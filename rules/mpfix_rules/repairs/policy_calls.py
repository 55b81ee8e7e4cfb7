"""Repairs of single calls around policies: what sets one, where its name is written, what wraps an optimizer."""

from __future__ import annotations

import ast

from mpfix.diagnostic import Applicability, Effect
from mpfix.frameworks.keys import canonical
from mpfix.rewriting.edits import (
    AddKeyword,
    DeleteStatement,
    EnsureImport,
    InsertAfter,
    Intent,
    ModuleEdits,
    ReplaceExpression,
    ReplaceStatement,
    WrapExpression,
)
from mpfix.rule import FixIntent
from mpfix.semantic.names import NamesResult
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import At, Record
from mpfix_rules.repairs.casts import source_of
from mpfix_rules.repairs.places import call_at, statement_of
from mpfix_rules.repairs.policies import SETTER, package_name

Offer = tuple[FixIntent | None, str | None]
MAKER = "keras.mixed_precision.Policy"
CURRENT = "keras.mixed_precision.set_global_policy"
WRAPPER = "mixed_precision.LossScaleOptimizer"
NOT_ALONE = "the statement does other things too"
NO_NAME = "the module has no name for the Keras package of the layers"


def unsafe(title: str, effect: Effect, module: Module, *intents: Intent) -> FixIntent:
    """A fix of one module that people decide about."""
    return FixIntent(title, Applicability.UNSAFE, effect, lambda: (ModuleEdits(module, intents),))


def names_of(program: Program, module: Module) -> NamesResult:
    """What the names of a module mean."""
    return next(one.names for one in program.names if one.module is module)


def key_of(program: Program, place: Place) -> str:
    """The canonical name of what is called at a place; empty where it is none of a library."""
    uses = names_of(program, place.module).uses
    return next((canonical(use.qualified).name for use in uses if use.call is place.node), "")


# -- a policy that was made


def set_made_policy(program: Program, maker: Place) -> Offer:
    """Set a policy in the line after the one that makes it, or in its place where nobody keeps it."""
    call = call_at(maker)
    if call is None or key_of(program, maker) != MAKER:
        return None, "the call that makes the policy is not `Policy(...)` of today"
    setter, imports = _setter_beside(program, maker.module, call)
    statement = statement_of(program, call)
    title = "Set the policy"
    if isinstance(statement, ast.Expr) and statement.value is call:
        return unsafe(title, Effect.REPAIRS, maker.module, ReplaceExpression(call.func, setter), *imports), None
    if isinstance(statement, ast.Assign) and statement.value is call and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, (ast.Name, ast.Attribute)):
            line = f"{setter}({ast.unparse(target)})"
            return unsafe(title, Effect.REPAIRS, maker.module, InsertAfter(statement, line), *imports), None
    return None, NOT_ALONE


def _setter_beside(program: Program, module: Module, call: ast.Call) -> tuple[str, tuple[Intent, ...]]:
    """`set_global_policy` in the words by which `Policy` is reached, and the import that this may need."""
    if isinstance(call.func, ast.Attribute):
        return f"{source_of(module, call.func.value)}.set_global_policy", ()
    names = names_of(program, module)
    local = next((one.local for one in names.imports if one.local and canonical(one.qualified).name == CURRENT), None)
    if local is not None:
        return local, ()
    spelt = next(use.qualified for use in names.uses if use.call is call)
    return "set_global_policy", (EnsureImport(spelt.rpartition(".")[0], "set_global_policy"),)


# -- another name of a policy


def rename_policy(policy: Record, name: str) -> tuple[Module, Intent] | None:
    """Another name where the name of a policy is written: in the call that sets it, or in the one that made it."""
    made = policy.get("made at")
    for place in (policy.place, *((made.place,) if isinstance(made, At) else ())):
        call = call_at(place)
        given = [*call.args[:1], *(one.value for one in call.keywords)] if call is not None else []
        for argument in given:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                text = source_of(place.module, argument).replace(argument.value, name)
                return place.module, ReplaceExpression(argument, text)
    return None


# -- the policy in another package, or in place of a statement


def set_in_package(program: Program, setter: Place, package: str) -> Offer:
    """The same policy, set through another Keras package."""
    call = call_at(setter)
    name = package_name(names_of(program, setter.module), package)
    if call is None or name is None:
        return None, NO_NAME
    title = f"Set the policy of `{name}`"
    return unsafe(title, Effect.REPAIRS, setter.module, ReplaceExpression(call.func, f"{name}.{SETTER}")), None


def policy_instead(program: Program, place: Place, package: str) -> Offer:
    """The policy `mixed_float16` in place of a statement."""
    name = package_name(names_of(program, place.module), package)
    statement = whole_statement(program, place)
    if name is None:
        return None, NO_NAME
    if statement is None:
        return None, NOT_ALONE
    intent = ReplaceStatement(statement, f'{name}.{SETTER}("mixed_float16")')
    return unsafe("Use the policy `mixed_float16`", Effect.CHANGES_TRAINING, place.module, intent), None


def deleted(program: Program, place: Place, title: str) -> Offer:
    """A statement deleted that does nothing else."""
    statement = whole_statement(program, place)
    if statement is None:
        return None, NOT_ALONE
    return unsafe(title, Effect.CHANGES_TRAINING, place.module, DeleteStatement(statement)), None


def whole_statement(program: Program, place: Place) -> ast.stmt | None:
    """The statement of a call or assignment that does nothing else."""
    statement = statement_of(program, place.node)
    if isinstance(statement, ast.Expr):
        return statement if statement.value is place.node else None
    is_plain = isinstance(statement, ast.Assign) and len(statement.targets) == 1
    value = statement.value if isinstance(statement, ast.Assign) else None
    return statement if is_plain and isinstance(value, ast.Constant) else None


# -- a policy set again


def set_again(program: Program, cleared: Place, setter: Place, name: str) -> Offer:
    """The policy set again after a call, with the function that set it before."""
    statement = whole_statement(program, cleared)
    call = call_at(setter)
    if statement is None or call is None:
        return None, NOT_ALONE
    if key_of(program, setter) != CURRENT:
        return None, "the function that set the policy is not one of today"
    root = call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    names = names_of(program, cleared.module)
    imported = isinstance(root, ast.Name) and any(one.local == root.id for one in names.imports)
    if setter.module is not cleared.module or not imported:
        return None, "the function that set the policy has no name here"
    line = f'{source_of(setter.module, call.func)}("{name}")'
    return FixIntent(
        "Set the policy again",
        Applicability.SAFE,
        Effect.REPAIRS,
        lambda: (ModuleEdits(cleared.module, (InsertAfter(statement, line),)),),
    ), None


# -- a wrapped optimizer


def wrap_compiled(program: Program, compiled: Place, package: str) -> Offer:
    """A loss scale optimizer around the one that `compile` gets."""
    call = call_at(compiled)
    root = package_name(names_of(program, compiled.module), package)
    if call is None or root is None:
        return None, NO_NAME
    title, wrapper = "Wrap the optimizer for loss scaling", f"{root}.{WRAPPER}"
    keyword = next((one.value for one in call.keywords if one.arg == "optimizer"), None)
    given = keyword or next(iter(call.args), None)
    if isinstance(given, ast.Starred) or (given is None and any(one.arg is None for one in call.keywords)):
        return None, "which optimizer it is stands elsewhere"
    intent: Intent
    if given is None:
        intent = AddKeyword(call, "optimizer", f'{wrapper}({root}.optimizers.get("rmsprop"))')
    elif isinstance(given, ast.Constant):
        text = source_of(compiled.module, given)
        intent = ReplaceExpression(given, f"{wrapper}({root}.optimizers.get({text}))")
    else:
        intent = WrapExpression(given, f"{wrapper}(", ")")
    return unsafe(title, Effect.CHANGES_TRAINING, compiled.module, intent), None
