"""Eight ways to write the same program, made from any source, with a map from new places to old lines.

A disguise changes the syntax tree; the new text is printed from it and parsed again. Both trees have the same shape, so
that each node of the new text knows the line that its original stood on.
"""

from __future__ import annotations

import ast
import builtins
import copy
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

LIBRARIES = ("tensorflow", "keras", "tf_keras")
Position = tuple[int | None, int, int]
"""(notebook cell or None, row, column in code points), as reports count."""


@dataclass(frozen=True)
class Disguised:
    """The program in other words."""

    filename: str
    content: str
    origin: Callable[[Position], int | None]
    """The line of the original that a place of the new text comes from; None where the disguise made it up."""


def disguise(name: str, source: str) -> Disguised:
    """`source` in the disguise `name`, one of `DISGUISES`."""
    return _notebook(source) if name == "notebook" else _printed(TRANSFORMS[name](ast.parse(source)))


def aliases(tree: ast.Module) -> ast.Module:
    """Every import under another name; what a call names by a path of a library is imported from there."""
    tree = _FromImports(tree, star=False).apply()
    renamed = {
        alias.asname or alias.name: f"{alias.asname or alias.name}_alias"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and not _is_special(node)
        for alias in node.names
        if "." not in (alias.asname or alias.name)
    }
    for name in _bound_otherwise(tree):
        renamed.pop(name, None)
    return _Renamed(renamed).visit(tree)  # type: ignore[no-any-return]


def star(tree: ast.Module) -> ast.Module:
    """Star imports of the modules that names of a library come from, but for those that would hide other names."""
    if any(_is_rival(node) for node in tree.body):
        return tree
    tree = _FromImports(tree, star=True).apply()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and _is_starred(node.module) and _keep_their_names(node):
            node.names = [ast.alias("*")]
    return tree


def main(tree: ast.Module) -> ast.Module:
    """The body in `main()` behind a guard; imports and plain constants stay outside."""
    outside, inside = _parted(tree)
    bound = {name for node in _own_nodes(ast.Module(inside, [])) for name in _stored(node)}
    _Nonlocals(bound).visit(ast.Module(inside, []))
    function = _function("main", inside)
    return ast.Module([*outside, function, *_made('if __name__ == "__main__":\n    main()\n')], [])


def inside_class(tree: ast.Module) -> ast.Module:
    """The body in a method, its variables as attributes of `self`."""
    outside, inside = _parted(tree)
    receiver = "runner" if "self" in {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)} else "self"
    names = _plain_targets(inside)
    rename = _Attributes(names, receiver)
    body = [rename.visit(statement) for statement in inside]
    method = _function("run", body, ast.arguments([], [ast.arg(receiver)], None, [], [], None, []))
    cls = ast.ClassDef("Run", [], [], [method], [], **_type_params())
    return ast.Module([*outside, cls, *_made("Run().run()")], [])


def helpers(tree: ast.Module) -> ast.Module:
    """Every call of a library, and of a method, in a function of its own."""
    transform = _Helpers(tree)
    body = [transform.visit(statement) for statement in tree.body]
    at = next((index for index, node in enumerate(body) if not _is_leading(node)), len(body))
    return ast.Module([*body[:at], *transform.functions, *body[at:]], [])


def arguments(tree: ast.Module) -> ast.Module:
    """Keyword arguments in a dictionary, given as `**`: named in the line above where that changes no order."""
    body = _Dictionaries().visit(tree).body
    return ast.Module(body, [])


def opaque(tree: ast.Module) -> ast.Module:
    """Every step behind one flag that nobody knows."""
    flag = _free_name(tree, ("args", "options", "cli_options"))
    outside, _ = _parted(tree)
    parse = _made(f"import argparse\n{flag} = argparse.ArgumentParser().parse_args()")
    steps: list[ast.stmt] = []
    placed = False
    for node in tree.body:
        if _is_definition(node) or any(node is other for other in outside):
            steps.append(node)
            continue
        if not placed:
            steps += parse
            placed = True
        test = ast.Attribute(ast.Name(flag, ast.Load()), "amp", ast.Load())
        steps.append(ast.If(test, [node], []))
    return ast.Module(steps, [])


TRANSFORMS: dict[str, Callable[[ast.Module], ast.Module]] = {
    "aliases": aliases,
    "star": star,
    "main": main,
    "class": inside_class,
    "helpers": helpers,
    "arguments": arguments,
    "opaque": opaque,
}
DISGUISES = (*TRANSFORMS, "notebook")


def _notebook(source: str) -> Disguised:
    """Every statement in a cell of its own, text and comments as they are, after a cell with a magic."""
    lines = source.splitlines()
    starts = [_first_line(node) for node in ast.parse(source).body]
    # several statements on one line stay in one cell
    starts = sorted(set(starts))
    ends = [*(start - 1 for start in starts[1:]), len(lines)]
    texts = ["%matplotlib inline", *("\n".join(lines[a - 1 : b]).rstrip() for a, b in zip(starts, ends, strict=True))]
    cells = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": text} for text in texts
    ]
    notebook = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 4}

    def origin(position: Position) -> int | None:
        cell, row, _ = position
        return starts[cell - 2] + row - 1 if cell is not None and cell >= 2 else None

    return Disguised("train.ipynb", json.dumps(notebook, indent=1), origin)


def _printed(tree: ast.Module) -> Disguised:
    text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree))) + "\n"
    lines = text.split("\n")
    places: dict[tuple[int, int], int] = {}
    for old, new in zip(_in_order(tree), _in_order(ast.parse(text)), strict=True):
        assert type(old) is type(new), f"{type(old).__name__} was printed as {type(new).__name__}"
        line = getattr(old, "lineno", None)
        if line is not None and hasattr(new, "lineno"):
            column = len(lines[new.lineno - 1].encode()[: new.col_offset].decode()) + 1
            # the outermost node that starts here is the one that a report names
            places.setdefault((new.lineno, column), line)
    return Disguised("train.py", text, lambda position: places.get(position[1:]))


def _in_order(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes in the order of their fields, the same for trees of one shape; contexts and empty texts left out."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr_context):
            yield node


class _Renamed(ast.NodeTransformer):
    """Imported names under other names."""

    def __init__(self, renamed: dict[str, str]) -> None:
        self.renamed = renamed

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.renamed.get(node.id, node.id)
        return node

    def visit_alias(self, node: ast.alias) -> ast.AST:
        bound = node.asname or node.name
        if bound in self.renamed and "." not in bound:
            node.asname = self.renamed[bound]
        return node


class _FromImports:
    """`keras.layers.Dense` becomes `Dense`, imported from `keras.layers`."""

    def __init__(self, tree: ast.Module, *, star: bool) -> None:
        self.tree = tree
        self.star = star
        self.modules = {
            alias.asname or alias.name: _module_of(node, alias)
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
            if _is_library(_module_of(node, alias)) and (alias.asname or "." not in alias.name)
        }
        for name in _bound_otherwise(tree):
            self.modules.pop(name, None)
        self.taken = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | set(dir(builtins))
        self.wanted: dict[tuple[str, str], str] = {}

    def apply(self) -> ast.Module:
        optional = {
            id(inner) for node in ast.walk(self.tree) if isinstance(node, _OPTIONAL) for inner in ast.walk(node)
        }
        for node in ast.walk(self.tree):
            # what runs only sometimes may name what is not there: importing it would fail
            if isinstance(node, ast.Call) and id(node) not in optional:
                node.func = self._short(node.func)
        made = [self._import(module, name, bound) for (module, name), bound in self.wanted.items()]
        # behind the last import at the top: a legacy switch in the environment must come before
        indexes = [i for i, node in enumerate(self.tree.body) if isinstance(node, ast.Import | ast.ImportFrom)]
        at = indexes[-1] + 1 if indexes else 0
        self.tree.body[at:at] = _unique(made)
        return self.tree

    def _import(self, module: str, name: str, bound: str) -> ast.ImportFrom:
        alias = ast.alias("*") if self.star else ast.alias(name, None if bound == name else bound)
        return ast.ImportFrom(module, [alias], 0)

    def _short(self, function: ast.expr) -> ast.expr:
        parts = _chain(function)
        if (
            len(parts) < 3
            or parts[0] not in self.modules
            or "experimental" in parts
            or any(part[:1].isupper() for part in parts[1:-1])
        ):
            return function
        module = ".".join([self.modules[parts[0]], *parts[1:-1]])
        name = parts[-1]
        if self.star and not _is_starred(module):
            return function
        if name in self.taken and (module, name) not in self.wanted:
            return function
        if any(other == name and where != module for where, other in self.wanted):
            return function
        self.wanted[module, name] = name
        return ast.copy_location(ast.Name(name, ast.Load()), function)


_OPTIONAL = (ast.If, ast.IfExp, ast.Try)


class _Nonlocals(ast.NodeTransformer):
    """What was global, and is bound in `main` now, is a variable of `main`."""

    def __init__(self, bound: set[str]) -> None:
        self.bound = bound

    def visit_Global(self, node: ast.Global) -> ast.AST:
        moved = self.bound.issuperset(node.names)
        return ast.copy_location(ast.Nonlocal(node.names), node) if moved else node


class _Attributes(ast.NodeTransformer):
    """Variables of the module as attributes of the receiver, where no function has its own of that name."""

    def __init__(self, names: frozenset[str], receiver: str) -> None:
        self.names = names
        self.receiver = receiver

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.names:
            return node
        return ast.copy_location(ast.Attribute(ast.Name(self.receiver, ast.Load()), node.id, node.ctx), node)

    def visit_Global(self, node: ast.Global) -> ast.AST:
        kept = [name for name in node.names if name not in self.names]
        return ast.copy_location(ast.Global(kept) if kept else ast.Pass(), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._scoped(node, _own_names(node))

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._scoped(node, _own_names(node))

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return self._scoped(node, {argument.arg for argument in _arguments(node.args)})

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        return self._scoped(node, _comprehension_names(node))

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        return self._scoped(node, _comprehension_names(node))

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        return self._scoped(node, _comprehension_names(node))

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        return self._scoped(node, _comprehension_names(node))

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        own = {name for statement in node.body for inner in ast.walk(statement) for name in _stored(inner)}
        node.bases = [self.visit(base) for base in node.bases]
        methods = (ast.FunctionDef, ast.AsyncFunctionDef)
        # methods do not see the names of their class
        node.body = [self.visit(s) if isinstance(s, methods) else self._scoped(s, own) for s in node.body]
        return node

    def _scoped(self, node: ast.AST, own: set[str]) -> ast.AST:
        outer, self.names = self.names, self.names - own
        self.generic_visit(node)
        self.names = outer
        return node


class _Helpers(ast.NodeTransformer):
    """Calls in functions of their own; what is called and given comes in as arguments."""

    def __init__(self, tree: ast.Module) -> None:
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        self.imported = {(alias.asname or alias.name).split(".")[0] for node in imports for alias in node.names}
        self.imported -= _bound_otherwise(tree)
        self.functions: list[ast.stmt] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        # bases and decorators are no steps of the program
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        chain = _chain(node.func)
        self.generic_visit(node)
        if any(isinstance(argument, ast.Starred) for argument in node.args) or any(not k.arg for k in node.keywords):
            return node
        if chain and chain[0] in self.imported:
            return self._through(node, node.func, None)
        is_method = isinstance(node.func, ast.Attribute) and not _is_super(node.func.value)
        return self._through(node, node.func, "receiver") if is_method else node

    def _through(self, node: ast.Call, function: ast.expr, receiver: str | None) -> ast.AST:
        name = f"call_{len(self.functions) + 1}"
        positional = [f"value_{number}" for number in range(len(node.args))]
        keywords = [keyword.arg or "" for keyword in node.keywords]
        given = list(node.args)
        called: ast.expr = copy.deepcopy(function)
        if receiver is not None and isinstance(function, ast.Attribute):
            called = ast.copy_location(
                ast.Attribute(ast.Name(receiver, ast.Load()), function.attr, ast.Load()), function
            )
            given.insert(0, function.value)
        inner = ast.Call(
            called,
            [ast.Name(argument, ast.Load()) for argument in positional],
            [ast.keyword(keyword, ast.Name(keyword, ast.Load())) for keyword in keywords],
        )
        ast.copy_location(inner, node)
        parameters = [*([receiver] if receiver else []), *positional]
        signature = ast.arguments(
            [], [ast.arg(name) for name in parameters], None, [ast.arg(name) for name in keywords],
            [None] * len(keywords), None, [],
        )  # fmt: skip
        returned = ast.copy_location(ast.Return(inner), node)
        self.functions.append(_function(name, [returned], signature))
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), given, node.keywords), node)


class _Dictionaries(ast.NodeTransformer):
    """Keyword arguments as `**`."""

    def __init__(self) -> None:
        self.count = 0
        self.above: list[ast.stmt] | None = None

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not node.keywords or any(keyword.arg is None for keyword in node.keywords):
            return node
        keys: list[ast.expr | None] = [ast.Constant(keyword.arg) for keyword in node.keywords]
        values = [keyword.value for keyword in node.keywords]
        dictionary: ast.expr = ast.Dict(keys, values)
        if self.above is not None and all(isinstance(value, ast.Constant) for value in values):
            self.count += 1
            name = f"keywords_{self.count}"
            self.above.append(ast.Assign([ast.Name(name, ast.Store())], dictionary))
            dictionary = ast.Name(name, ast.Load())
        node.keywords = [ast.keyword(None, dictionary)]
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                setattr(node, field, [made for statement in block for made in self._statement(statement)])
        rest = ast.NodeTransformer.generic_visit
        if isinstance(
            node, ast.mod | ast.If | ast.For | ast.While | ast.With | ast.Try | ast.FunctionDef | ast.ClassDef
        ):
            return self._header(node)
        return rest(self, node)

    def _header(self, node: ast.AST) -> ast.AST:
        """The expressions of a header; a class keeps its own keywords."""
        outer, self.above = self.above, None
        for field, value in ast.iter_fields(node):
            if field in {"test", "iter"} and isinstance(value, ast.expr):
                setattr(node, field, self.visit(value))
            elif field in {"items", "handlers", "cases"}:
                setattr(node, field, [self.visit(item) for item in value])
        self.above = outer
        return node

    def _statement(self, statement: ast.stmt) -> list[ast.stmt]:
        outer, self.above = self.above, []
        made = self.visit(statement)
        above, self.above = self.above, outer
        return [*above, made]

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return node


_COMPOUND = (
    *(ast.Module, ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.ExceptHandler),
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Match, ast.match_case),
)


def _parted(tree: ast.Module) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """(imports and plain constants at the top, which mean the same anywhere; everything else)."""
    bound = [name for node in ast.walk(tree) for name in _stored(node)]
    outside = [node for node in tree.body if _is_fixed(node, bound)]
    return outside, [node for node in tree.body if not any(node is other for other in outside)]


def _is_fixed(node: ast.stmt, bound: list[str]) -> bool:
    """An import, or the only assignment of a constant or of an environment variable: a switch stays one."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
        return ast.unparse(node).startswith("os.environ[")
    once = bound.count(node.targets[0].id) == 1
    is_environment = ast.unparse(node.value).startswith(("os.environ", "os.getenv"))
    return once and (isinstance(node.value, ast.Constant) or is_environment)


def _plain_targets(body: Iterable[ast.stmt]) -> frozenset[str]:
    """Names that statements of a block assign, and nothing else binds."""
    assigned: set[str] = set()
    other: set[str] = set()
    for node in _own_nodes(ast.Module(list(body), [])):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            assigned |= {name for target in targets for name in _stored_in(target)}
        elif isinstance(node, ast.For | ast.AsyncFor):
            other |= _stored_in(node.target)
        elif isinstance(node, ast.With | ast.AsyncWith):
            other |= {name for item in node.items if item.optional_vars for name in _stored_in(item.optional_vars)}
        elif isinstance(node, ast.NamedExpr):
            other |= _stored_in(node.target)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            other.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            other |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            other.add(node.name)
    return frozenset(assigned - other)


def _own_nodes(root: ast.AST) -> Iterator[ast.AST]:
    """Nodes of one scope: functions and classes are not entered."""
    stack = list(ast.iter_child_nodes(root))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            stack += ast.iter_child_nodes(node)


def _own_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Names that are local to a function."""
    nodes = list(_own_nodes(function))
    outer = {name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    bound = {name for node in nodes for name in _stored(node)} | {
        argument.arg for argument in _arguments(function.args)
    }
    return bound - outer


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    several = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*several, *(one for one in (arguments.vararg, arguments.kwarg) if one is not None)]


def _comprehension_names(node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> set[str]:
    return {name for generator in node.generators for name in _stored_in(generator.target)}


def _stored_in(target: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _stored(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return [node.id]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    return []


def _bound_otherwise(tree: ast.Module) -> set[str]:
    """Names that something else than an import at the top of the module binds: a rename would mix them up."""
    names = {name for node in ast.walk(tree) for name in _stored(node)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names |= {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    top = {id(node) for node in tree.body}
    inner = (n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) and id(n) not in top)
    return names | {(alias.asname or alias.name).split(".")[0] for node in inner for alias in node.names}


def _chain(node: ast.expr) -> list[str]:
    """`["keras", "layers", "Dense"]`; empty for anything but names and attributes."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def _module_of(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    return alias.name if isinstance(node, ast.Import) else f"{'.' * node.level}{node.module or ''}.{alias.name}"


def _is_library(module: str | None) -> bool:
    return (module or "").split(".")[0] in LIBRARIES


def _is_starred(module: str | None) -> bool:
    """Whether a star import of the module brings public names, and hides no builtin as `range` of TensorFlow does."""
    parts = (module or "").split(".")
    hides_builtins = parts[-1] in {"tensorflow", "ops", "math", "numpy", "backend"}
    is_public = not {"python", "experimental", "src", "api"} & set(parts)
    return _is_library(module) and is_public and not hides_builtins


def _is_rival(node: ast.stmt) -> bool:
    """Whether an import from elsewhere binds a class, which a star import might hide."""
    from_elsewhere = isinstance(node, ast.ImportFrom) and not _is_library(node.module)
    return from_elsewhere and any((alias.asname or alias.name)[:1].isupper() for alias in node.names)


def _is_special(node: ast.Import | ast.ImportFrom) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module == "__future__" or node.names[0].name == "*")


def _keep_their_names(node: ast.ImportFrom) -> bool:
    return all(alias.asname in (None, alias.name) for alias in node.names)


def _is_leading(node: ast.stmt) -> bool:
    """Whether nothing may stand in front of a statement: imports and the docstring."""
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or isinstance(node, ast.Import | ast.ImportFrom)


def _is_definition(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _free_name(tree: ast.Module, candidates: tuple[str, ...]) -> str:
    taken = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return next((name for name in candidates if name not in taken), candidates[-1])


def _function(name: str, body: list[ast.stmt], arguments: ast.arguments | None = None) -> ast.FunctionDef:
    empty = ast.arguments([], [], None, [], [], None, [])
    return ast.FunctionDef(name, arguments or empty, body or [ast.Pass()], [], None, None, **_type_params())


def _type_params() -> dict[str, list[ast.AST]]:
    return {"type_params": []} if "type_params" in ast.FunctionDef._fields else {}


def _made(source: str) -> list[ast.stmt]:
    """Statements that stand nowhere in the original."""
    body = ast.parse(source).body
    for node in (inner for statement in body for inner in ast.walk(statement)):
        for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
            node.__dict__.pop(name, None)
    return body


def _unique(nodes: list[ast.ImportFrom]) -> list[ast.ImportFrom]:
    return list({ast.unparse(node): node for node in nodes}.values())
