"""Random programs that run: flags decide their paths, `lib.show` tells what they do."""

from __future__ import annotations

import random

FLAGS = 4
HEADER = """\
import contextlib
import functools
import sys
import lib
args = lib.args()
class O:
 x = 0
 flag = False
 def __init__(self, start=1, *rest, **named):
  self.n = start
  if args.f0:
   self.n = 3
 def m(self, p):
  if args.f1:
   self.n = p
   return self.n
  return p
 @property
 def q(self):
  return self.x if args.f2 else self.n
class P(O):
 def m(self, p=2, *, k=1):
  if args.f3:
   return k
  return super().m(p)
class M:
 def __enter__(self):
  lib.show(70)
  return self
 def __exit__(self, *rest):
  lib.show(71)
@contextlib.contextmanager
def managed(p):
 lib.show(72)
 yield p
def risky(p):
 if args.f0 and p == 1:
  raise ValueError("no")
 if args.f1:
  raise KeyError("no")
 return p
def pick(p, *rest, k=0, **named):
 if rest:
  return rest[0]
 return named["z"] if "z" in named else p if k == 0 else k
def counted():
 n = 0
 def add(by):
  nonlocal n
  n = n + by if args.f2 else by
  return n
 return add
add = counted()
def set_c(p):
 global c
 if args.f3:
  c = p
o = O()
w = P(2)
flag = False
a = 0
b = 1
c = 2
"""
FOOTER = "lib.show(a)\nlib.show(b)\nlib.show(c)\nlib.show(o.x)\nlib.show(o.n)\nlib.show(w.n)\nlib.show(flag)\n"


class Programs:
    """Makes one program of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names = ["a", "b", "c"]
        self.functions: list[str] = []
        self.inside_function = False

    def make(self) -> str:
        """The text of a program."""
        lines = [HEADER]
        for index in range(self.random.randrange(3)):
            lines += self.function(f"fn{index}")
            self.functions.append(f"fn{index}")
        for _ in range(self.random.randrange(2, 8)):
            lines += self.statement("", 0, loop=False)
        return "\n".join(lines) + "\n" + FOOTER

    def function(self, name: str) -> list[str]:
        saved, self.names, self.inside_function = self.names, ["p", "l"], True
        lines = [f"def {name}(p=1):", " l = p", *self.block(" ", 1, loop=False), " return l"]
        self.names, self.inside_function = saved, False
        return lines

    def one_of(self, *choices: str) -> str:
        return self.random.choice(choices)

    def name(self) -> str:
        return self.random.choice(self.names)

    def condition(self, depth: int = 0) -> str:
        flag = f"args.f{self.random.randrange(FLAGS)}"
        kind = self.random.random()
        if kind < 0.5 or depth > 1:
            return flag
        one, two = self.condition(depth + 1), self.condition(depth + 1)
        number = self.random.randrange(4)
        if kind < 0.75:
            return self.one_of(f"not {one}", f"({one} and {two})", f"({one} or {two})")
        if kind < 0.9:
            return self.one_of(
                f"{self.name()} == {number}", f"{self.name()} != {number}", f"{number} < {self.name()} <= 3",
                f"{self.name()} in (1, 2)", f"{self.name()} is None",
            )  # fmt: skip
        return self.one_of("flag", "o.flag", "isinstance(o, P)", "w.q == 2")

    def expression(self, depth: int = 0) -> str:
        kind = self.random.random()
        if kind < 0.3 or depth > 1:
            return self.one_of(str(self.random.randrange(4)), self.name())
        one = self.expression(depth + 1)
        if kind < 0.5:
            return self.one_of("o.x", "o.n", "w.q", "o.q", f"w.m({one})", f"o.m({one})", f"w.m(k={one})", f"add({one})")
        if kind < 0.7:
            return f"({one} if {self.condition()} else {self.expression(depth + 1)})"
        if kind < 0.8 and self.functions:
            return f"{self.random.choice(self.functions)}({self.one_of(one, '')})"
        if kind < 0.9:
            return self.one_of(
                f"({one} or {self.name()})", f"({one} and {self.name()})", f"pick({one})", f"pick(0, {one})",
                f"pick(1, k={one})", f"pick(*(1, {one}))", f"pick(3, **{{'z': {one}}})", f"(lambda v: v)({one})",
                f"functools.partial(pick, {one})()", f"[v for v in (1, {one})][1]", f"{{'u': {one}}}['u']",
                f"[3, {one}][-1]", f"len([1, {one}])", f"getattr(o, 'n', {one})",
            )  # fmt: skip
        return f"({self.name()} + 1)"

    def block(self, indent: str, depth: int, *, loop: bool) -> list[str]:
        lines: list[str] = []
        for _ in range(self.random.randrange(1, 4)):
            lines += self.statement(indent, depth, loop=loop)
        return lines

    def statement(self, indent: str, depth: int, *, loop: bool) -> list[str]:
        kind = self.random.random()
        if kind < 0.45 or depth > 2:
            return [indent + self.simple()]
        if kind < 0.6:
            return self.branches(indent, depth, loop)
        inner = self.block(indent + " ", depth + 1, loop=loop)
        if kind < 0.68 and (self.inside_function or loop):
            return [indent + self.leave(loop)]
        if kind < 0.74 and not loop:
            return [
                f"{indent}for k in (1, 2):",
                *self.block(indent + " ", depth + 1, loop=True),
                *self.loop_end(indent),
            ]
        if kind < 0.84:
            return self.handled(indent, inner)
        if kind < 0.9:
            return [indent + self.one_of("with M():", "with managed(1):", "with M() as k, managed(2):"), *inner]
        if kind < 0.95:
            return self.cases(indent, depth, loop)
        if kind < 0.96:
            return [f"{indent}if {self.condition()}:", f"{indent} sys.exit()"]
        return [f"{indent}{self.name()} = {self.expression()}"]

    def simple(self) -> str:
        value = self.expression()
        local = not self.inside_function
        return self.one_of(
            f"{self.name()} = {value}", f"{self.name()} = {value}", f"lib.show({value})", f"lib.show({value})",
            f"o.x = {value}", f"w.n = {value}", f"o.flag = {self.condition()}", f"{self.name()}, _ = {value}, 1",
            f"flag = {self.condition()}" if local else f"lib.show({value})", f"set_c({value})",
            f"assert {self.condition()} or True", f"{self.name()} = (k := {value})", f"{self.name()} += 1",
        )  # fmt: skip

    def branches(self, indent: str, depth: int, loop: bool) -> list[str]:
        lines = [f"{indent}if {self.condition()}:", *self.block(indent + " ", depth + 1, loop=loop)]
        for _ in range(self.random.choice((0, 0, 1, 2))):
            lines += [f"{indent}elif {self.condition()}:", *self.block(indent + " ", depth + 1, loop=loop)]
        if self.random.random() < 0.5:
            lines += [f"{indent}else:", *self.block(indent + " ", depth + 1, loop=loop)]
        return lines

    def leave(self, loop: bool) -> str:
        choices = [f"return {self.expression()}"] if self.inside_function else []
        return self.one_of(*choices, *(("break", "continue") if loop else ()))

    def loop_end(self, indent: str) -> list[str]:
        return [f"{indent}else:", f"{indent} lib.show(8)"] if self.random.random() < 0.3 else []

    def handled(self, indent: str, inner: list[str]) -> list[str]:
        body = [*inner, f"{indent} {self.name()} = risky({self.expression()})", f"{indent} lib.show(6)"]
        handlers = self.one_of("except ValueError:", "except (ValueError, KeyError):", "except Exception:")
        lines = [f"{indent}try:", *body, indent + handlers, f"{indent} {self.name()} = {self.random.randrange(4)}"]
        if handlers == "except ValueError:":
            lines += [f"{indent}except KeyError as error:", f"{indent} lib.show({self.name()})"]
        if self.random.random() < 0.3:
            lines += [f"{indent}else:", f"{indent} lib.show(7)"]
        if self.random.random() < 0.4:
            lines += [f"{indent}finally:", f"{indent} lib.show(9)"]
        return lines

    def cases(self, indent: str, depth: int, loop: bool) -> list[str]:
        lines = [f"{indent}match {self.name()}:"]
        for pattern in ("case 0:", "case 1 | 2:", f"case 3 if {self.condition()}:", "case _:"):
            lines += [f"{indent} {pattern}", *self.block(indent + "  ", depth + 1, loop=loop)]
        return lines
