"""An update and its window in the text: statements, tests, names, and whether a name means the same elsewhere."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from mpfix.frameworks.windows import Update
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Module, Place
from mpfix_rules.repairs.places import Function, block_of, function_of, is_path, names_in, parents, source, statement_of
from mpfix_rules.repairs.plan import Refused
from mpfix_rules.repairs.wrappers import bindings

Loop = ast.For | ast.AsyncFor | ast.While


@dataclass(frozen=True)
class Window:
    """The `if` of a window, with the expression of its length."""

    branch: ast.If
    length: ast.expr


def applied_parts(call: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """The gradients and the variables in a call that applies them."""
    if not isinstance(call, ast.Call) or not call.args:
        return None
    first = call.args[0]
    if isinstance(call.func, ast.Attribute) and call.func.attr == "apply" and len(call.args) == 2:
        return first, call.args[1]
    for node in ast.walk(first):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "zip":
            return (node.args[0], node.args[1]) if len(node.args) == 2 else None
    return None


def plain_statement(program: Program, node: ast.AST, what: str) -> ast.Expr:
    """The statement that is a call and nothing else."""
    statement = statement_of(program, node)
    if not isinstance(statement, ast.Expr) or statement.value is not node:
        raise Refused(f"{what} is a part of a longer statement")
    return statement


def window_around(program: Program, node: ast.AST) -> Window | None:
    """The nearest `if` around a node, in its function, that tests a window alone."""
    scope = function_of(program, node)
    while node is not scope and node in parents(program):
        inner, node = node, parents(program)[node]
        if isinstance(node, ast.If) and any(inner is one for one in node.body):
            length = _length(node.test)
            if length is not None:
                return Window(node, length)
    return None


def _length(test: ast.expr) -> ast.expr | None:
    """`n` of `(step + 1) % n == 0` and its like, or of `count == n`."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _divisor(test.operand)
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    sides = (test.left, test.comparators[0])
    found = next((one for one in map(_divisor, sides) if one is not None), None)
    if found is not None or not isinstance(test.ops[0], (ast.Eq, ast.GtE)):
        return found
    return sides[1] if is_path(sides[0]) and (is_path(sides[1]) or isinstance(sides[1], ast.Constant)) else None


def _divisor(node: ast.expr) -> ast.expr | None:
    found = [one.right for one in ast.walk(node) if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mod)]
    return found[0] if len(found) == 1 and isinstance(found[0], (ast.Name, ast.Attribute, ast.Constant)) else None


def loop_around(program: Program, update: Update) -> Loop:
    """The innermost loop of an update, as a statement of the text."""
    node = update.loop.place.node if update.loop is not None else None
    if not isinstance(node, (ast.For, ast.AsyncFor, ast.While)) or node not in parents(program):
        raise Refused("the loop over the micro batches is not in the text")
    return node


def outermost(program: Program, loop: Loop) -> Loop:
    """The outermost loop of the same function around a loop."""
    found, node = loop, parents(program)[loop]
    while not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module, ast.ClassDef)):
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            found = node
        node = parents(program)[node]
    return found


def stands_in(program: Program, statement: ast.stmt, owner: ast.AST) -> bool:
    """Whether a statement stands directly in the body of a loop, branch or function."""
    return block_of(program, statement) == (owner, "body")


# -- names


def root(path: ast.AST) -> str:
    """The name that a chain of attributes begins with."""
    while isinstance(path, ast.Attribute):
        path = path.value
    return path.id if isinstance(path, ast.Name) else ""


def binding_scope(program: Program, name: str, node: ast.AST) -> ast.AST | None:
    """The function or module whose variable a name is at a node; None where it is bound nowhere."""
    scope = node if isinstance(node, ast.Module) else function_of(program, node)
    while True:
        if name in _bound_in(scope):
            return scope
        if isinstance(scope, ast.Module):
            return None
        scope = function_of(program, scope)


def _bound_in(scope: ast.AST) -> set[str]:
    """Names that a function or module binds itself."""
    found: set[str] = set()
    if isinstance(scope, Function):
        spec = scope.args
        every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
        found = {one.arg for one in every if one is not None}
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif not isinstance(node, ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def means_the_same(program: Program, path: ast.AST, there: ast.AST) -> bool:
    """Whether a name or attribute chain means the same at another node."""
    name = root(path)
    here = binding_scope(program, name, path)
    return is_path(path) and here is not None and here is binding_scope(program, name, there)


def free_name(module: Module, *candidates: str) -> str:
    """The first of some names that the module does not use yet, else the first with a number."""
    defined = {node.name for node in ast.walk(module.tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    taken = names_in(module) | defined
    found = next((name for name in candidates if name not in taken), None)
    return found or next(f"{candidates[0]}_{n}" for n in range(2, 99) if f"{candidates[0]}_{n}" not in taken)


def tensorflow_name(module: Module) -> str:
    """What the module calls TensorFlow."""
    found = next((name for name, target in bindings(module).items() if target == "tensorflow"), None)
    if found is None:
        raise Refused("the module does not import tensorflow")
    return found


def statement_source(place: Place, statement: ast.stmt) -> str:
    """The text of a statement, its further lines as if it stood at the left margin."""
    text = source(place.module, statement)
    first, *rest = text.split("\n")
    indent = " " * statement.col_offset
    return "\n".join([first, *(line.removeprefix(indent) for line in rest)])
