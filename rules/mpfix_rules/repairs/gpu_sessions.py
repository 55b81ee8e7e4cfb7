"""The repair of GPU options that are given to a session of TensorFlow 1."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from mpfix.frameworks.keys import canonical
from mpfix.frameworks.sessions import VainSession, is_growth
from mpfix.rewriting.edits import DeleteStatement, InsertAfter, ReplaceStatement
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Module
from mpfix_rules.repairs.places import block_of, is_inside, statement_of
from mpfix_rules.repairs.plan import Offer, Plan, Refused, planned
from mpfix_rules.repairs.update_places import tensorflow_name

SETTERS = frozenset({"keras.backend.set_session", "tensorflow.compat.v1.keras.backend.set_session"})


def grow_memory(program: Program, session: VainSession) -> Offer:
    """`set_memory_growth` for every GPU in place of the session and all that leads to it, or behind the imports."""

    def build(plan: Plan) -> None:
        if not is_growth(session.options):
            raise Refused("a share of the memory has no equal in `tf.config`: a limit in megabytes must be chosen")
        if session.occurrence.guard:
            raise Refused("the session is made on a condition")
        module = session.made.module
        statements = _statements(program, session)
        _check_alone(program, module, statements)
        tensorflow = tensorflow_name(module)
        code = (
            f'for gpu in {tensorflow}.config.list_physical_devices("GPU"):\n'
            f"    {tensorflow}.config.experimental.set_memory_growth(gpu, True)"
        )
        plan.is_unsafe = True
        plan.title = "Let the memory grow with `tf.config.experimental.set_memory_growth`"
        first, *others = statements
        place = ReplaceStatement(first, code) if session.used is None else InsertAfter(_last_import(module), code)
        gone = others if session.used is None else statements
        plan.add(module, place, *(DeleteStatement(one) for one in gone))

    return planned(program, build)


def _last_import(module: Module) -> ast.stmt:
    """The last of the imports that lead a module, TensorFlow's among them."""
    leading: list[ast.Import | ast.ImportFrom] = []
    for one in module.tree.body:
        if isinstance(one, (ast.Import, ast.ImportFrom)):
            leading.append(one)
        elif not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)):
            break
    if not any(alias.name == "tensorflow" for one in leading if isinstance(one, ast.Import) for alias in one.names):
        raise Refused("TensorFlow is not imported at the start of the file")
    return leading[-1]


def _statements(program: Program, session: VainSession) -> list[ast.stmt]:
    """The statements that serve the session, in the order of the text."""
    places = [session.made, session.occurrence.place, *(one.place for one in session.options)]
    if len({one.module for one in places}) != 1:
        raise Refused("the session and its options are made in several files")
    found = {statement_of(program, one.node) for one in places}
    found |= {statement_of(program, node) for node in _setters(program, session.made.module)}
    blocks = {block_of(program, one) for one in found}
    if len(blocks) != 1 or not all(isinstance(one, (ast.Assign, ast.Expr)) for one in found):
        raise Refused("the statements of the session do not stand together")
    return sorted(found, key=lambda one: one.lineno)


def _setters(program: Program, module: Module) -> Iterable[ast.AST]:
    for part in program.names:
        if part.module is module:
            for use in part.names.uses:
                if use.call is not None and canonical(use.qualified).name in SETTERS:
                    yield use.call


def _check_alone(program: Program, module: Module, statements: list[ast.stmt]) -> None:
    """Refuse where a name that the statements bind is read anywhere else."""
    names = {
        target.id
        for one in statements
        if isinstance(one, ast.Assign)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module.tree):
        read = node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else None
        if read in names and not any(is_inside(program, node, one) for one in statements):
            raise Refused(f"`{read}` is used elsewhere")
    targets = [target for one in statements if isinstance(one, ast.Assign) for target in one.targets]
    if any(not isinstance(one, ast.Name) and not _is_option(one) for one in targets):
        raise Refused("the session is kept in an attribute")


def _is_option(target: ast.expr) -> bool:
    return isinstance(target, ast.Attribute) and isinstance(target.value, ast.Attribute)
