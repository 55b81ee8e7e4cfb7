"""Removed names of mixed precision in one module: where they stand, and the edits that write today's names."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from mpfix.frameworks.keys import canonical
from mpfix.frameworks.moves import Removed, removed
from mpfix.frameworks.releases import asks_for_release, catches_missing, needs_first_releases
from mpfix.rewriting.edits import AddKeyword, Intent, RemoveArgument, ReplaceExpression, ReplaceStatement
from mpfix.semantic.names import Import, NamesResult, NameUse, dotted
from mpfix.semantic.syntax import Module, Place

MODULE = "keras.mixed_precision"
POLICY = "keras.mixed_precision.Policy"
WRAPPER = "keras.mixed_precision.LossScaleOptimizer"
DYNAMIC = ("dynamic", "auto")
"""Values of `loss_scale` that say what is the default today."""


class Unrepairable(Exception):
    """Why the names of a module cannot be brought up to date; its text is for people."""


@dataclass(frozen=True)
class MovedNames:
    """What a module says with removed names."""

    module: Module
    names: NamesResult

    @cached_property
    def imports(self) -> tuple[tuple[Import, Removed], ...]:
        """Imports that fail today, without those that a fallback or a version test expects to fail."""
        if self._is_old_enough:
            return ()
        found = ((item, removed(item.qualified)) for item in self.names.imports)
        return tuple((item, gone) for item, gone in found if gone and not self._is_expected(item.statement, gone))

    @cached_property
    def uses(self) -> tuple[tuple[NameUse, Removed], ...]:
        """Uses of removed names, one for each node: whatever else their leading name may mean, it is gone too."""
        if self._is_old_enough:
            return ()
        broken = {id(item.alias) for item, _ in self.imports}
        by_node: dict[int, list[tuple[NameUse, Removed | None]]] = {}
        for use in self.names.uses:
            by_node.setdefault(id(use.node), []).append((use, removed(use.qualified)))
        found = []
        for meanings in by_node.values():
            use, gone = meanings[0]
            if gone is None or not use.certain or not all(other for _, other in meanings):
                continue
            if id(use.binding.alias) in broken or not self._is_expected(use.node, gone):
                found.append((use, gone))
        return tuple(found)

    @cached_property
    def policies(self) -> tuple[ast.Call, ...]:
        """Calls of today's `Policy` with the argument `loss_scale`, which it no longer has."""
        if self._is_old_enough:
            return ()
        calls = (use.call for use in self.names.uses if use.certain and canonical(use.qualified).name == POLICY)
        return tuple(call for call in calls if call is not None and _keyword(call, "loss_scale") is not None)

    @property
    def trains_in_graphs(self) -> bool:
        """Whether the module trains as TensorFlow 1 does, by names that TensorFlow 2 has as well."""
        return any(use.qualified.startswith("tensorflow.compat.v1.train.") for use in self.names.uses)

    def is_type_test(self, node: ast.AST) -> bool:
        """Whether `node` is what an `isinstance` or `issubclass` compares with, or what a type is compared to."""
        child, parent = node, self._parents.get(node)
        while isinstance(parent, (ast.Tuple, ast.BinOp)):
            child, parent = parent, self._parents.get(parent)
        if isinstance(parent, ast.Call):
            is_builtin = isinstance(parent.func, ast.Name) and parent.func.id in ("isinstance", "issubclass")
            return is_builtin and child in parent.args[1:]
        return isinstance(parent, ast.Compare) and any(_is_type(one) for one in (parent.left, *parent.comparators))

    def removed_import(self, use: NameUse) -> Place | None:
        """The import that gives the leading name of a use, where it imports what was removed."""
        return None if removed(use.binding.qualified) is None else Place(self.module, use.binding.statement)

    def edits(self) -> tuple[Intent, ...]:
        """Everything that the module needs to use today's names.

        Raises:
            Unrepairable: something has no equal today, or its meaning is only known at run time.
        """
        stable = [(use, gone) for use, gone in self.uses if gone.move.old.startswith("keras.")]
        imports = [(item, gone) for item, gone in self.imports if gone.move.old.startswith("keras.")]
        locals_ = {id(item.alias): self._new_local(item, gone) for item, gone in imports}
        intents: list[Intent] = list(self._import_edits(imports, locals_))
        for use, gone in stable:
            text = self._new_text(use, gone, locals_)
            if text != ast.unparse(use.node):
                intents.append(ReplaceExpression(use.node, text))
            if use.call is not None and gone.move.scale_argument is not None and not gone.tail:
                intents.extend(self._argument_edits(use.call, gone))
        intents.extend(edit for call in self.policies for edit in self._scale_edits(call, POLICY))
        return tuple(intents)

    # -- where a removed name is expected to be missing

    @cached_property
    def _is_old_enough(self) -> bool:
        """Whether the module runs on TensorFlow 1 alone, which has the names."""
        return needs_first_releases(self.module)

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return {child: parent for parent in ast.walk(self.module.tree) for child in ast.iter_child_nodes(parent)}

    @cached_property
    def _current(self) -> tuple[tuple[int, str], ...]:
        """Lines that use or import today's names, with the canonical name."""
        nodes: list[tuple[str, ast.expr | ast.stmt]] = [(use.qualified, use.node) for use in self.names.uses]
        nodes += [(item.qualified, item.statement) for item in self.names.imports]
        return tuple(
            (node.lineno, canonical(qualified).name)
            for qualified, node in nodes
            if "mixed_precision" in qualified and removed(qualified) is None
        )

    def _is_expected(self, node: ast.AST, gone: Removed) -> bool:
        """Whether the code around asks for the version, or has today's names as the other way."""
        child, parent = node, self._parents.get(node)
        while parent is not None:
            if isinstance(parent, ast.If) and child is not parent.test:
                other = parent.orelse if child in parent.body else parent.body
                if asks_for_release(parent.test) or self._has_current(other, gone.move.new):
                    return True
            elif isinstance(parent, ast.IfExp) and child is not parent.test:
                if asks_for_release(parent.test):
                    return True
            elif isinstance(parent, ast.Try) and self._has_other_way(parent, child):
                return True
            child, parent = parent, self._parents.get(parent)
        return False

    def _has_other_way(self, node: ast.Try, child: ast.AST) -> bool:
        handlers = [handler for handler in node.handlers if catches_missing(handler)]
        if child in handlers:
            return self._has_current(node.body)
        return child in node.body and self._has_current(handlers)

    def _has_current(self, nodes: Sequence[ast.stmt | ast.ExceptHandler], name: str | None = None) -> bool:
        """Whether today's names, or just `name`, stand in one of `nodes`."""
        spans = [(node.lineno, node.end_lineno or node.lineno) for node in nodes]
        return any(
            first <= line <= last and found.startswith("keras.mixed_precision") and (name is None or found == name)
            for line, found in self._current
            for first, last in spans
        )

    # -- imports

    def _new_local(self, item: Import, gone: Removed) -> str:
        """The name that the import binds once it is rewritten."""
        new = _replacement(gone)
        if isinstance(item.statement, ast.Import):
            return item.alias.asname or item.alias.name.partition(".")[0]
        if item.alias.asname:
            return item.alias.asname
        last = new.rpartition(".")[2]
        is_free = last == item.alias.name or (last not in self._known_names and self._is_only_meaning(item))
        return last if is_free else item.alias.name

    @cached_property
    def _known_names(self) -> frozenset[str]:
        """Every name that the module binds or reads."""
        found: set[str] = set()
        for node in ast.walk(self.module.tree):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, (ast.Global, ast.Nonlocal)):
                found.update(node.names)
        return frozenset(found | {item.local for item in self.names.imports if item.local})

    def _is_only_meaning(self, item: Import) -> bool:
        """Whether every use of the import's name in the module is a known one of this import or its equals."""
        known = {id(dotted(use.node)[0]) for use, _ in self.uses}
        nodes = (node for node in ast.walk(self.module.tree) if isinstance(node, ast.Name) and node.id == item.local)
        return all(id(node) in known for node in nodes)

    def _import_edits(self, imports: list[tuple[Import, Removed]], new_locals: dict[int, str]) -> Iterator[Intent]:
        by_statement: dict[int, list[tuple[Import, Removed]]] = {}
        for item, gone in imports:
            by_statement.setdefault(id(item.statement), []).append((item, gone))
        for found in by_statement.values():
            statement = found[0][0].statement
            gone_aliases = {id(item.alias) for item, _ in found}
            kept = [alias for alias in statement.names if id(alias) not in gone_aliases]
            lines = [_import_text(statement, kept)] if kept else []
            lines += _joined(_new_import(item, gone, new_locals[id(item.alias)]) for item, gone in found)
            yield ReplaceStatement(statement, "\n".join(lines))

    # -- uses

    def _new_text(self, use: NameUse, gone: Removed, new_locals: dict[int, str]) -> str:
        """How the use is written once the imports are."""
        new = _replacement(gone).split(".")
        root, attributes = dotted(use.node)
        assert isinstance(root, ast.Name)
        bound = removed(use.binding.qualified)
        if bound is None:
            return _through_package(use, root.id, attributes, new, gone.tail)
        if use.binding.alias is not None and id(use.binding.alias) not in new_locals:
            raise Unrepairable(f"`{root.id}` has several meanings")
        if use.binding.alias is not None and use.binding.alias.name == "*":
            return ".".join((new[-1], *gone.tail))
        local = new_locals.get(id(use.binding.alias), root.id)
        names = new[2:] if bound.move.new == MODULE else []
        return ".".join((local, *names, *gone.tail))

    def _argument_edits(self, call: ast.Call, gone: Removed) -> Iterator[Intent]:
        if any(isinstance(argument, ast.Starred) for argument in call.args) or _keyword(call, None) is not None:
            raise Unrepairable(f"the arguments of `{ast.unparse(call.func)}` are only known at run time")
        new = _replacement(gone)
        optimizer = _keyword(call, "optimizer")
        if new == WRAPPER and optimizer is not None:
            yield RemoveArgument(call, "optimizer")
            yield AddKeyword(call, "inner_optimizer", self._source(optimizer.value))
        yield from self._scale_edits(call, new, gone.move.scale_argument)

    def _scale_edits(self, call: ast.Call, function: str, position: int | None = None) -> Iterator[Intent]:
        keyword = _keyword(call, "loss_scale")
        index = position if position is not None and len(call.args) > position else None
        if keyword is None and index is None:
            return
        value = keyword.value if keyword is not None else call.args[index or 0]
        if not self._is_dynamic(value, function):
            name = function.rpartition(".")[2]
            raise Unrepairable(f"the loss scale `{ast.unparse(value)}` has no equal in today's `{name}`")
        yield RemoveArgument(call, "loss_scale" if keyword is not None else index or 0)

    def _is_dynamic(self, value: ast.expr, function: str) -> bool:
        if isinstance(value, ast.Constant):
            return value.value in DYNAMIC
        if function != WRAPPER or not isinstance(value, ast.Call) or value.args or value.keywords:
            return False
        uses = (use for use in self.names.uses if use.node is value.func)
        return any(use.qualified.rpartition(".")[2] == "DynamicLossScale" for use in uses)

    def _source(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.module.document.text, node) or ast.unparse(node)


def _replacement(gone: Removed) -> str:
    """The canonical name that takes the place of a removed one."""
    if gone.move.new is None:
        raise Unrepairable(f"`{_short(gone.move.old)}` has no equal today: {gone.move.reason}")
    if gone.move.new == MODULE and gone.tail:
        raise Unrepairable(f"`{_short(gone.move.old)}.{gone.tail[0]}` has no known equal today")
    return gone.move.new


def _short(name: str) -> str:
    return name.removeprefix("keras.").removeprefix("tensorflow.")


def _through_package(use: NameUse, root: str, attributes: list[str], new: list[str], tail: tuple[str, ...]) -> str:
    """A chain that starts above `mixed_precision`, such as `tf.keras.mixed_precision.experimental.Policy`."""
    if ".python." in use.qualified:
        raise Unrepairable(f"`{use.qualified}` is reached through a private module")
    bound = use.binding.qualified.split(".")
    parts = [*bound, *attributes]
    module = parts[: parts.index("mixed_precision") + 1]
    return ".".join((root, *module[len(bound) :], *new[2:], *tail))


def _new_import(item: Import, gone: Removed, local: str) -> tuple[str, str]:
    """`from` part and imported part of a statement for one name; the `from` part is empty for `import`."""
    package = canonical(item.qualified).package
    new = package + _replacement(gone).removeprefix("keras")
    if isinstance(item.statement, ast.Import):
        return "", f"{new} as {item.alias.asname}" if item.alias.asname else new
    if item.alias.name == "*":
        return new, "*"
    module, _, name = new.rpartition(".")
    return module, name if name == local else f"{name} as {local}"


def _joined(parts: Iterator[tuple[str, str]]) -> list[str]:
    """One statement for each module, in order."""
    by_module: dict[str, list[str]] = {}
    for module, name in parts:
        by_module.setdefault(module, []).append(name)
    lines = []
    for module, names in by_module.items():
        listed = ", ".join(dict.fromkeys(names))
        lines.append(f"from {module} import {listed}" if module else f"import {listed}")
    return lines


def _import_text(statement: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> str:
    listed = ", ".join(f"{alias.name} as {alias.asname}" if alias.asname else alias.name for alias in names)
    return f"from {statement.module} import {listed}" if isinstance(statement, ast.ImportFrom) else f"import {listed}"


def _keyword(call: ast.Call, name: str | None) -> ast.keyword | None:
    return next((keyword for keyword in call.keywords if keyword.arg == name), None)


def _is_type(node: ast.expr) -> bool:
    """`type(x)` or `x.__class__`."""
    if isinstance(node, ast.Attribute):
        return node.attr == "__class__"
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "type"
