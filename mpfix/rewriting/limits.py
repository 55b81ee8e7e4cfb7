"""Parsing with `ast`, and the bounds beyond which nothing is handed to LibCST.

LibCST recurses in native code: about 1,300 nested brackets end the process. What `ast` refuses it may accept, such as a
NUL in a string, so its answer counts only after that of `ast`.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings

from mpfix.rewriting.refused import RewriteRefused

MAX_DEPTH = 100
"""Levels of nested nodes or brackets in one fragment."""
MAX_OPERANDS = 2_000
"""Children of one node; also half of the quotes in one fragment, which bounds adjacent strings."""


def parse(source: str) -> ast.Module:
    """The tree of `source`.

    Raises:
        RewriteRefused: it is no Python, or too deep for the compiler.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RewriteRefused(f"the changed code would not be valid Python ({error})") from error


def parse_expression(code: str) -> ast.expr:
    """The tree of one expression, which may span lines."""
    match parse(f"({code})").body:
        case [ast.Expr(value=expression)] if code.strip():
            return expression
    raise RewriteRefused(f"`{code}` is not one expression")


def check_fragment(source: str) -> None:
    """Refuse text that `ast` does not accept or that is nested too deeply or too wide for LibCST."""
    level: list[ast.AST] = [parse(source)]
    depth = 0
    while level:
        below = []
        for node in level:
            children = list(ast.iter_child_nodes(node))
            if len(children) > MAX_OPERANDS:
                raise RewriteRefused(f"a statement has more than {MAX_OPERANDS:,} operands")
            below += children
        level = below
        depth += 1
        if depth > MAX_DEPTH:
            raise RewriteRefused(f"a statement is nested more than {MAX_DEPTH} levels deep")
    if source.count('"') + source.count("'") > 2 * MAX_OPERANDS:
        raise RewriteRefused(f"a statement has more than {MAX_OPERANDS:,} strings")
    if _bracket_depth(source) > MAX_DEPTH:
        raise RewriteRefused(f"a statement has more than {MAX_DEPTH} nested brackets")


def _bracket_depth(source: str) -> int:
    if sum(map(source.count, "([{")) <= MAX_DEPTH:
        return 0
    deepest = depth = 0
    for token in tokens(source):
        if token.type == tokenize.OP and token.string in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif token.type == tokenize.OP and token.string in ")]}":
            depth -= 1
    return deepest


def tokens(source: str) -> list[tokenize.TokenInfo]:
    """The tokens of text that `ast` accepts; lines count as the compiler counts them."""
    unified = re.sub("\r\n?", "\n", source)
    try:
        return list(tokenize.generate_tokens(io.StringIO(unified).readline))
    except (tokenize.TokenError, SyntaxError) as error:
        raise RewriteRefused(f"the text cannot be split into tokens ({error})") from error


def comments(source: str) -> list[str]:
    """The comments of text that `ast` accepts, in order."""
    if "#" not in source:
        return []
    return [token.string for token in tokens(source) if token.type == tokenize.COMMENT]
