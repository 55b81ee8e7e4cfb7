"""Whole statements: inserted, appended, moved, deleted, replaced."""

from __future__ import annotations

import pytest

from mpfix.rewriting.edits import (
    AddKeyword,
    AppendToBlock,
    DeleteStatement,
    InsertAfter,
    InsertBefore,
    MoveOutOfBlock,
    MoveStatement,
    ReplaceExpression,
    ReplaceStatement,
    WrapExpression,
)
from mpfix.rewriting.splice import RewriteRefused


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("a\nb\n", "b", "a\nNEW\nb\n"),
        ("a", "a", "NEW\na"),
        ("if x:\n\ta\n", "a", "if x:\n\tNEW\n\ta\n"),
        ("a\n\n\n# about b\nb\n", "b", "a\n\n\nNEW\n# about b\nb\n"),
        ("a\n# one\n\n# about b\n# more\nb\n", "b", "a\n# one\n\nNEW\n# about b\n# more\nb\n"),
        ("# licence\na\n", "a", "# licence\nNEW\na\n"),
        (
            "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\na\n",
            "a",
            "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\nNEW\na\n",
        ),
        ("a\n# %% train\nb\n", "b", "a\n# %% train\nNEW\nb\n"),
        ("a\n# -----\n# b\nb\n", "b", "a\n# -----\nNEW\n# b\nb\n"),
        ("if x:\n    a\n# about y\nif y:\n    b\n", "if y", "if x:\n    a\nNEW\n# about y\nif y:\n    b\n"),
        ("if x:\n    a\n  # odd\n    b\n", "b", "if x:\n    a\n  # odd\n    NEW\n    b\n"),
        ("a = '''\n# no comment'''\nb\n", "b", "a = '''\n# no comment'''\nNEW\nb\n"),
        ("x\n@a\n@b(1)\ndef f():\n    y\n", "@a", "x\nNEW\n@a\n@b(1)\ndef f():\n    y\n"),
        ("class A:\n    @a\n    class B:\n        y\n", "@a", "class A:\n    NEW\n    @a\n    class B:\n        y\n"),
        ("a; b; c  # end\n", "b", "a\nNEW\nb; c  # end\n"),
        ("a; b\n", "a", "NEW\na; b\n"),
        ("if x: a; b  # end\nc\n", "a", "if x:\n    NEW\n    a; b  # end\nc\n"),
        ("if x: a; b  # end\nc\n", "b", "if x:\n    a\n    NEW\n    b  # end\nc\n"),
        ("if x:\n\tif y: a\n", "a", "if x:\n\tif y:\n\t\tNEW\n\t\ta\n"),
        ("if x:\n  z\nelse: a\n", "a", "if x:\n  z\nelse:\n  NEW\n  a\n"),
        ("try: z\nexcept E: a\nfinally: b\n", "a", "try: z\nexcept E:\n    NEW\n    a\nfinally: b\n"),
        ("if x: \\\n  a\n", "a", "if x:\n    NEW\n    a\n"),
        ("match x:\n  case 1: a\n", "a", "match x:\n  case 1:\n    NEW\n    a\n"),
        ("\x0ca\n\x0cb\n", "b", "\x0ca\nNEW\n\x0cb\n"),
        ("é; ü = 1; a\n", "a", "é; ü = 1\nNEW\na\n"),
    ],
)
def test_statements_are_inserted_in_front(rewrite, source: str, target: str, expected: str) -> None:
    assert rewrite(source, lambda s: InsertBefore(s.statement(target), "NEW")) == expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("a  # one\nb\n", "a", "a  # one\nNEW\nb\n"),
        ("a", "a", "a\nNEW"),
        ("if x:\n\ta", "a", "if x:\n\ta\n\tNEW"),
        ("a = [\n  1,\n]\nb\n", "a", "a = [\n  1,\n]\nNEW\nb\n"),
        ("a = 1 + \\\n  2\nb\n", "a", "a = 1 + \\\n  2\nNEW\nb\n"),
        ("if x:\n    a\n    # end\n\n# next\nb\n", "if x", "if x:\n    a\n    # end\nNEW\n\n# next\nb\n"),
        ("def f():\n    if x:\n        a\n\n\nb\n", "if x", "def f():\n    if x:\n        a\n    NEW\n\n\nb\n"),
        ("if x: a\nb\n", "if x", "if x: a\nNEW\nb\n"),
        ("if x: a  # one\nb\n", "a", "if x:\n    a  # one\n    NEW\nb\n"),
        ("if x: a; b\n", "a", "if x:\n    a\n    NEW\n    b\n"),
        ("a; b;  # end\nc\n", "a", "a\nNEW\nb;  # end\nc\n"),
        ("a; b;  # end\nc\n", "b", "a; b;  # end\nNEW\nc\n"),
        ("while x: a\nelse: b\n", "a", "while x:\n    a\n    NEW\nelse: b\n"),
    ],
)
def test_statements_are_inserted_behind(rewrite, source: str, target: str, expected: str) -> None:
    assert rewrite(source, lambda s: InsertAfter(s.statement(target), "NEW")) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if x:\n    a\nb\n", "if x:\n    a\n    NEW\nb\n"),
        ("if x:\n    a", "if x:\n    a\n    NEW"),
        (
            "if x:\n    a\n    # end\n\n    # more\n# next\nb\n",
            "if x:\n    a\n    # end\n\n    # more\n    NEW\n# next\nb\n",
        ),
        (
            "if x:\n    if y:\n        a\n        # in\n    # out\nb\n",
            "if x:\n    if y:\n        a\n        # in\n    # out\n    NEW\nb\n",
        ),
        ("if x:\n    a\n    # end\nelse:\n    b\n", "if x:\n    a\n    # end\n    NEW\nelse:\n    b\n"),
        ("if x: a\nelse: b\n", "if x:\n    a\n    NEW\nelse: b\n"),
        ("if x:\n    a; b\n", "if x:\n    a; b\n    NEW\n"),
        ("if x:\n\ta = '''\n# s'''\n", "if x:\n\ta = '''\n# s'''\n\tNEW\n"),
    ],
)
def test_statements_are_appended_to_a_block(rewrite, source: str, expected: str) -> None:
    assert rewrite(source, lambda s: AppendToBlock(s.statement("if x"), "NEW")) == expected


def test_a_case_block_ends_before_the_next_clause(rewrite) -> None:
    source = "try:\n    a\nexcept E:\n    b\n"

    assert (
        rewrite(source, lambda s: AppendToBlock(s.statement("try"), "NEW"))
        == "try:\n    a\n    NEW\nexcept E:\n    b\n"
    )


def test_a_block_of_code_is_indented_like_the_file(rewrite) -> None:
    code = 'if amp:\n    loss = scale(\n        loss\n    )\n    """a\n  b"""\n# done'

    changed = rewrite("def f():\n\tif x:\n\t\ta\n", lambda s: InsertBefore(s.statement("a"), code))

    assert changed == (
        "def f():\n\tif x:\n\t\tif amp:\n\t\t\tloss = scale(\n\t\t\t    loss\n\t\t\t)\n"
        '\t\t\t"""a\n  b"""\n\t\t# done\n\t\ta\n'
    )


def test_a_block_of_code_gets_the_newlines_of_the_file(rewrite) -> None:
    changed = rewrite("def f():\r\n  a\r\n", lambda s: InsertAfter(s.statement("a"), "if x:\n    b\nc"))

    assert changed == "def f():\r\n  a\r\n  if x:\r\n    b\r\n  c\r\n"


def test_insertions_at_one_place_keep_their_order(rewrite) -> None:
    changed = rewrite(
        "a\nb\n",
        lambda s: InsertBefore(s.statement("b"), "three"),
        lambda s: InsertAfter(s.statement("a"), "one"),
        lambda s: InsertAfter(s.statement("a"), "two"),
        lambda s: InsertBefore(s.statement("b"), "four"),
    )

    assert changed == "a\none\ntwo\nthree\nfour\nb\n"


def test_insertions_at_the_end_of_nested_blocks_go_where_they_belong(rewrite) -> None:
    changed = rewrite(
        "if x:\n    with y:\n        a",
        lambda s: InsertAfter(s.statement("if x"), "four"),
        lambda s: AppendToBlock(s.statement("if x"), "three"),
        lambda s: AppendToBlock(s.statement("with"), "two"),
        lambda s: InsertAfter(s.statement("a"), "one"),
    )

    assert changed == "if x:\n    with y:\n        a\n        one\n        two\n    three\nfour"


@pytest.mark.parametrize("intent", [InsertBefore, InsertAfter])
def test_nothing_is_put_beside_an_elif(rewrite, intent) -> None:
    with pytest.raises(RewriteRefused, match="elif"):
        rewrite("if x:\n    a\nelif y:\n    b\n", lambda s: intent(s.statement("if y"), "NEW"))


def test_the_body_of_an_elif_can_be_appended_to(rewrite) -> None:
    changed = rewrite("if x: a\nelif y: b\n", lambda s: AppendToBlock(s.statement("if y"), "NEW"))

    assert changed == "if x: a\nelif y:\n    b\n    NEW\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("gone\nb\n", "b\n"),
        ("a\ngone", "a"),
        ("a\r\ngone", "a"),
        ("gone", ""),
        ("a\n\ngone\n\nb\n", "a\n\n\nb\n"),
        ("# about\ngone\nb\n", "# about\nb\n"),
        ("if x:\n    gone\n", "if x:\n    pass\n"),
        ("if x:\n    gone  # why\n", "if x:\n    pass  # why\n"),
        ("if x:\n    a\nelse:\n    gone\n", "if x:\n    a\nelse:\n    pass\n"),
        ("if x: gone\n", "if x: pass\n"),
        ("if x: gone; b  # end\n", "if x: b  # end\n"),
        ("a; gone\n", "a\n"),
        ("a; gone  # end\n", "a  # end\n"),
        ("gone; b\n", "b\n"),
        ("a; gone; b\n", "a; b\n"),
        ("a ;gone\n", "a\n"),
        ("gone;\nb\n", "b\n"),
    ],
)
def test_a_statement_is_deleted(rewrite, source: str, expected: str) -> None:
    assert rewrite(source, lambda s: DeleteStatement(s.statement("gone"))) == expected


@pytest.mark.parametrize("source", ["gone  # why\nb\n", "gone(\n    # why\n)\n", "a\nif gone:\n    b  # why\n"])
def test_a_statement_with_a_comment_is_not_deleted(rewrite, source: str) -> None:
    with pytest.raises(RewriteRefused, match="comment `# why` would be lost"):
        rewrite(source, lambda s: DeleteStatement(s.statement("gone" if "if" not in source else "if gone")))


def test_a_hash_in_a_string_is_no_comment(rewrite) -> None:
    assert rewrite("a\ngone('#')\n", lambda s: DeleteStatement(s.statement("gone"))) == "a\n"


def test_a_comment_that_is_elsewhere_too_is_counted(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="would be lost"):
        rewrite("a  # x\ngone  # x\n", lambda s: DeleteStatement(s.statement("gone")))


def test_an_emptied_block_gets_one_pass(rewrite) -> None:
    changed = rewrite(
        "if x:\n    a\n    b\nc\n",
        lambda s: DeleteStatement(s.statement("b")),
        lambda s: DeleteStatement(s.statement("a")),
    )

    assert changed == "if x:\n    pass\nc\n"


def test_an_emptied_block_that_is_filled_gets_no_pass(rewrite) -> None:
    changed = rewrite(
        "if x:\n    a\nc\n",
        lambda s: DeleteStatement(s.statement("a")),
        lambda s: AppendToBlock(s.statement("if x"), "NEW"),
    )

    assert changed == "if x:\n    NEW\nc\n"


def test_the_last_lines_of_a_file_without_newline_go(rewrite) -> None:
    changed = rewrite(
        "a\nb\nc", lambda s: DeleteStatement(s.statement("b")), lambda s: DeleteStatement(s.statement("c"))
    )

    assert changed == "a"


def test_lines_are_appended_where_the_last_one_goes(rewrite) -> None:
    changed = rewrite(
        "if x:\n    a\n    b\nc\n",
        lambda s: DeleteStatement(s.statement("b")),
        lambda s: AppendToBlock(s.statement("if x"), "NEW"),
        lambda s: InsertAfter(s.statement("if x"), "out"),
    )

    assert changed == "if x:\n    a\n    NEW\nout\nc\n"


def test_lines_behind_a_block_whose_last_line_goes_at_the_end_of_the_file(rewrite) -> None:
    changed = rewrite(
        "if x:\n    a\n    b",
        lambda s: DeleteStatement(s.statement("b")),
        lambda s: InsertAfter(s.statement("if x"), "out"),
    )

    assert changed == "if x:\n    a\nout"


def test_neighbours_are_inserted_and_deleted_together(rewrite) -> None:
    changed = rewrite(
        "a\nb\nc\n",
        lambda s: InsertBefore(s.statement("b"), "NEW"),
        lambda s: DeleteStatement(s.statement("b")),
        lambda s: DeleteStatement(s.statement("a")),
        lambda s: InsertBefore(s.statement("c"), "other"),
    )

    assert changed == "NEW\nother\nc\n"


@pytest.mark.parametrize(
    ("source", "code", "expected"),
    [
        ("old  # end\nb\n", "new", "new  # end\nb\n"),
        ("if x:\n  old  # end\n", "one\ntwo", "if x:\n  one\n  two  # end\n"),
        ("a; old; b\n", "new", "a; new; b\n"),
        ("a; old; b  # end\n", "one\ntwo", "a\none\ntwo\nb  # end\n"),
        ("if x: old  # end\n", "one\ntwo", "if x:\n    one\n    two  # end\n"),
        ("if x: old  # end\n", "new", "if x: new  # end\n"),
        ("old", "new", "new"),
        ("# about\nold\n", "if x:\n    new", "# about\nif x:\n    new\n"),
    ],
)
def test_a_statement_is_replaced(rewrite, source: str, code: str, expected: str) -> None:
    assert rewrite(source, lambda s: ReplaceStatement(s.statement("old"), code)) == expected


@pytest.mark.parametrize("source", ["old\n", "a; old\n"])
def test_code_that_is_no_python_is_refused(rewrite, source: str) -> None:
    with pytest.raises(RewriteRefused, match="valid Python"):
        rewrite(source, lambda s: ReplaceStatement(s.statement("old"), "1 +"))


def test_lines_go_around_a_replaced_statement(rewrite) -> None:
    changed = rewrite(
        "a\nold\n",
        lambda s: ReplaceStatement(s.statement("old"), "new"),
        lambda s: InsertBefore(s.statement("old"), "one"),
        lambda s: InsertAfter(s.statement("old"), "two"),
    )

    assert changed == "a\none\nnew\ntwo\n"


def test_a_change_in_a_deleted_statement_is_refused(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="contradict"):
        rewrite("f(a)\n", lambda s: DeleteStatement(s.statement("f")), lambda s: AddKeyword(s.call("f"), "k", "1"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a\nb\nmoved  # end\nc\n", "moved  # end\na\nb\nc\n"),
        ("a\nb\nmoved", "moved\na\nb"),
        ("a\n\n# about moved\n# more\nmoved\nc\n", "# about moved\n# more\nmoved\na\n\nc\n"),
        ("# top\na\nmoved\n", "# top\nmoved\na\n"),
        ("x\n# about a\na\nmoved\n", "x\nmoved\n# about a\na\n"),
        ("a\nif x:\n    moved\n    b\n", "moved\na\nif x:\n    b\n"),
        ("a\nif x:\n    moved\n", "moved\na\nif x:\n    pass\n"),
        ("a\nif x: moved\n", "moved\na\nif x: pass\n"),
        ("a; moved  # end\n", "moved\na  # end\n"),
        ("a\nmoved; b  # end\n", "moved\na\nb  # end\n"),
        ("if x:\n    a\nmoved(\n  1\n)\n", "if x:\n    moved(\n      1\n    )\n    a\n"),
        ("if x: a\nmoved\n", "if x:\n    moved\n    a\n"),
        ("x; a\nmoved\n", "x\nmoved\na\n"),
    ],
)
def test_a_statement_moves_with_its_comments(rewrite, source: str, expected: str) -> None:
    assert rewrite(source, lambda s: MoveStatement(s.statement("moved"), s.statement("a"))) == expected


def test_a_compound_statement_moves_whole(rewrite) -> None:
    moved = '    def moved():\n        """Doc\n        string."""\n        if x:\n            y\n        # end\n'

    changed = rewrite(
        f"a\ndef g():\n    a\n{moved}    b\n", lambda s: MoveStatement(s.statement("def moved"), s.statement("a"))
    )

    assert changed == (
        'def moved():\n    """Doc\n        string."""\n    if x:\n        y\n    # end\na\ndef g():\n    a\n    b\n'
    )


def test_a_move_takes_changes_and_neighbours_along(rewrite) -> None:
    changed = rewrite(
        "a\nif x:\n    moved(1)\n    b\n",
        lambda s: MoveStatement(s.statement("moved"), s.statement("a")),
        lambda s: AddKeyword(s.call("moved"), "k", "2"),
        lambda s: InsertAfter(s.statement("moved"), "after"),
        lambda s: InsertBefore(s.statement("moved"), "before"),
    )

    assert changed == "before\nmoved(1, k=2)\nafter\na\nif x:\n    b\n"


def test_a_statement_moves_into_a_block_that_moves(rewrite) -> None:
    changed = rewrite(
        "a\nif x:\n    b\nmoved\n",
        lambda s: MoveStatement(s.statement("if x"), s.statement("a")),
        lambda s: MoveStatement(s.statement("moved"), s.statement("b")),
    )

    assert changed == "if x:\n    moved\n    b\na\n"


def test_two_statements_are_not_moved_into_each_other(rewrite) -> None:
    with pytest.raises(RewriteRefused):
        rewrite(
            "if x:\n    a\nif y:\n    b\n",
            lambda s: MoveStatement(s.statement("if x"), s.statement("b")),
            lambda s: MoveStatement(s.statement("if y"), s.statement("a")),
        )


def test_a_statement_is_not_moved_into_itself(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="into itself"):
        rewrite("if x:\n    a\n", lambda s: MoveStatement(s.statement("if x"), s.statement("a")))


TAPE = """\
def step(x):
    with tape:
        loss = model(x)  # forward

        # the gradient
        grads = tape.gradient(
            loss, weights)

        # and apply
        opt.apply(grads)
        # done

    return loss
"""


def test_the_last_statements_move_out_of_their_block(rewrite) -> None:
    changed = rewrite(TAPE, lambda s: MoveOutOfBlock((s.statement("grads"), s.statement("opt")), s.statement("with")))

    assert (
        changed
        == """\
def step(x):
    with tape:
        loss = model(x)  # forward

    # the gradient
    grads = tape.gradient(
        loss, weights)

    # and apply
    opt.apply(grads)
    # done

    return loss
"""
    )


def test_what_moves_out_of_a_block_may_change_on_the_way(rewrite) -> None:
    changed = rewrite(
        TAPE,
        lambda s: MoveOutOfBlock((s.statement("grads"), s.statement("opt")), s.statement("with")),
        lambda s: AppendToBlock(s.statement("with"), "scaled = opt.scale_loss(loss)"),
        lambda s: ReplaceExpression(s.call("tape.gradient").args[0], "scaled"),
        lambda s: InsertBefore(s.statement("opt"), "grads = clip(grads)"),
        lambda s: InsertAfter(s.statement("with"), "count += 1"),
        lambda s: WrapExpression(s.expression("tape.gradient(loss, weights)"), "mean(", ")"),
        lambda s: ReplaceExpression(s.expression("tape"), "tape2"),
    )

    assert (
        changed
        == """\
def step(x):
    with tape2:
        loss = model(x)  # forward
        scaled = opt.scale_loss(loss)

    # the gradient
    grads = mean(tape.gradient(
        scaled, weights))

    grads = clip(grads)
    # and apply
    opt.apply(grads)
    # done
    count += 1

    return loss
"""
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("for x in y:\n\ta\n\tb", "for x in y:\n\ta\nb"),
        ("for x in y: a; b  # end\nc\n", "for x in y: a  # end\nb\nc\n"),
        ("for x in y:\n    a; b\n", "for x in y:\n    a\nb\n"),
        ("for x in y:\n    a\n    b = '''\n    text\n  '''\n", "for x in y:\n    a\nb = '''\n    text\n  '''\n"),
        ("for x in y:\r\n    a\r\n    b(\r\n        1)\r\n", "for x in y:\r\n    a\r\nb(\r\n    1)\r\n"),
        ("for x in y:\n    a\n    b + \\\n        c\n", "for x in y:\n    a\nb + \\\n        c\n"),
    ],
)
def test_odd_layouts_move_out_of_a_block(rewrite, source: str, expected: str) -> None:
    changed = rewrite(source, lambda s: MoveOutOfBlock((s.statement("b"),), s.statement("for")))

    assert changed == expected


@pytest.mark.parametrize(
    ("source", "moved", "reason"),
    [
        ("if x:\n    a\n    b\n", ("a", "b"), "nothing would remain"),
        ("if x:\n    a\n    b\n", ("a",), "last statements"),
        ("if x:\n    a\n    b\nelse:\n    c\n", ("b",), "without an `else`"),
        ("if z: z\nelif x:\n    a\n    b\n", ("b",), "without an `else`"),
    ],
)
def test_some_statements_stay_in_their_block(rewrite, source: str, moved: tuple[str, ...], reason: str) -> None:
    with pytest.raises(RewriteRefused, match=reason):
        rewrite(source, lambda s: MoveOutOfBlock(tuple(map(s.statement, moved)), s.statement("if x")))


def test_a_header_changes_while_its_block_does(rewrite) -> None:
    changed = rewrite(
        "if f(x): a\n",
        lambda s: AddKeyword(s.call("f"), "k", "1"),
        lambda s: InsertBefore(s.statement("a"), "NEW"),
        lambda s: ReplaceExpression(s.expression("a"), "b"),
    )

    assert changed == "if f(x, k=1):\n    NEW\n    b\n"


def test_code_that_ends_a_string_elsewhere_is_refused(rewrite) -> None:
    with pytest.raises(RewriteRefused):
        rewrite("a\nb\n", lambda s: InsertBefore(s.statement("b"), "'''"))


def test_nothing_asked_changes_nothing(rewrite) -> None:
    assert rewrite("a ; b\r\n") == "a ; b\r\n"


def test_a_node_of_another_file_is_refused(rewrite, found) -> None:
    other = found("z\n")

    with pytest.raises(RewriteRefused, match="another file"):
        rewrite("a\nb\n", lambda s: InsertBefore(other.statement("z"), "NEW"))


@pytest.mark.parametrize("intent", [InsertAfter, InsertBefore])
def test_lines_inside_a_deleted_block_are_refused(rewrite, intent) -> None:
    with pytest.raises(RewriteRefused, match="contradict"):
        rewrite(
            "if x:\n    a\nif y:\n    b\n",
            lambda s: DeleteStatement(s.statement("if y")),
            lambda s: intent(s.statement("b"), "NEW"),
        )


def test_lines_appended_to_a_deleted_block_are_refused(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="contradict"):
        rewrite(
            "if x:\n    a\nif y:\n    b\n",
            lambda s: DeleteStatement(s.statement("if y")),
            lambda s: AppendToBlock(s.statement("if y"), "NEW"),
        )
