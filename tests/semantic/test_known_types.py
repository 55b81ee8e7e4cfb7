"""Values that nobody knows, but of which the type is known: texts, and what is not None."""

from __future__ import annotations

import pytest
from stub_library import story, trace


@pytest.mark.parametrize(
    "text",
    [
        "str(args.x)",
        "'-c ' + str(args.x) + ' -q'",
        "'%s' % args.x",
        "f'{args.x}'",
        "'{}'.format(args.x)",
    ],
)
def test_what_makes_a_text_is_one_and_is_not_none(text: str) -> None:
    assert story(
        f"""
        x = {text}
        lib.show(x is None, x == None, isinstance(x, str), isinstance(x, list), isinstance(x, (list, str)))
        """
    ) == ["False, False, True, False, True"]


def test_what_is_computed_is_not_none() -> None:
    assert story("lib.show(args.x + 1 is None, len(args.x) is None, -args.x is not None)") == ["False, False, True"]


def test_what_is_read_may_be_none_and_of_any_type() -> None:
    assert story("if args.x is None: lib.show(1)\nif isinstance('a' + args.x, str): lib.show(2)") == [
        "1 if `args.x == None`",
        "2 if `isinstance('a' + args.x, builtins.str)`",
    ]


def test_a_text_is_one_however_often_a_function_is_called() -> None:
    calls = "\n".join(f"f('{index}')" for index in range(6))

    assert (
        story(f"def f(x): lib.show(isinstance(x, str), isinstance(x, list), x is None)\n{calls}")
        == ["True, False, False"] * 6
    )


OPTIONS = """
class Parser:
    def __init__(self, options):
        if options is None:
            options = ''
        if isinstance(options, list):
            argv = options
        elif isinstance(options, str):
            argv = options.split()
        i = 0
        while i < len(argv):
            {}
            else:
                raise ValueError('Wrong options')
            i += 1
        lib.show(i < 3)
"""
BRANCHES = "\n            ".join(
    f"{word} argv[i] == '-{letter}':\n                i = i + 1\n                self.{letter} = argv[i]"
    for word, letter in zip(["if", *["elif"] * 10], "scpeBvwqxyz", strict=True)
)


def test_an_option_parser_is_read_to_its_end() -> None:
    parser = f"import lib\nargs = lib.args()\n{OPTIONS.format(BRANCHES)}\n"
    calls = "\n".join(f"Parser('-s {index} -c ' + str(args.c))" for index in range(8))

    assert not trace(parser + calls).cuts
