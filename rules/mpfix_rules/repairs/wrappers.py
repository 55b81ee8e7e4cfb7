"""The wrapper around an optimizer, and other names of libraries that a repair needs in the text."""

from __future__ import annotations

import ast

from mpfix.rewriting.edits import EnsureImport, WrapExpression
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Module, Place
from mpfix_rules.repairs.places import source
from mpfix_rules.repairs.plan import Plan, Refused

WRAPPER = "LossScaleOptimizer"


def wrap_optimizer(plan: Plan, maker: Place) -> None:
    """A loss scale optimizer of the same package around the call that makes an optimizer."""
    assert isinstance(maker.node, ast.Call)
    wrapper = _wrapper(plan, maker.module, maker.node)
    plan.add(maker.module, WrapExpression(maker.node, f"{wrapper}(", ")"))


def _wrapper(plan: Plan, module: Module, call: ast.Call) -> str:
    text = source(module, call.func)
    path, found, _ = text.partition(".optimizers.")
    if found:
        return f"{path}.mixed_precision.{WRAPPER}"
    package = _package(plan.program, call)
    bound = bindings(module)
    for dotted, rest in (
        ("tensorflow", package.removeprefix("tensorflow") if package.startswith("tensorflow.") else None),
        (package, ""),
    ):
        name = next((name for name, target in bound.items() if target == dotted), None)
        if name is not None and rest is not None:
            return f"{name}{rest}.mixed_precision.{WRAPPER}"
    for dotted, rest in ((f"{package}.mixed_precision", f".{WRAPPER}"), (f"{package}.mixed_precision.{WRAPPER}", "")):
        name = next((name for name, target in bound.items() if target == dotted), None)
        if name is not None:
            return f"{name}{rest}"
    plan.add(module, EnsureImport(f"{package}.mixed_precision", WRAPPER))
    return WRAPPER


def _package(program: Program, call: ast.Call) -> str:
    """The Keras package that an optimizer comes from."""
    for module in program.names:
        for use in module.names.uses:
            if use.node is call.func and ".optimizers" in use.qualified:
                return use.qualified.partition(".optimizers")[0]
    raise Refused("the Keras package of the optimizer is not seen")


def bindings(module: Module) -> dict[str, str]:
    """Names that the module's imports bind, with what they are."""
    bound: dict[str, str] = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                bound[name] = alias.name if alias.asname else name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            bound.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return bound


def mean_in(plan: Plan, module: Module) -> str:
    """What averages a tensor in this module."""
    bound = bindings(module)
    tensorflow = next((name for name, target in bound.items() if target == "tensorflow"), None)
    if tensorflow is not None:
        return f"{tensorflow}.reduce_mean"
    keras = next((name for name, target in bound.items() if target in ("keras", "tensorflow.keras")), None)
    if keras is not None and not plan.is_for_keras_2:
        return f"{keras}.ops.mean"
    raise Refused("the module imports nothing that averages a tensor")
