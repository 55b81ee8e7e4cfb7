"""The names pass: which outside name every name and attribute chain of a module means.

One linear walk in program order over the whole tree, dead code and uncalled functions included. Scopes are Python's;
the bodies of functions are walked after the scope around them, so they see its names as it leaves them. Branches are
walked from the same start and their bindings united, so a name may have several meanings.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mpfix.semantic.scopes import LOCAL, Binding, Meanings, Scope, either

PublicNames = Callable[[str], Iterable[str]]
"""What `from MODULE import *` binds, as far as it is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Import:
    """One name of an import statement of an outside module."""

    qualified: str
    """`a.b` of `import a.b`, `a.b.c` of `from a.b import c`, `a.b` of `from a.b import *`."""
    local: str | None
    """The name it binds; None for a star."""
    statement: ast.Import | ast.ImportFrom
    alias: ast.alias


@dataclass(frozen=True, slots=True, eq=False)
class NameUse:
    """An outermost name or attribute chain that means an outside name; one node has a use for each of its meanings."""

    qualified: str
    node: ast.Name | ast.Attribute
    binding: Binding
    """What the leading name of the chain stands for."""
    call: ast.Call | None
    """The call whose function `node` is."""
    certain: bool
    """No other meaning of the leading name is a local value."""


@dataclass(frozen=True, slots=True)
class NamesResult:
    """What the names pass found, in the order of the text."""

    imports: tuple[Import, ...]
    uses: tuple[NameUse, ...]
    members: Mapping[str, ast.Attribute] = field(repr=False)
    """The first attribute access with each name on anything that is not an outside name: `model.fit`."""


def resolve_names(tree: ast.Module, public_names: PublicNames = lambda module: ()) -> NamesResult:
    """Walk a module once; linear in its size, without recursion."""
    walk = _Walk(public_names)
    walk.run(tree)
    walk.imports.sort(key=lambda found: _position(found.statement) + _position(found.alias))
    walk.uses.sort(key=lambda found: _position(found.node))
    return NamesResult(tuple(walk.imports), tuple(walk.uses), walk.members)


def dotted(node: ast.expr) -> tuple[ast.expr, list[str]]:
    """The expression that an attribute chain starts from, and the attributes in order."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    attributes.reverse()
    return node, attributes


Step = tuple[Callable[..., None], tuple[object, ...]]


class _Walk:
    """An explicit stack of nodes and steps; the top is done next."""

    def __init__(self, public_names: PublicNames) -> None:
        self.public_names = public_names
        self.imports: list[Import] = []
        self.uses: list[NameUse] = []
        self.members: dict[str, ast.Attribute] = {}
        self.scope = Scope(None)
        self.module_scope = self.scope
        self.stack: list[ast.AST | Step] = []
        self.deferred: list[tuple[Scope, list[ast.AST]]] = []

    def run(self, tree: ast.Module) -> None:
        self.push(tree.body)
        self.drain()
        while self.deferred:
            waiting, self.deferred = self.deferred, []
            for scope, nodes in waiting:
                self.scope = scope
                self.push(nodes)
                self.drain()

    def drain(self) -> None:
        stack, handlers = self.stack, HANDLERS
        while stack:
            top = stack.pop()
            if type(top) is tuple:
                top[0](*top[1])
                continue
            handler = handlers.get(type(top))
            if handler is not None:
                handler(self, top)
            else:
                self.push_children(top)  # type: ignore[arg-type]

    def push(self, items: Iterable[ast.AST | Step | None]) -> None:
        """Do `items` next, in their order."""
        self.stack.extend(item for item in reversed(list(items)) if item is not None)

    def push_children(self, node: ast.AST) -> None:
        found: list[ast.AST] = []
        for name in node._fields:
            value = getattr(node, name, None)
            if type(value) is list:
                found.extend(item for item in value if isinstance(item, ast.AST))
            elif isinstance(value, ast.AST) and value._fields:
                found.append(value)
        self.stack.extend(reversed(found))

    # -- names and chains

    def name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.scope.bind(node.id, LOCAL)
        elif isinstance(node.ctx, ast.Load):
            self.chain(node, None)

    def attribute(self, node: ast.Attribute) -> None:
        self.chain(node, None)

    def call(self, node: ast.Call) -> None:
        self.push([*node.args, *node.keywords])
        if isinstance(node.func, (ast.Name, ast.Attribute)):
            self.chain(node.func, node)
        else:
            self.stack.append(node.func)

    def chain(self, node: ast.Name | ast.Attribute, call: ast.Call | None) -> None:
        """Record what a chain means, or walk on into the expression that it starts from."""
        root, attributes = dotted(node)
        meanings = self.scope.look_up(root.id) if isinstance(root, ast.Name) else ()
        certain = None not in meanings
        seen: set[str] = set()
        for binding in meanings:
            if binding is not None and binding.qualified not in seen:
                seen.add(binding.qualified)
                qualified = ".".join((binding.qualified, *attributes))
                self.uses.append(NameUse(qualified, node, binding, call, certain))
        if not seen:
            self.note_members(node)
        if not isinstance(root, ast.Name):
            self.stack.append(root)

    def note_members(self, node: ast.expr) -> None:
        while isinstance(node, ast.Attribute):
            self.members.setdefault(node.attr, node)
            node = node.value

    # -- bindings

    def import_(self, node: ast.Import) -> None:
        for alias in node.names:
            local = alias.asname or alias.name.partition(".")[0]
            meant = alias.name if alias.asname else local
            self.imports.append(Import(alias.name, local, node, alias))
            self.scope.bind(local, (Binding(local, meant, node, alias),))

    def import_from(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            local = alias.asname or alias.name
            if node.level or node.module is None:
                if alias.name != "*":
                    self.scope.bind(local, LOCAL)
            elif alias.name == "*":
                self.imports.append(Import(node.module, None, node, alias))
                for name in self.public_names(node.module):
                    self.scope.bind(name, (Binding(name, f"{node.module}.{name}", node, alias),))
            else:
                qualified = f"{node.module}.{alias.name}"
                self.imports.append(Import(qualified, local, node, alias))
                self.scope.bind(local, (Binding(local, qualified, node, alias),))

    def assign(self, node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
        if node.value is None:
            self.push([annotation])
            return
        done = [(self.store, (target, node.value, node)) for target in targets]
        self.push([node.value, annotation, *done])

    def store(self, target: ast.expr, value: ast.expr, statement: ast.stmt | ast.expr) -> None:
        """`target = value`, whose names are done: a plain name may become an alias, a tuple is taken apart."""
        if isinstance(target, ast.Name):
            self.alias(target.id, value, statement)
        elif isinstance(target, (ast.Tuple, ast.List)):
            values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            starred = any(isinstance(item, ast.Starred) for item in [*values, *target.elts])
            pairs = len(values) == len(target.elts) and not starred
            for index, item in enumerate(target.elts):
                if pairs and isinstance(item, ast.Name):
                    self.alias(item.id, values[index], statement)
                else:
                    self.stack.append(item)
        else:
            self.stack.append(target)

    def alias(self, local: str, value: ast.expr, statement: ast.stmt | ast.expr) -> None:
        root, attributes = dotted(value)
        meanings: Meanings = LOCAL
        if isinstance(root, ast.Name):
            known = self.scope.look_up(root.id)
            meanings = (
                tuple(b and Binding(local, ".".join((b.qualified, *attributes)), statement, None) for b in known)
                or LOCAL
            )
        elif isinstance(value, ast.Constant) and value.value is None and self.scope.look_up(local):
            return
        self.scope.bind(local, meanings)

    # -- scopes

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.push([*node.decorator_list, *_outside_parts(node.args), node.returns])
        self.scope.bind(node.name, LOCAL)
        self.defer(node.args, list(node.body))

    def lambda_(self, node: ast.Lambda) -> None:
        self.push(_outside_parts(node.args))
        self.defer(node.args, [node.body])

    def defer(self, arguments: ast.arguments, body: list[ast.AST]) -> None:
        scope = Scope(self.scope)
        for argument in _parameters(arguments):
            scope.names[argument.arg] = LOCAL
        self.deferred.append((scope, body))

    def class_(self, node: ast.ClassDef) -> None:
        self.scope.bind(node.name, LOCAL)
        enter, leave = (self.enter, (True,)), (self.leave, ())
        self.push([*node.decorator_list, *node.bases, *node.keywords, enter, *node.body, leave])

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        parts: list[ast.expr] = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self.push([(self.enter, (False,)), *node.generators, *parts, (self.leave, ())])

    def generator(self, node: ast.comprehension) -> None:
        self.push([node.iter, node.target, *node.ifs])

    def enter(self, is_class: bool) -> None:
        self.scope = Scope(self.scope, is_class)

    def leave(self) -> None:
        assert self.scope.outer is not None
        self.scope = self.scope.outer

    def declare(self, node: ast.Global | ast.Nonlocal) -> None:
        for name in node.names:
            owner: Scope | None = self.module_scope
            if isinstance(node, ast.Nonlocal):
                owner = self.scope.outer
                while owner is not None and name not in owner.names:
                    owner = owner.outer
            if owner is not None and owner is not self.scope:
                self.scope.elsewhere[name] = owner

    # -- branches

    def if_(self, node: ast.If) -> None:
        """The whole `elif` ladder at once, so that its depth does not matter."""
        tests: list[ast.AST | Step] = []
        branches: list[list[ast.stmt]] = []
        orelse: list[ast.stmt] = [node]
        while len(orelse) == 1 and isinstance(orelse[0], ast.If):
            step = orelse[0]
            tests.append(step.test)
            branches.append(step.body)
            orelse = step.orelse
        self.push([*tests, *self.branches([*branches, orelse])])

    def loop(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        head = [node.test] if isinstance(node, ast.While) else [node.iter, node.target]
        self.push([*head, *self.branches([node.body, []]), *node.orelse])

    def try_(self, node: ast.Try) -> None:
        outcomes: list[dict[str, Meanings]] = []
        steps: list[ast.AST | Step] = [(self.branch, ()), *node.body, *node.orelse, (self.joined, (outcomes,))]
        for handler in node.handlers:
            steps += [(self.branch, ()), (self.resume, (outcomes,)), handler, (self.joined, (outcomes,))]
        self.push([*steps, (self.unite, (outcomes,)), *node.finalbody])

    def handler(self, node: ast.ExceptHandler) -> None:
        self.push([node.type, *node.body])
        if node.name:
            self.scope.bind(node.name, LOCAL)

    def match(self, node: ast.Match) -> None:
        outcomes: list[dict[str, Meanings]] = []
        steps: list[ast.AST | Step] = []
        for case in [*node.cases, None]:
            parts: list[ast.AST | None] = [] if case is None else [case.pattern, case.guard, *case.body]
            steps += [(self.branch, ()), *(part for part in parts if part), (self.joined, (outcomes,))]
        self.push([node.subject, *steps, (self.unite, (outcomes,))])

    def pattern(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self.scope.bind(node.name, LOCAL)
        if isinstance(node, ast.MatchAs) and node.pattern:
            self.stack.append(node.pattern)

    def branches(self, bodies: list[list[ast.stmt]]) -> list[ast.AST | Step]:
        """Steps that walk each body from the same start and unite what they bind."""
        outcomes: list[dict[str, Meanings]] = []
        steps: list[ast.AST | Step] = []
        for body in bodies:
            steps += [(self.branch, ()), *body, (self.joined, (outcomes,))]
        return [*steps, (self.unite, (outcomes,))]

    def branch(self) -> None:
        self.scope.logs.append({})

    def joined(self, outcomes: list[dict[str, Meanings]]) -> None:
        outcomes.append(self.scope.leave_branch())

    def resume(self, outcomes: list[dict[str, Meanings]]) -> None:
        """An `except` starts from anything that the `try` body may have bound."""
        for name, meanings in outcomes[0].items():
            self.scope.bind(name, either(self.scope.names.get(name, ()), meanings))

    def unite(self, outcomes: list[dict[str, Meanings]]) -> None:
        changed = dict.fromkeys(name for outcome in outcomes for name in outcome)
        for name in changed:
            before = self.scope.names.get(name, ())
            united: Meanings = ()
            for outcome in outcomes:
                united = either(united, outcome.get(name, before))
            self.scope.bind(name, united)


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [argument for argument in found if argument is not None]


def _outside_parts(arguments: ast.arguments) -> list[ast.expr | None]:
    """Defaults and annotations: they belong to the scope around the function."""
    return [*arguments.defaults, *arguments.kw_defaults, *(argument.annotation for argument in _parameters(arguments))]


def _position(node: ast.AST) -> tuple[int, int, int, int]:
    return (
        getattr(node, "lineno", 0),
        getattr(node, "col_offset", 0),
        getattr(node, "end_lineno", None) or 0,
        getattr(node, "end_col_offset", None) or 0,
    )


HANDLERS: dict[type, Callable[..., None]] = {
    ast.Name: _Walk.name,
    ast.Attribute: _Walk.attribute,
    ast.Call: _Walk.call,
    ast.Import: _Walk.import_,
    ast.ImportFrom: _Walk.import_from,
    ast.Assign: _Walk.assign,
    ast.AnnAssign: _Walk.assign,
    ast.NamedExpr: _Walk.assign,
    ast.FunctionDef: _Walk.function,
    ast.AsyncFunctionDef: _Walk.function,
    ast.Lambda: _Walk.lambda_,
    ast.ClassDef: _Walk.class_,
    ast.ListComp: _Walk.comprehension,
    ast.SetComp: _Walk.comprehension,
    ast.GeneratorExp: _Walk.comprehension,
    ast.DictComp: _Walk.comprehension,
    ast.comprehension: _Walk.generator,
    ast.Global: _Walk.declare,
    ast.Nonlocal: _Walk.declare,
    ast.If: _Walk.if_,
    ast.For: _Walk.loop,
    ast.AsyncFor: _Walk.loop,
    ast.While: _Walk.loop,
    ast.Try: _Walk.try_,
    ast.ExceptHandler: _Walk.handler,
    ast.Match: _Walk.match,
    ast.MatchAs: _Walk.pattern,
    ast.MatchStar: _Walk.pattern,
    ast.Constant: lambda walk, node: None,
}
if hasattr(ast, "TryStar"):
    HANDLERS[ast.TryStar] = _Walk.try_
