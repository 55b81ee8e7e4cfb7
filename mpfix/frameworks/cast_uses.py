"""Where the result of a call goes in the text: whether inputs of layers and models are its only uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mpfix.frameworks.events import Cast, HalfInput
from mpfix.frameworks.layers import is_default
from mpfix.frameworks.policy_order import is_reached
from mpfix.frameworks.surroundings import FunctionNode, functions_by_module, scope_around, span
from mpfix.record import record
from mpfix.semantic.program import Case, Program, fact
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import NONE, Constant, Object, Record, Value

DEPTH = 4
"""How many functions a value is followed through."""


@record
class UselessCast:
    """A cast to half that only serves inputs which are cast again.

    `first` is what the first layer computes in, `policy` the one that decided, `built` where the model was made.
    """

    cast: Place
    case: Case[HalfInput]
    dtype: str
    first: str
    policy: Record
    built: Place
    is_float: bool


@fact
def useless_casts(program: Program) -> tuple[UselessCast, ...]:
    """Casts to half whose result goes into layers and models alone."""
    found = []
    for case in program.cases(HalfInput, "tensor.dtype", "tensor.cast at", "dtype", "policy"):
        cast, policy = case.at("tensor.cast at"), case.value("policy")
        if cast is None or not isinstance(policy, Record) or not _serves_inputs_only(program, cast):
            continue
        if is_default(policy) and not is_reached(program, case.occurrence):
            continue  # who calls it may set a policy
        event = case.event
        made = event.model if isinstance(event.model, Object) else event.layer
        is_float = _is_floating(event.tensor) or event.takes_integers
        found.append(
            UselessCast(cast, case, case.constant("tensor.dtype"), case.constant("dtype"), policy, made.place, is_float)
        )
    return tuple(found)


def _is_floating(tensor: Value) -> bool:
    before = tensor.get("cast from") if isinstance(tensor, Record) else NONE
    return isinstance(before, Constant) and before.value in ("float16", "bfloat16", "float32", "float64")


@fact
def input_calls(program: Program) -> frozenset[ast.AST]:
    """Calls of layers and models that get a tensor just cast to half."""
    return frozenset(occurrence.place.node for occurrence in program.happened(HalfInput))


def _serves_inputs_only(program: Program, cast: Place) -> bool:
    chains = {o.chain for o in program.happened(Cast) if o.place == cast}
    return bool(chains) and all(_goes_into_inputs(program, cast, chain, DEPTH) for chain in chains)


def _goes_into_inputs(program: Program, value: Place, chain: tuple[Place, ...], depth: int) -> bool:
    """Whether the value of an expression is used as the input of layers and models and in no other way."""
    parent = parents(program).get(value.module, {}).get(value.node)
    match parent:
        case ast.Call():
            return _is_input(program, value.module, parent, value.node, chain, depth)
        case ast.Assign(targets=[ast.Name() | ast.Attribute() as target]):
            return all(
                _goes_into_inputs(program, Place(value.module, read), chain, depth)
                for read in _reads_after(program, value, target)
            )
        case ast.Return() | ast.Lambda() if chain and depth:
            return _goes_into_inputs(program, chain[-1], chain[:-1], depth - 1)
    return False


def _is_input(
    program: Program, module: Module, call: ast.Call, argument: ast.AST, chain: tuple[Place, ...], depth: int
) -> bool:
    if call in input_calls(program):
        return call.args[:1] == [argument] or any(k.value is argument and k.arg == "inputs" for k in call.keywords)
    name = call.func.id if isinstance(call.func, ast.Name) else None
    functions = [one for one in functions_by_module(program).get(module, ()) if getattr(one, "name", "") == name]
    if len(functions) != 1 or argument not in call.args or not depth:
        return False
    parameter = _parameter(functions[0], call.args.index(argument))
    reads = _reads(functions[0], parameter) if parameter is not None else iter(())
    inner = (*chain, Place(module, call))
    return parameter is not None and all(
        _goes_into_inputs(program, Place(module, read), inner, depth - 1) for read in reads
    )


def _parameter(function: FunctionNode, position: int) -> str | None:
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    return names[position] if position < len(names) else None


def _reads_after(program: Program, value: Place, target: ast.Name | ast.Attribute) -> Iterator[ast.AST]:
    """The reads of a name, or of an attribute, behind the place where it gets the value."""
    name = target.id if isinstance(target, ast.Name) else f".{target.attr}"
    end = span(value.node)[1]
    return (read for read in _reads(scope_around(program, value), name) if span(read)[0] >= end)


def _reads(scope: ast.AST, name: str) -> Iterator[ast.AST]:
    for node in ast.walk(scope):
        own = f".{node.attr}" if isinstance(node, ast.Attribute) else getattr(node, "id", None)
        if own == name and isinstance(getattr(node, "ctx", None), ast.Load):
            yield node


@fact
def parents(program: Program) -> dict[Module, dict[ast.AST, ast.AST]]:
    """The node around each node."""
    return {
        module: {child: node for node in ast.walk(module.tree) for child in ast.iter_child_nodes(node)}
        for module in program.modules
    }
