"""Where an expression needs parentheses."""

from __future__ import annotations

import ast

_LOOSEST, _ANY, _TERNARY, _OR, _AND, _NOT, _COMPARISON, _BIT_OR = range(8)
_ADD, _TERM, _UNARY, _POWER, _AWAIT, _ATOM = range(11, 17)

_OPERATORS: dict[type[ast.AST], int] = {
    ast.Or: _OR,
    ast.And: _AND,
    ast.Not: _NOT,
    ast.BitOr: _BIT_OR,
    ast.BitXor: 8,
    ast.BitAnd: 9,
    ast.LShift: 10,
    ast.RShift: 10,
    ast.Add: _ADD,
    ast.Sub: _ADD,
    ast.Mult: _TERM,
    ast.MatMult: _TERM,
    ast.Div: _TERM,
    ast.FloorDiv: _TERM,
    ast.Mod: _TERM,
    ast.UAdd: _UNARY,
    ast.USub: _UNARY,
    ast.Invert: _UNARY,
    ast.Pow: _POWER,
}
_KINDS: dict[type[ast.AST], int] = {
    ast.NamedExpr: _LOOSEST,
    ast.Yield: _LOOSEST,
    ast.YieldFrom: _LOOSEST,
    ast.Tuple: _LOOSEST,
    ast.Starred: _LOOSEST,
    ast.Lambda: _ANY,
    ast.IfExp: _TERNARY,
    ast.Compare: _COMPARISON,
    ast.Await: _AWAIT,
}


def needs_parentheses(child: ast.expr, parent: ast.AST, field: str) -> bool:
    """Whether `child`, written without parentheses, would mean something else as `field` of `parent`."""
    if isinstance(child, ast.Constant) and isinstance(parent, ast.Attribute):
        return isinstance(child.value, (int, float, complex)) and not isinstance(child.value, bool)
    return _binding(child) < _required(parent, field)


def _binding(node: ast.expr) -> int:
    """How tightly the outermost operator of an expression binds."""
    match node:
        case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.UnaryOp(op=op):
            return _OPERATORS[type(op)]
    return _KINDS.get(type(node), _ATOM)


def _required(parent: ast.AST, field: str) -> int:
    """The loosest binding that stands without parentheses as `field` of `parent`."""
    match parent:
        case ast.Attribute() | ast.Await():
            return _ATOM
        case ast.Call() if field == "func":
            return _ATOM
        case ast.Subscript():
            return _ATOM if field == "value" else _ANY
        case ast.BinOp(op=ast.Pow()):
            return _AWAIT if field == "left" else _UNARY
        case ast.BinOp(op=op):
            return _OPERATORS[type(op)] + (field == "right")
        case ast.BoolOp(op=op):
            return _OPERATORS[type(op)] + 1
        case ast.UnaryOp(op=op):
            return _OPERATORS[type(op)]
        case ast.Compare() | ast.Starred():
            return _BIT_OR
        case ast.IfExp() if field != "orelse":
            return _OR
        case ast.comprehension() if field != "target":
            return _OR
        case ast.keyword(arg=None) | ast.Dict():
            return _BIT_OR if isinstance(parent, ast.keyword) or None in parent.keys else _ANY
        case ast.Expr() | ast.Assign() | ast.AugAssign() | ast.Return():
            return _LOOSEST if field == "value" else _ANY
    return _ANY
