"""The border to LibCST: a piece of source is parsed, changed and printed; what is not changed keeps every byte.

Only this module imports LibCST, and it is imported only when a fix is built.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar, cast

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider, WhitespaceInclusivePositionProvider

from mpfix.rewriting.edits import (
    AddKeyword,
    RemoveArgument,
    RemoveImport,
    ReplaceExpression,
    SetKeyword,
    WrapExpression,
)
from mpfix.rewriting.limits import check_fragment
from mpfix.rewriting.refused import RewriteRefused
from mpfix.rewriting.substitution import HOLE, Change
from mpfix.source.lines import LineIndex, with_newline

_Item = TypeVar("_Item", bound="cst.Arg | cst.ImportAlias")
_SPACE = cst.SimpleWhitespace(" ")
_NOTHING = cst.SimpleWhitespace("")
_TIGHT = cst.AssignEqual(whitespace_before=_NOTHING, whitespace_after=_NOTHING)
_SELF_CONTAINED = (cst.Call, cst.Name, cst.Attribute, cst.Subscript)


def rewritten(source: str, changes: Sequence[Change], newline: str) -> str:
    """`source`, a module of one statement, after the changes."""
    wrapper = MetadataWrapper(_module(source, newline), unsafe_skip_copy=True)
    by_node: dict[cst.CSTNode, list[Change]] = {}
    finder = _Finder(source, wrapper)
    for change in changes:
        by_node.setdefault(finder.node(change), []).append(change)
    try:
        return wrapper.module.visit(_Changer(by_node, newline)).code
    except RecursionError as error:
        raise RewriteRefused("a statement is nested too deeply to be rewritten") from error


def _module(source: str, newline: str) -> cst.Module:
    """LibCST's tree of text that `ast` accepts and that is within the limits; `newline` is that of the whole file."""
    check_fragment(source)
    try:
        module = cst.parse_module(source)
    except (cst.ParserSyntaxError, cst.CSTValidationError, RecursionError) as error:
        raise RewriteRefused("LibCST cannot parse a statement") from error
    return module if "\n" in source or "\r" in source else module.with_changes(default_newline=newline)


class _Finder:
    """Nodes of a fragment by the ranges that `ast` gives them."""

    def __init__(self, source: str, wrapper: MetadataWrapper) -> None:
        self._source = source
        self._lines = LineIndex(source).starts
        self._inner = wrapper.resolve(PositionProvider)
        self._outer = wrapper.resolve(WhitespaceInclusivePositionProvider)

    def node(self, change: Change) -> cst.CSTNode:
        """The node that a change is about."""
        for node, code_range in self._inner.items():
            if isinstance(change.intent, RemoveImport):
                if isinstance(node, (cst.Import, cst.ImportFrom)):
                    return node
            elif isinstance(node, cst.BaseExpression) and self._is_at(node, code_range, change):
                return node
        raise RewriteRefused("an expression was not found again in its statement")

    def _is_at(self, node: cst.BaseExpression, code_range: CodeRange, change: Change) -> bool:
        start, end = self._offsets(code_range)
        if isinstance(node, cst.GeneratorExp) and not node.lpar:
            # the only argument of a call: `ast` counts the call's parentheses as its own
            around = self._source[change.start : start], self._source[end : change.end]
            return change.start < start and end < change.end and [text.strip() for text in around] == ["(", ")"]
        if not isinstance(node, (cst.Tuple, cst.GeneratorExp)) or not node.lpar:
            return (start, end) == (change.start, change.end)
        # `ast` counts the innermost parentheses of these as their own
        outer_start, outer_end = self._offsets(self._outer[node])
        return outer_start <= change.start < start and end < change.end <= outer_end

    def _offsets(self, code_range: CodeRange) -> tuple[int, int]:
        start, end = code_range.start, code_range.end
        return self._lines[start.line - 1] + start.column, self._lines[end.line - 1] + end.column


class _Changer(cst.CSTTransformer):
    """Makes the changes from the inside out, so that nested ones meet."""

    def __init__(self, by_node: dict[cst.CSTNode, list[Change]], newline: str) -> None:
        super().__init__()
        self._by_node = by_node
        self._newline = newline

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> cst.CSTNode | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNode]:
        """Change what is wanted of a node: first the call itself, then what stands in its place."""
        updated = super().on_leave(original_node, updated_node)
        changes = self._by_node.get(original_node, [])
        if isinstance(updated, (cst.Import, cst.ImportFrom)):
            return _without_aliases(updated, changes)
        if isinstance(updated, cst.Call):
            updated = self._changed_call(updated, changes)
        for change in changes:
            if isinstance(updated, cst.BaseExpression):
                updated = self._changed_expression(updated, change)
        return updated

    def _changed_call(self, call: cst.Call, changes: list[Change]) -> cst.Call:
        intents = [change.intent for change in changes]
        removed = [_argument_index(call, intent.argument) for intent in intents if isinstance(intent, RemoveArgument)]
        for change in changes:
            match change.intent:
                case SetKeyword(name=name, code=code):
                    index = _argument_index(call, name)
                    argument = call.args[index]
                    value = _replaced(argument.value, self._value(code, change), "")
                    call = call.with_deep_changes(argument, value=value)
                case AddKeyword(name=name, code=code):
                    call = _with_keyword(call, name, self._value(code, change))
        for index in sorted(removed, reverse=True):
            call = _without_argument(call, index)
        return call

    def _changed_expression(self, node: cst.BaseExpression, change: Change) -> cst.BaseExpression:
        match change.intent:
            case ReplaceExpression(code=code):
                return _replaced(node, self._value(code, change), code)
            case WrapExpression(before=before, after=after):
                wrapper = _expression(before + HOLE + after, self._newline)
                own, operand = _split_parentheses(node)
                hole = _hole(wrapper)
                encloses = before.rstrip().endswith("(") and after.lstrip().startswith(")")
                if change.around_operand or (isinstance(operand, cst.GeneratorExp) and not encloses):
                    operand = _parenthesised(operand)
                wrapper = operand if hole is wrapper else cast(cst.BaseExpression, wrapper.deep_replace(hole, operand))
                if change.around_result and not own[0]:
                    wrapper = _parenthesised(wrapper)
                return _with_parentheses(wrapper, own, droppable=encloses)
        return node

    def _value(self, code: str, change: Change) -> cst.BaseExpression:
        value = _expression(code, self._newline)
        return _parenthesised(value) if change.around_result else value


# expressions and their parentheses

_Parentheses = tuple[Sequence[cst.LeftParen], Sequence[cst.RightParen]]


def _expression(code: str, newline: str) -> cst.BaseExpression:
    """One expression; parentheses around it allow it to span lines and are taken off again."""
    match _module(with_newline(f"({code})", newline), newline).body:
        case [cst.SimpleStatementLine(body=[cst.Expr(value=value)])] if value.lpar:
            if isinstance(value, cst.GeneratorExp):
                return value
            return value.with_changes(lpar=value.lpar[1:], rpar=value.rpar[:-1])
    raise RewriteRefused(f"`{code}` is not one expression")


def _hole(tree: cst.CSTNode) -> cst.CSTNode:
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, cst.Name) and node.value == HOLE:
            return node
        todo.extend(node.children)
    raise RewriteRefused("there is nothing that an expression can be put into")


def _parenthesised(node: cst.BaseExpression) -> cst.BaseExpression:
    if node.lpar:
        return node
    return node.with_changes(lpar=[cst.LeftParen(), *node.lpar], rpar=[*node.rpar, cst.RightParen()])


def _split_parentheses(node: cst.BaseExpression) -> tuple[_Parentheses, cst.BaseExpression]:
    """The parentheses around an expression that `ast` does not count as part of it, and the expression without them."""
    kept = 1 if isinstance(node, (cst.Tuple, cst.GeneratorExp)) and node.lpar else 0
    outside = len(node.lpar) - kept
    own = node.lpar[:outside], node.rpar[len(node.rpar) - outside :]
    return own, node.with_changes(lpar=node.lpar[outside:], rpar=node.rpar[: len(node.rpar) - outside])


def _replaced(old: cst.BaseExpression, new: cst.BaseExpression, code: str) -> cst.BaseExpression:
    """`new` where `old` stood, within the parentheses that stood around it."""
    own, _ = _split_parentheses(old)
    if own[0]:
        _, new = _split_parentheses(new)
    return _with_parentheses(new, own, droppable=bool(code) and "\n" not in code)


def _with_parentheses(node: cst.BaseExpression, own: _Parentheses, *, droppable: bool) -> cst.BaseExpression:
    """`node` in the parentheses of its predecessor; a call or name needs none, and sheds plain ones."""
    left, right = own
    plain = all(isinstance(paren.whitespace_after, cst.SimpleWhitespace) for paren in left) and all(
        isinstance(paren.whitespace_before, cst.SimpleWhitespace) for paren in right
    )
    if droppable and plain and isinstance(node, _SELF_CONTAINED):
        return node
    return node.with_changes(lpar=[*left, *node.lpar], rpar=[*node.rpar, *right])


# arguments and import aliases: items, commas and the white space between them


def _argument_index(call: cst.Call, argument: int | str) -> int:
    if isinstance(argument, int):
        positional = [index for index, arg in enumerate(call.args) if arg.keyword is None and arg.star != "**"]
        return positional[argument]
    return next(i for i, arg in enumerate(call.args) if arg.keyword is not None and arg.keyword.value == argument)


def _with_keyword(call: cst.Call, name: str, value: cst.BaseExpression) -> cst.Call:
    """The call with one more keyword, behind all arguments but the `**` ones at the end."""
    args = list(call.args)
    equal = next((arg.equal for arg in args if isinstance(arg.equal, cst.AssignEqual)), _TIGHT)
    new = cst.Arg(keyword=cst.Name(name), value=value, equal=equal)
    place = len(args)
    while place and args[place - 1].star == "**":
        place -= 1
    if len(args) == 1 and isinstance(args[0].value, cst.GeneratorExp):
        args[0] = args[0].with_changes(value=_parenthesised(args[0].value))
    if place < len(args):
        gap = args[place - 1].comma if place else None
        space = gap.whitespace_after if isinstance(gap, cst.Comma) else _gap(call)
        args.insert(place, new.with_changes(comma=cst.Comma(whitespace_after=_bare(space))))
    elif args:
        args[-1:] = _appended(args[-1], new, _gap(call))
    else:
        args = [new]
    return call.with_changes(args=args)


def _gap(call: cst.Call) -> cst.BaseParenthesizableWhitespace:
    """The white space that this call has between its arguments."""
    if len(call.args) > 1:
        comma = call.args[-2].comma
        return _bare(comma.whitespace_after) if isinstance(comma, cst.Comma) else _SPACE
    before = call.whitespace_before_args
    return _bare(before) if isinstance(before, cst.ParenthesizedWhitespace) else _SPACE


def _appended(last: cst.Arg, new: cst.Arg, gap: cst.BaseParenthesizableWhitespace) -> list[cst.Arg]:
    """The last argument and a new one behind it, which takes over how the call is closed."""
    if isinstance(last.comma, cst.Comma):
        closing = last.comma.whitespace_after
        comma = last.comma.with_changes(whitespace_after=_joined(closing, gap))
        return [last.with_changes(comma=comma), new.with_changes(comma=cst.Comma(whitespace_after=_bare(closing)))]
    closing = last.whitespace_after_arg
    comma = cst.Comma(whitespace_after=_joined(closing, gap))
    last = last.with_changes(comma=comma, whitespace_after_arg=_NOTHING)
    return [last, new.with_changes(whitespace_after_arg=_bare(closing))]


def _without_argument(call: cst.Call, index: int) -> cst.Call:
    args, closing = _without(call.args, index, call.args[index].whitespace_after_arg)
    if closing is not None and args:
        args[-1] = args[-1].with_changes(whitespace_after_arg=closing)
    before = call.whitespace_before_args if args or _has_comment(call.whitespace_before_args) else _NOTHING
    return call.with_changes(args=args, whitespace_before_args=before)


def _without_aliases(node: cst.Import | cst.ImportFrom, changes: list[Change]) -> cst.Import | cst.ImportFrom:
    intents = [change.intent for change in changes if isinstance(change.intent, RemoveImport)]
    for index in sorted((intent.statement.names.index(intent.alias) for intent in intents), reverse=True):
        if isinstance(node.names, cst.ImportStar):
            raise RewriteRefused("a star import cannot be taken apart")
        closed = isinstance(node, cst.ImportFrom) and node.rpar is not None
        last = node.rpar.whitespace_before if isinstance(node, cst.ImportFrom) and node.rpar else _NOTHING
        names, closing = _without(node.names, index, last)
        node = node.with_changes(names=names)
        if closed and closing is not None:
            node = node.with_deep_changes(cast(cst.CSTNode, cast(cst.ImportFrom, node).rpar), whitespace_before=closing)
    return node


def _without(
    items: Sequence[_Item], index: int, closing: cst.BaseParenthesizableWhitespace
) -> tuple[list[_Item], cst.BaseParenthesizableWhitespace | None]:
    """The items but one; and, where the last one had no comma, the white space that now closes them."""
    kept = [*items[:index], *items[index + 1 :]]
    removed = items[index]
    if index < len(items) - 1 or not kept:
        return kept, None
    between = cast(cst.Comma, kept[-1].comma)
    if isinstance(removed.comma, cst.Comma):
        space = _joined(between.whitespace_after, _without_remark(removed.comma.whitespace_after))
        kept[-1] = cast(_Item, kept[-1].with_changes(comma=removed.comma.with_changes(whitespace_after=space)))
        return kept, None
    kept[-1] = cast(_Item, kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT))
    return kept, _joined(between.whitespace_after, _without_remark(closing))


def _joined(
    space: cst.BaseParenthesizableWhitespace, following: cst.BaseParenthesizableWhitespace
) -> cst.BaseParenthesizableWhitespace:
    """`following`, with the comments of `space`."""
    if not _has_comment(space):
        return following
    if isinstance(following, cst.ParenthesizedWhitespace) and isinstance(space, cst.ParenthesizedWhitespace):
        return space.with_changes(last_line=following.last_line, indent=following.indent)
    return space


def _bare(space: cst.BaseParenthesizableWhitespace) -> cst.BaseParenthesizableWhitespace:
    """White space without its comments and empty lines."""
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return space
    return _without_remark(space.with_changes(empty_lines=[]))


def _without_remark(space: cst.BaseParenthesizableWhitespace) -> cst.BaseParenthesizableWhitespace:
    """White space without the comment on its first line, which is about what stands in front."""
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return space
    return space.with_changes(first_line=cst.TrailingWhitespace(newline=space.first_line.newline))


def _has_comment(space: cst.BaseParenthesizableWhitespace) -> bool:
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return False
    return space.first_line.comment is not None or any(line.comment for line in space.empty_lines)


# statements under another indentation


def indented(code: str, indentation: str, unit: str, newline: str) -> str:
    """New statements as lines of a block; no newline at the end."""
    module = _module(with_newline(code.strip("\r\n") + "\n", newline), newline)
    module = module.visit(_BlankLines()).with_changes(default_indent=unit)
    return _printed(module, [*module.header], module.body, [*module.footer], indentation)


class _BlankLines(cst.CSTTransformer):
    """Blank lines without blanks."""

    def leave_EmptyLine(self, original_node: cst.EmptyLine, updated_node: cst.EmptyLine) -> cst.EmptyLine:
        return updated_node if updated_node.comment is not None else updated_node.with_changes(indent=False)


def reindented(lines: str, old: str, new: str, newline: str) -> str:
    """Lines of statements moved from the indentation `old` to `new`; long strings keep their text."""
    if old == new:
        return lines
    module = _module((f"if 1:{newline}" if old else "") + lines + newline, newline)
    if not old:
        return _printed(module, [*module.header], module.body, [*module.footer], new)
    match module.body:
        case [cst.If(body=cst.IndentedBlock(body=statements, footer=footer))]:
            return _printed(module, [], statements, [*footer, *module.footer], new)
    raise RewriteRefused("the lines to move are not one block")


def _printed(
    module: cst.Module,
    header: list[cst.EmptyLine],
    statements: Sequence[cst.BaseStatement | cst.SimpleStatementLine],
    footer: list[cst.EmptyLine],
    indentation: str,
) -> str:
    if not indentation:
        code = module.with_changes(header=header, body=statements, footer=footer, has_trailing_newline=True).code
        return _without_newline(code)
    if not statements:
        raise RewriteRefused("there is no statement to insert")
    first = statements[0]
    leading = cast("Sequence[cst.EmptyLine]", getattr(first, "leading_lines", ()))
    body = [first.with_changes(leading_lines=[*header, *leading]), *statements[1:]] if header else statements
    block = cst.IndentedBlock(body=body, footer=footer, indent=indentation)
    return _without_newline(module.code_for_node(block).partition(module.default_newline)[2])


def _without_newline(code: str) -> str:
    return re.sub("(?:\r\n|\r|\n)\\Z", "", code)
