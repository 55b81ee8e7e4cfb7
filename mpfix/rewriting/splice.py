"""Intents to text: the fragments and lines that change, put together and looked over once more."""

from __future__ import annotations

from mpfix.rewriting.clauses import Fragment, Located, locate, whole
from mpfix.rewriting.edits import (
    AddKeyword,
    Intent,
    ModuleEdits,
    RemoveArgument,
    RemoveImport,
    ReplaceExpression,
    SetKeyword,
    WrapExpression,
)
from mpfix.rewriting.imports import removes_all
from mpfix.rewriting.layout import Layout
from mpfix.rewriting.limits import parse
from mpfix.rewriting.pieces import Composition, Piece, Side
from mpfix.rewriting.refused import RewriteRefused
from mpfix.rewriting.statements import statement_pieces
from mpfix.rewriting.substitution import FragmentIntent, shape, substitute
from mpfix.rewriting.verify import verify
from mpfix.source.document import TextEdit, UnwritableEdit
from mpfix.source.text_edits import in_order, spliced

__all__ = ["RewriteRefused", "apply_module_edits", "resolve"]


def resolve(module_edits: ModuleEdits) -> tuple[TextEdit, ...]:
    """The edits of the module's text that make all its intents true, in order, not overlapping.

    Raises:
        RewriteRefused: that is not possible without harm; its text says why.
    """
    module = module_edits.module
    layout = Layout(module)
    intents = tuple(dict.fromkeys(module_edits.intents))
    pieces = [*_fragment_pieces(layout, intents), *statement_pieces(layout, intents)]
    edits = Composition(layout, pieces).edits()
    text = module.document.text
    edits = tuple(edit for edit in edits if text[edit.start : edit.end] != edit.content)
    if edits:
        verify(module.tree, text, spliced(text, in_order(text, edits)), edits)
        _refuse_unwritable(module_edits, edits)
    return edits


def apply_module_edits(module_edits: ModuleEdits) -> str:
    """The module's text after its intents.

    Raises:
        RewriteRefused: that is not possible without harm; its text says why.
    """
    document = module_edits.module.document
    edits = resolve(module_edits)
    return document.with_edits(edits).text if document.cells else spliced(document.text, edits)


def _refuse_unwritable(module_edits: ModuleEdits, edits: tuple[TextEdit, ...]) -> None:
    """A notebook's magics and the borders of its cells are no place for edits."""
    document = module_edits.module.document
    if not document.cells:
        return
    if any(document.is_masked(edit.start, edit.end) for edit in edits):
        raise RewriteRefused("the change touches a line that is a notebook command, not Python")
    try:
        document.with_edits(edits)
    except UnwritableEdit as error:
        raise RewriteRefused(f"the notebook cannot take the change ({error})") from error


def _fragment_pieces(layout: Layout, intents: tuple[Intent, ...]) -> list[Piece]:
    """The pieces of all intents that change something inside a statement or header, one for each fragment."""
    by_start: dict[int, list[tuple[FragmentIntent, Located]]] = {}
    for intent in intents:
        if located := _located(layout, intent, intents):
            by_start.setdefault(located[1].fragment.start, []).append(located)
    return [_fragment_piece(layout, wanted[0][1].fragment, wanted) for wanted in by_start.values()]


def _located(layout: Layout, intent: Intent, intents: tuple[Intent, ...]) -> tuple[FragmentIntent, Located] | None:
    match intent:
        case ReplaceExpression(expression=node) | WrapExpression(expression=node):
            return intent, locate(layout, node)
        case AddKeyword(call=node) | SetKeyword(call=node) | RemoveArgument(call=node):
            return intent, locate(layout, node)
        case RemoveImport(statement=statement) if not removes_all(statement, intents):
            layout.site(statement)
            fragment = whole(layout, statement)
            return intent, Located(fragment, fragment.to_clause, 0, fragment.end - fragment.start)
    return None


def _fragment_piece(layout: Layout, fragment: Fragment, wanted: list[tuple[FragmentIntent, Located]]) -> Piece:
    from mpfix.rewriting.fragment import rewritten

    source = fragment.source(layout.text)
    changes, expected = substitute(source, wanted)
    printed = rewritten(source, changes, layout.newline)
    if shape(parse(printed)) != shape(expected):
        raise RewriteRefused("a statement would not come out as intended")
    if not (printed.startswith(fragment.prefix) and printed.endswith(fragment.suffix)):
        raise RewriteRefused("a header would not come out whole")
    text = printed[len(fragment.prefix) : len(printed) - len(fragment.suffix)]
    return Piece(fragment.start, fragment.end, (text,), Side.REPLACE, layout.start(fragment.clause))
