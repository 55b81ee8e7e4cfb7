"""The `ast` of a fragment as it must be after its changes: the measure of what is printed, and of its parentheses."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from mpfix.rewriting.clauses import Located, Step, follow, steps
from mpfix.rewriting.edits import (
    AddKeyword,
    RemoveArgument,
    RemoveImport,
    ReplaceExpression,
    SetKeyword,
    WrapExpression,
)
from mpfix.rewriting.limits import parse, parse_expression
from mpfix.rewriting.precedence import needs_parentheses
from mpfix.rewriting.refused import RewriteRefused

ExpressionIntent = ReplaceExpression | WrapExpression | AddKeyword | SetKeyword | RemoveArgument
FragmentIntent = ExpressionIntent | RemoveImport

HOLE = "__mpfix_expression__"
"""Stands for the wrapped expression while its surroundings are parsed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One intent on the node at `start:end` of a fragment's source, and where parentheses are needed."""

    intent: FragmentIntent
    start: int
    end: int
    around_result: bool = False
    around_operand: bool = False


class Slot:
    """The place of a node in its parent. `original` is what stood there first."""

    def __init__(self, tree: ast.AST, path: tuple[Step, ...]) -> None:
        self.parent = follow(tree, path[:-1])
        self.field, self.index = path[-1]
        self.original = follow(self.parent, path[-1:])

    def put(self, expression: ast.expr) -> bool:
        """Put an expression there; whether it needs parentheses."""
        if self.index is None:
            setattr(self.parent, self.field, expression)
        else:
            getattr(self.parent, self.field)[self.index] = expression
        return needs_parentheses(expression, self.parent, self.field)

    def taken(self) -> ast.expr:
        """What stands there now."""
        found = follow(self.parent, ((self.field, self.index),))
        assert isinstance(found, ast.expr)
        return found


# additions and removals last: they shift the items that slots count
_ORDER = {ReplaceExpression: 0, WrapExpression: 1, SetKeyword: 2, AddKeyword: 3, RemoveArgument: 4, RemoveImport: 5}


def substitute(source: str, wanted: Iterable[tuple[FragmentIntent, Located]]) -> tuple[tuple[Change, ...], ast.Module]:
    """The changes of one fragment in the order in which they are made, and its tree after them."""
    tree = parse(source)
    ordered = sorted(wanted, key=lambda pair: _ORDER[type(pair[0])])
    _refuse_contradictions(ordered)
    slots = [Slot(tree, located.path) for _, located in ordered]
    removals: list[tuple[list[ast.AST], ast.AST]] = []
    changes = []
    for (intent, located), slot in zip(ordered, slots, strict=True):
        result, operand = _put(intent, slot)
        removals += _removed(intent, slot.original)
        changes.append(Change(intent, located.start, located.end, result, operand))
    for items, item in removals:
        if item not in items:
            raise RewriteRefused("two changes remove the same argument")
        items.remove(item)
    return tuple(changes), tree


def shape(tree: ast.AST) -> str:
    """A tree as text. Whether a name is read or assigned is left out: where it stands decides that."""
    for node in ast.walk(tree):
        if hasattr(node, "ctx"):
            node.ctx = ast.Load()
    return ast.dump(tree)


def _put(intent: FragmentIntent, slot: Slot) -> tuple[bool, bool]:
    """Make a change that adds or replaces; whether its result and its operand need parentheses."""
    match intent, slot.original:
        case ReplaceExpression(code=code), _:
            return slot.put(parse_expression(code)), False
        case WrapExpression(before=before, after=after), _:
            wrapper = parse(f"({before}{HOLE}{after})")
            around_operand = Slot(wrapper, _way_to_hole(wrapper)).put(slot.taken())
            match wrapper.body:
                case [ast.Expr(value=result)]:
                    return slot.put(result), around_operand
            raise RewriteRefused(f"`{before}...{after}` is not one expression")
        case SetKeyword(name=name, code=code), ast.Call() as call:
            value = parse_expression(code)
            keyword = _keyword(call, name)
            keyword.value = value
            return needs_parentheses(value, keyword, "value"), False
        case AddKeyword(name=name, code=code), ast.Call() as call:
            value = parse_expression(code)
            keyword = ast.keyword(arg=name, value=value)
            _add(call, keyword)
            return needs_parentheses(value, keyword, "value"), False
    return False, False


def _way_to_hole(tree: ast.AST) -> tuple[Step, ...]:
    todo: list[tuple[tuple[Step, ...], ast.AST]] = [((), tree)]
    while todo:
        path, node = todo.pop()
        if isinstance(node, ast.Name) and node.id == HOLE:
            return path
        todo += [((*path, step), inner) for name, value in ast.iter_fields(node) for step, inner in steps(name, value)]
    raise RewriteRefused("there is nothing that an expression can be put into")


def _add(call: ast.Call, keyword: ast.keyword) -> None:
    if any(present.arg == keyword.arg for present in call.keywords):
        raise RewriteRefused(f"the call has an argument `{keyword.arg}` already")
    place = len(call.keywords)
    while place and call.keywords[place - 1].arg is None:
        place -= 1
    call.keywords.insert(place, keyword)


def _keyword(call: ast.Call, name: str) -> ast.keyword:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword
    raise RewriteRefused(f"the call has no argument `{name}`")


def _removed(intent: FragmentIntent, node: ast.AST) -> list[tuple[list[ast.AST], ast.AST]]:
    """What a change takes away, and the list that it is taken from."""
    match intent, node:
        case RemoveArgument(argument=str(name)), ast.Call() as call:
            return [(call.keywords, _keyword(call, name))]  # type: ignore[list-item]
        case RemoveArgument(argument=int(index)), ast.Call() as call:
            if index >= len(call.args):
                raise RewriteRefused(f"the call has no argument {index}")
            return [(call.args, call.args[index])]  # type: ignore[list-item]
        case RemoveImport(statement=statement, alias=alias), ast.Import(names=names) | ast.ImportFrom(names=names):
            return [(names, names[statement.names.index(alias)])]  # type: ignore[list-item]
    return []


def _refuse_contradictions(wanted: list[tuple[FragmentIntent, Located]]) -> None:
    """Refuse a change inside, or on, what another change drops."""
    for place, (intent, located) in enumerate(wanted):
        dropped = _dropped(intent, located)
        for other, (second, where) in enumerate(wanted):
            if place == other or not dropped:
                continue
            is_wrapped = where.path == dropped and isinstance(second, WrapExpression)
            if where.path[: len(dropped)] == dropped and not is_wrapped:
                raise RewriteRefused("one change drops what another one edits")
            if type(intent) is type(second) is SetKeyword and where.path == located.path and intent.name == second.name:
                raise RewriteRefused(f"two changes set `{intent.name}`")


def _dropped(intent: FragmentIntent, located: Located) -> tuple[Step, ...]:
    """The path to what is no longer there after a change; nothing for most."""
    match intent:
        case ReplaceExpression():
            return located.path
        case SetKeyword(call=call, name=name) | RemoveArgument(call=call, argument=str(name)):
            return (
                *located.path,
                ("keywords", [keyword.arg for keyword in call.keywords].index(_keyword(call, name).arg)),
            )
        case RemoveArgument(argument=int(index)):
            return (*located.path, ("args", index))
    return ()
