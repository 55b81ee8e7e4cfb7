"""Each way out of each statement: what is said to run after it is what runs."""

from __future__ import annotations

import itertools
import textwrap

import pytest
from concrete import really_shown, said_to_be_shown
from stub_library import shown, trace

FORMS = {
    "if": "if args.f0:\n EXIT",
    "else": "if args.f1:\n lib.show(3)\nelse:\n if args.f0:\n  EXIT",
    "elif": "if args.f1:\n pass\nelif args.f0:\n EXIT\nelse:\n lib.show(3)",
    "nested if": "if args.f0:\n if args.f1 or args.f2:\n  EXIT\n lib.show(3)",
    "for": "for i in (1, 2):\n if args.f0:\n  EXIT\n lib.show(i)\nelse:\n lib.show(3)",
    "while": "while True:\n if args.f0:\n  EXIT\n break",
    "with": "with Manager():\n if args.f0:\n  EXIT\n lib.show(3)",
    "generator manager": "with managed():\n if args.f0:\n  EXIT\n lib.show(3)",
    "try": "try:\n if args.f0:\n  EXIT\n lib.show(3)\nexcept KeyError:\n lib.show(4)",
    "try that catches": "try:\n if args.f0:\n  EXIT\n lib.show(3)\nexcept ValueError:\n lib.show(4)",
    "handler": "try:\n if args.f1:\n  raise KeyError\nexcept KeyError:\n if args.f0:\n  EXIT\n lib.show(4)",
    "else of try": "try:\n lib.show(3)\nexcept ValueError:\n lib.show(4)\nelse:\n if args.f0:\n  EXIT",
    "finally": "try:\n if args.f0:\n  EXIT\nfinally:\n lib.show(3)",
    "in finally": "try:\n lib.show(3)\nfinally:\n if args.f0:\n  EXIT",
    "match": "match 1 if args.f0 else 2:\n case 1:\n  EXIT\n case _:\n  lib.show(3)",
    "conditional": "lib.show(leave() if args.f0 else 3)",
    "operand": "args.f1 and args.f0 and leave()",
}
EXITS = {
    "return": "return 1",
    "raise": 'raise ValueError("no")',
    "break": "break",
    "continue": "continue",
    "sys.exit": "sys.exit(1)",
    "helper": "leave()",
    "partial helper": "leave_if(args.f2)",
    "assert": "assert args.f2",
}
NO_PLACE = {("while", "continue")}
"""Combinations that never end."""

PROGRAM = """\
import contextlib
import sys
import lib
args = lib.args()
class Manager:
 def __enter__(self):
  lib.show(20)
 def __exit__(self, *rest):
  lib.show(21)
@contextlib.contextmanager
def managed():
 lib.show(22)
 yield
def leave():
 raise ValueError("no")
def leave_if(x):
 if x:
  raise ValueError("no")
def f():
 for k in (1, 2):
{statement}
  lib.show(k)
 else:
  lib.show(8)
 lib.show(9)
 return 0
try:
 f()
except (ValueError, AssertionError):
 lib.show(7)
lib.show(6)
"""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way_out", EXITS)
def test_what_runs_after_an_exit(form: str, way_out: str) -> None:
    if (form, way_out) in NO_PLACE:
        return
    statement = textwrap.indent(FORMS[form].replace("EXIT", EXITS[way_out]), "  ")
    source = PROGRAM.format(statement=statement)
    occurrences = shown(trace(source))

    for flags in itertools.product((False, True), repeat=3):
        assert said_to_be_shown(occurrences, flags) == really_shown(source, flags), f"{flags}\n{source}"
