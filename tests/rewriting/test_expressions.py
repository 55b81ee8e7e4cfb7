"""Changes inside one statement: calls, values, wrappers, parentheses."""

from __future__ import annotations

import pytest

from mpfix.rewriting.edits import AddKeyword, RemoveArgument, ReplaceExpression, SetKeyword, WrapExpression
from mpfix.rewriting.splice import RewriteRefused

FLOAT32 = ("dtype", '"float32"')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("f()", 'f(dtype="float32")'),
        ("f( )", 'f( dtype="float32")'),
        ("f(a)", 'f(a, dtype="float32")'),
        ("f(a,b)", 'f(a,b,dtype="float32")'),
        ("f(a, b,)", 'f(a, b, dtype="float32",)'),
        ("f(a )", 'f(a, dtype="float32" )'),
        ("f(a = 1)", 'f(a = 1, dtype = "float32")'),
        ("f(a, *b)", 'f(a, *b, dtype="float32")'),
        ("f(**k)", 'f(dtype="float32", **k)'),
        ("f(a, **k)", 'f(a, dtype="float32", **k)'),
        ("f(a, **k, b=1, **m)", 'f(a, **k, b=1, dtype="float32", **m)'),
        ("f(x for x in y)", 'f((x for x in y), dtype="float32")'),
        ("f((x for x in y))", 'f((x for x in y), dtype="float32")'),
        ("f(a, \\\n  b)", 'f(a, \\\n  b, \\\n  dtype="float32")'),
        ("f(\n    a,\n    b,\n)", 'f(\n    a,\n    b,\n    dtype="float32",\n)'),
        ("f(\n    a,\n    b\n)", 'f(\n    a,\n    b,\n    dtype="float32"\n)'),
        ("f(\n    a\n)", 'f(\n    a,\n    dtype="float32"\n)'),
        ("f(a,\n  b)", 'f(a,\n  b,\n  dtype="float32")'),
        ("f(\n    a, b\n)", 'f(\n    a, b, dtype="float32"\n)'),
        ("f(\n    a,  # one\n    b,  # two\n)", 'f(\n    a,  # one\n    b,  # two\n    dtype="float32",\n)'),
        ("f(\n    a,\n    b  # two\n)", 'f(\n    a,\n    b,  # two\n    dtype="float32"\n)'),
        ("f(\n    a,\n    # last\n)", 'f(\n    a,\n    # last\n    dtype="float32",\n)'),
        ("f(\n    a,\n    **k,  # rest\n)", 'f(\n    a,\n    dtype="float32",\n    **k,  # rest\n)'),
        ("f(\n    **k\n)", 'f(\n    dtype="float32",\n    **k\n)'),
        ("f(  # why\n    a)", 'f(  # why\n    a,\n    dtype="float32")'),
        ("f(\n    # nothing\n)", 'f(\n    # nothing\ndtype="float32")'),
        ("f(a, b  # two\n  )", 'f(a, b,  # two\n  dtype="float32"\n  )'),
    ],
)
def test_a_keyword_follows_the_layout_of_its_call(rewrite, before: str, after: str) -> None:
    assert rewrite(f"x = {before}  # end\n", lambda s: AddKeyword(s.call("f("), *FLOAT32)) == f"x = {after}  # end\n"


def test_two_calls_of_one_statement_change_together(rewrite) -> None:
    source = "model = Sequential([\n    Dense(64),\n    Dense(10, activation='softmax'),\n])\n"

    changed = rewrite(
        source,
        lambda s: AddKeyword(s.call("Dense(64"), *FLOAT32),
        lambda s: AddKeyword(s.call("Dense(10"), *FLOAT32),
        lambda s: AddKeyword(s.call("Sequential("), "name", '"net"'),
    )

    assert changed == (
        'model = Sequential([\n    Dense(64, dtype="float32"),\n'
        '    Dense(10, activation=\'softmax\', dtype="float32"),\n], name="net")\n'
    )


def test_two_keywords_of_one_call_keep_their_order(rewrite) -> None:
    changed = rewrite(
        "f(a)\n", lambda s: AddKeyword(s.call("f("), "b", "1"), lambda s: AddKeyword(s.call("f("), "c", "2")
    )

    assert changed == "f(a, b=1, c=2)\n"


def test_a_tuple_becomes_one_argument(rewrite) -> None:
    assert rewrite("f(a)\n", lambda s: AddKeyword(s.call("f("), "shape", "1, 2")) == "f(a, shape=(1, 2))\n"


def test_a_keyword_that_is_there_is_not_added(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="already"):
        rewrite("f(dtype=1)\n", lambda s: AddKeyword(s.call("f("), *FLOAT32))


def test_a_keyword_takes_a_new_value(rewrite) -> None:
    changed = rewrite(
        "f(a, activation='softmax',  # probabilities\n  b=1)\n",
        lambda s: SetKeyword(s.call("f("), "activation", "None"),
    )

    assert changed == "f(a, activation=None,  # probabilities\n  b=1)\n"


def test_a_keyword_that_is_missing_cannot_be_set(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="no argument `b`"):
        rewrite("f(a)\n", lambda s: SetKeyword(s.call("f("), "b", "1"))


@pytest.mark.parametrize(
    ("before", "argument", "after"),
    [
        ("f(a)", 0, "f()"),
        ("f(\n    a,\n)", 0, "f()"),
        ("f(a, b)", 0, "f(b)"),
        ("f(a, b)", 1, "f(a)"),
        ("f(a, b,)", 1, "f(a,)"),
        ("f(a, k=1)", "k", "f(a)"),
        ("f(k=1, *a)", 0, "f(k=1)"),
        ("f(a, k=1, **m)", "k", "f(a, **m)"),
        ("f(\n    a,\n    b,\n)", 1, "f(\n    a,\n)"),
        ("f(\n    a,\n    b\n)", 1, "f(\n    a\n)"),
        ("f(\n    a,  # one\n    b,\n)", 1, "f(\n    a,  # one\n)"),
        ("f(\n    a,  # one\n    b\n)", 1, "f(\n    a  # one\n)"),
        ("f(\n    a,\n    b,  # two\n)", 0, "f(\n    b,  # two\n)"),
    ],
)
def test_an_argument_goes_with_its_comma(rewrite, before: str, argument: int | str, after: str) -> None:
    assert rewrite(f"{before}\n", lambda s: RemoveArgument(s.call("f("), argument)) == f"{after}\n"


def test_an_argument_with_a_comment_stays(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="comment `# two` would be lost"):
        rewrite("f(\n    a,\n    b,  # two\n)\n", lambda s: RemoveArgument(s.call("f("), 1))


def test_arguments_come_and_go_in_one_call(rewrite) -> None:
    changed = rewrite(
        "f(a, b, c=1)\n",
        lambda s: RemoveArgument(s.call("f("), 0),
        lambda s: RemoveArgument(s.call("f("), "c"),
        lambda s: AddKeyword(s.call("f("), "d", "2"),
    )

    assert changed == "f(b, d=2)\n"


@pytest.mark.parametrize(
    ("before", "code", "after"),
    [
        ("y = x", "a + b", "y = a + b"),
        ("y = x", "a, b", "y = a, b"),
        ("y = 2 * x", "a + b", "y = 2 * (a + b)"),
        ("y = 2 + x", "a * b", "y = 2 + a * b"),
        ("y = 2 - x", "a - b", "y = 2 - (a - b)"),
        ("y = x - 2", "a - b", "y = a - b - 2"),
        ("y = x ** 2", "-a", "y = (-a) ** 2"),
        ("y = 2 ** x", "-a", "y = 2 ** -a"),
        ("y = x ** 2", "a ** b", "y = (a ** b) ** 2"),
        ("y = -x", "a + b", "y = -(a + b)"),
        ("y = not x", "a and b", "y = not (a and b)"),
        ("y = x and z", "a or b", "y = (a or b) and z"),
        ("y = x < z", "a == b", "y = (a == b) < z"),
        ("y = x.shape", "a + b", "y = (a + b).shape"),
        ("y = x.real", "1", "y = (1).real"),
        ("y = x(1)", "lambda z: z", "y = (lambda z: z)(1)"),
        ("y = x[0]", "a or b", "y = (a or b)[0]"),
        ("y = z[x]", "a, b", "y = z[(a, b)]"),
        ("y = f(x)", "a if b else c", "y = f(a if b else c)"),
        ("y = x if a else b", "c if d else e", "y = (c if d else e) if a else b"),
        ("y = f(*x)", "a or b", "y = f(*(a or b))"),
        ("y = {**x}", "a or b", "y = {**(a or b)}"),
        ("y = [z for z in x]", "a if b else c", "y = [z for z in (a if b else c)]"),
        ("y = (x) * 2", "a + b", "y = (a + b) * 2"),
        ("y = (x + 1) * 2", "a", "y = (x + 1) * 2"),
        ("for z in x: pass", "a, b", "for z in (a, b): pass"),
        ("with x as z: pass", "a, b", "with (a, b) as z: pass"),
        ("return_ = await_(x)", "(yield)", "return_ = await_((yield))"),
        ("y = f(x)", "(a\n   + b)", "y = f((a\n   + b))"),
    ],
)
def test_an_expression_is_parenthesised_where_it_must_be(rewrite, before: str, code: str, after: str) -> None:
    target = "x" if code != "a" else "x + 1"
    expected = after if code != "a" else "y = a * 2"

    assert rewrite(before, lambda s: ReplaceExpression(s.expression(target), code)) == expected


@pytest.mark.parametrize(
    ("before", "target", "around", "after"),
    [
        ("y = loss", "loss", ("opt.scale(", ")"), "y = opt.scale(loss)"),
        ("y = (a + b) * c", "a + b", ("f(", ")"), "y = f(a + b) * c"),
        ("y = (a +\n     b)", "a + b", ("f(", ")"), "y = f(a +\n     b)"),
        ("y = (  # why\n    a + b) * c", "a + b", ("f(", ")"), "y = (  # why\n    f(a + b)) * c"),
        ("y = a + b", "a + b", ("2 * ", ""), "y = 2 * (a + b)"),
        ("y = x.a + b", "x.a", ("", " / n"), "y = x.a / n + b"),
        ("y = x / a", "a", ("", " * n"), "y = x / (a * n)"),
        ("y = a, b", "(a, b)", ("f(", ")"), "y = f((a, b))"),
        ("y = (a, b)", "(a, b)", ("f(", ")"), "y = f((a, b))"),
        ("y = ((a, b))", "(a, b)", ("f(", ")"), "y = f((a, b))"),
        ("y = (x for x in z)", "(x for x in z)", ("list(", ")"), "y = list((x for x in z))"),
        ("y = f(x for x in z)", "(x for x in z)", ("g(", ")"), "y = f(g(x for x in z))"),
        ("y = f( x for x in z )", "(x for x in z)", ("[*", "]"), "y = f( [*(x for x in z)] )"),
        ("y = ('a'\n     'b')", "'ab'", ("f(", ")"), "y = f('a'\n     'b')"),
        ("y = f(a)(b)", "f(a)", ("g(", ")"), "y = g(f(a))(b)"),
        ("if (n := f(x)) > 1: pass", "f(x)", ("g(", ")"), "if (n := g(f(x))) > 1: pass"),
        ("y = f(a)", "a", ("", ".numpy()"), "y = f(a.numpy())"),
        ("y = f(-a)", "-a", ("", ".numpy()"), "y = f((-a).numpy())"),
    ],
)
def test_an_expression_is_wrapped_with_its_own_source(rewrite, before, target, around, after) -> None:
    assert rewrite(before, lambda s: WrapExpression(s.expression(target), *around)) == after


def test_a_wrapper_keeps_the_change_inside(rewrite) -> None:
    changed = rewrite(
        "loss = mse(y, model(x))\n",
        lambda s: WrapExpression(s.expression("mse(y, model(x))"), "tf.reduce_mean(", ")"),
        lambda s: AddKeyword(s.call("model("), "training", "True"),
        lambda s: ReplaceExpression(s.expression("y"), "a + b"),
    )

    assert changed == "loss = tf.reduce_mean(mse(a + b, model(x, training=True)))\n"


def test_wrappers_of_one_expression_go_around_each_other(rewrite) -> None:
    changed = rewrite(
        "y = a + b\n",
        lambda s: WrapExpression(s.expression("a + b"), "", " / n"),
        lambda s: WrapExpression(s.expression("a + b"), "f(", ")"),
    )

    assert changed == "y = f((a + b) / n)\n"


def test_a_change_inside_a_replaced_expression_is_refused(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="drops"):
        rewrite(
            "y = f(a)\n",
            lambda s: ReplaceExpression(s.expression("f(a)"), "b"),
            lambda s: ReplaceExpression(s.expression("a"), "c"),
        )


def test_the_function_and_the_arguments_of_a_call_change_together(rewrite) -> None:
    changed = rewrite(
        "opt = mixed_precision.experimental.LossScaleOptimizer(opt, 'dynamic')\n",
        lambda s: ReplaceExpression(
            s.expression("mixed_precision.experimental.LossScaleOptimizer"), "mixed_precision.LossScaleOptimizer"
        ),
        lambda s: RemoveArgument(s.call("mixed"), 1),
    )

    assert changed == "opt = mixed_precision.LossScaleOptimizer(opt)\n"


@pytest.mark.parametrize(
    "source", ["opt.lr = 1\n", "opt.lr += 1\n", "del opt.lr\n", "for opt.lr in x: y\n", "a, (opt.lr, *b) = c\n"]
)
def test_an_assigned_name_is_replaced(rewrite, source: str) -> None:
    changed = rewrite(source, lambda s: ReplaceExpression(s.expression("opt.lr"), "opt.learning_rate"))

    assert changed == source.replace("lr", "learning_rate")


def test_what_cannot_be_assigned_is_refused(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="valid Python"):
        rewrite("x = 1\n", lambda s: ReplaceExpression(s.expression("x"), "f()"))


def test_an_expression_inside_an_f_string_is_refused(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="f-string"):
        rewrite("print(f'{loss}')\n", lambda s: ReplaceExpression(s.expression("loss"), "x"))


def test_an_argument_beside_an_f_string_changes(rewrite) -> None:
    source = "print(f'{a}', f'''\n{b}''', loss)\n"

    changed = rewrite(source, lambda s: ReplaceExpression(s.expression("loss"), "x"))

    assert changed == source.replace("loss", "x")


@pytest.mark.parametrize(
    "header",
    [
        "if f(x):\n    y",
        "if a:\n    y\nelif f(x):  # why: because\n    y\nelse:\n    y",
        "while f(x): y",
        "for a in f(x):\n    y\nelse: z",
        "async def g():\n    async for a in f(x): y\n    async with f(a): y",
        "with a as b, f(x) as c: y",
        "with (\n    a as b,  # one: two\n    f(x) as c\n): y",
        "def g(a, b=f(x), *, c: int) -> d: y",
        "class A(B, metaclass=f(x)): y",
        "try:\n    y\nexcept f(x) as e:\n    y\nfinally: y",
        "match f(x):\n    case 1: y",
        "match z:\n    case [1, *_] if f(x):\n        y\n    case _: y",
        "@a\n@f(x)  # why\n@b\ndef g(): y",
        "class A:\n    @a\n    @(f(x))\n    class B: y",
        "if a: y; f(x); z",
        "lambda a=f(x): 1",
        "x: int = f(x)",
        "assert f(x), 'why'",
        "del a[f(x)]",
        "a = b = f(x)\nc",
        "global a; f(x)",
    ],
)
def test_every_header_and_statement_can_change(rewrite, header: str) -> None:
    changed = rewrite(header, lambda s: AddKeyword(s.call("f(x"), "k", "1"))

    assert changed == header.replace("f(x)", "f(x, k=1)")


def test_columns_are_counted_in_characters(rewrite) -> None:
    source = "größe = 'Überfluß 🦆'; f('é', ärger)\n"

    assert rewrite(source, lambda s: AddKeyword(s.call("f("), *FLOAT32)) == source.replace(
        "ärger)", 'ärger, dtype="float32")'
    )


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_new_lines_end_like_the_others(rewrite, newline: str) -> None:
    source = "f(\n    a,\n    b,\n)\nx\n".replace("\n", newline)

    changed = rewrite(source, lambda s: AddKeyword(s.call("f("), *FLOAT32))

    assert changed == source.replace(f"b,{newline}", f'b,{newline}    dtype="float32",{newline}')


def test_code_of_several_lines_gets_the_newline_of_the_file(rewrite) -> None:
    changed = rewrite("x = f(a)\r\n", lambda s: ReplaceExpression(s.expression("a"), "[\n    1,\n]"))

    assert changed == "x = f([\r\n    1,\r\n])\r\n"


@pytest.mark.parametrize(
    "deep",
    ["-" * 150 + "a", "+".join("a" * 150), "(" * 120 + "a" + ")" * 120, f"[{', '.join('a' * 2100)}]", "'a'" * 2100],
)
def test_what_libcst_may_not_survive_is_refused(rewrite, deep: str) -> None:
    with pytest.raises(RewriteRefused, match="more than"):
        rewrite(f"f(x, {deep})\n", lambda s: AddKeyword(s.call("f(x"), "k", "1"))


def test_depth_elsewhere_in_the_file_does_not_matter(rewrite) -> None:
    deep = "y = " + "+".join("a" * 400) + "\n"

    assert rewrite(deep + "f(x)\n", lambda s: AddKeyword(s.call("f(x"), "k", "1")) == deep + "f(x, k=1)\n"


@pytest.mark.parametrize("code", ["1 +", "a) + (b", "x = 1", ""])
def test_what_is_no_expression_is_refused(rewrite, code: str) -> None:
    with pytest.raises(RewriteRefused):
        rewrite("f(x)\n", lambda s: ReplaceExpression(s.expression("x"), code))


def test_a_comment_in_a_replaced_expression_is_not_lost(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="comment `# why`"):
        rewrite("y = f(\n  a,  # why\n)\n", lambda s: ReplaceExpression(s.expression("f(a)"), "b"))
