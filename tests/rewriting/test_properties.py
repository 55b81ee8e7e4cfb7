"""What holds for every rewrite, whatever the program looks like."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mpfix.rewriting.edits import (
    AddKeyword,
    AppendToBlock,
    DeleteStatement,
    EnsureImport,
    InsertAfter,
    InsertBefore,
    Intent,
    ModuleEdits,
    MoveOutOfBlock,
    ReplaceExpression,
    ReplaceStatement,
    WrapExpression,
)
from mpfix.rewriting.splice import RewriteRefused, apply_module_edits, resolve
from mpfix.semantic.syntax import Module
from mpfix.source.document import document_from_bytes

OWN_LINES = (
    "a = f(1)",
    "b(\n{i}    1,\n{i}    x,  # why\n{i})",
    "e(3)  # note",
    't = """\n  # text\n"""',
    "ü = g('é', h(4)) + \\\n{i}   5",
    "m = Sequential([Dense(1), Dense(2)])",
)
HEADERS = (
    "if f(x):",
    "for x in g(y):",
    "while h(1):",
    "with tape(1) as t:",
    "@deco(1)\n{i}def fn(a=f(2)):",
    "class C(B(1)):",
)
SHARED_LINES = ("c(2); d(3)", "if f(x): a(1); b(2)", "with t: y = g(1)  # end", "try: a(1)\n{i}finally: b(2)")
BETWEEN = ("", "", "", "\n", "{i}# about\n", "\n{i}# section\n\n")


@st.composite
def block_lines(draw: st.DrawFn, indentation: str, unit: str, depth: int, simple: tuple[str, ...]) -> str:
    """The lines of one block."""
    lines = ""
    for _ in range(draw(st.integers(1, 3))):
        lines += draw(st.sampled_from(BETWEEN))
        kind = draw(st.integers(0, 5 if depth < 2 else 3))
        if kind <= 3:
            lines += indentation + draw(st.sampled_from(simple)) + "\n"
        else:
            lines += indentation + draw(st.sampled_from(HEADERS)) + draw(st.sampled_from(["", "  # head"])) + "\n"
            lines += draw(block_lines(indentation + unit, unit, depth + 1, simple))
            lines += draw(st.sampled_from(["", indentation + unit + "# end\n"]))
    return lines.replace("{i}", indentation)


@st.composite
def modules(draw: st.DrawFn, simple: tuple[str, ...] = (*OWN_LINES, *SHARED_LINES)) -> Module:
    """A program in some layout, with at least one call."""
    text = "a(0)\n" + draw(block_lines("", draw(st.sampled_from(["    ", "  ", "\t"])), 0, simple))
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\r"])))
    document = document_from_bytes(text.encode(), Path("train.py"), "train.py")
    return Module("train", document, ast.parse(document.text))


def nodes_of(module: Module, kind: type[ast.AST]) -> list[ast.AST]:
    return [node for node in ast.walk(module.tree) if isinstance(node, kind)]


@st.composite
def insertions(draw: st.DrawFn, module: Module) -> Intent:
    statement = draw(st.sampled_from(nodes_of(module, ast.stmt)))
    code = f"NEW{draw(st.integers(0, 9))}()"
    kinds = [InsertBefore, InsertAfter, *([AppendToBlock] if hasattr(statement, "body") else [])]
    return draw(st.sampled_from(kinds))(statement, code)


@st.composite
def changes(draw: st.DrawFn, module: Module) -> Intent:
    """One intent of any kind."""
    statement = draw(st.sampled_from(nodes_of(module, ast.stmt)))
    call = draw(st.sampled_from(nodes_of(module, ast.Call)))
    body = getattr(statement, "body", [])
    choices: list[Intent] = [
        draw(insertions(module)),
        DeleteStatement(statement),
        AddKeyword(call, "k", "1"),
        WrapExpression(call, "", " * 2"),
        ReplaceExpression(call, "p + q"),
        EnsureImport("keras"),
    ]
    if len(body) > 1:
        choices.append(MoveOutOfBlock(tuple(body[1:]), statement))
    if not body:
        choices.append(ReplaceStatement(statement, "one()\ntwo()"))
    return draw(st.sampled_from(choices))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_other_byte_survives(data: st.DataObject) -> None:
    module = data.draw(modules())
    intents = tuple(data.draw(st.lists(changes(module), min_size=1, max_size=4)))
    text = module.document.text
    try:
        edits = resolve(ModuleEdits(module, intents))
    except RewriteRefused:
        assume(False)

    changed = apply_module_edits(ModuleEdits(module, intents))

    reached = position = 0
    for edit in edits:
        kept = text[reached : edit.start]
        assert changed[position : position + len(kept)] == kept
        reached, position = edit.end, position + len(kept) + len(edit.content)
    assert changed[position:] == text[reached:]
    ast.parse(changed)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_inserted_lines_are_all_that_is_new(data: st.DataObject) -> None:
    module = data.draw(modules(OWN_LINES))
    newline = next((end for end in ("\r\n", "\r", "\n") if end in module.document.text), "\n")
    intents = tuple(data.draw(st.lists(insertions(module), min_size=1, max_size=4)))

    changed = apply_module_edits(ModuleEdits(module, intents))

    old = [line for line in changed.split(newline) if "NEW" not in line]
    assert old == module.document.text.split(newline)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_order_of_independent_intents_does_not_matter(data: st.DataObject) -> None:
    module = data.draw(modules())
    intents = data.draw(st.lists(changes(module), min_size=2, max_size=4, unique_by=target_of))

    assert outcome(module, intents) == outcome(module, data.draw(st.permutations(intents)))


def target_of(intent: Intent) -> object:
    for name in ("statement", "expression", "call", "block"):
        if hasattr(intent, name):
            return getattr(intent, name)
    return intent


def outcome(module: Module, intents: list[Intent]) -> str | None:
    """The new text; None when it is refused."""
    try:
        return apply_module_edits(ModuleEdits(module, tuple(intents)))
    except RewriteRefused:
        return None


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_an_added_keyword_is_the_only_difference_of_the_trees(data: st.DataObject) -> None:
    module = data.draw(modules())
    calls = data.draw(st.lists(st.sampled_from(nodes_of(module, ast.Call)), min_size=1, max_size=4, unique=True))

    changed = ast.parse(apply_module_edits(ModuleEdits(module, tuple(AddKeyword(call, "k", "1") for call in calls))))

    added = [node for node in ast.walk(changed) if isinstance(node, ast.Call) and "k" in [k.arg for k in node.keywords]]
    assert len(added) == len(calls)
    for call in added:
        call.keywords.pop()
    assert ast.dump(changed) == ast.dump(module.tree)


@pytest.mark.parametrize("source", ["", "\n", "# only\n", "\x0c\n"])
def test_a_file_without_statements_is_left_alone(rewrite, source: str) -> None:
    assert rewrite(source) == source
