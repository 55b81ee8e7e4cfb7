"""Template methods: what an abstract class leaves to its heirs is run on each of them, after the class itself."""

from __future__ import annotations

from stub_library import story

BASE = """
        class Base:
            def run(self, given):
                lib.show(self.part(given))
            def part(self, given):
                {rest}
        class One(Base):
            def part(self, given):
                return "one"
        class Two(Base):
            def part(self, given):
                return "two"
        class Apart(Base):
            def run(self, given):
                return given
            def part(self, given):
                return "apart"
"""


def test_a_template_method_runs_on_every_heir_that_takes_it_as_it_is() -> None:
    assert story(BASE.format(rest="raise NotImplementedError()"), last_pass=True) == ["nothing", "'one'", "'two'"]


def test_a_method_that_works_by_itself_runs_on_one_object() -> None:
    assert story(BASE.format(rest="return 0"), last_pass=True) == ["0"]


def test_what_an_heir_raises_ends_no_other_run() -> None:
    assert story(
        """
        class Base:
            def run(self, given):
                lib.show(self.part())
            def part(self):
                raise NotImplementedError
        class One(Base):
            def __init__(self, size):
                raise ValueError(size)
            def part(self):
                return "one"
        class Two(Base):
            def part(self):
                return "two"
        """,
        last_pass=True,
    ) == ["nothing", "'one'", "'two'"]


def test_each_way_to_fill_a_template_runs_before_a_second_heir_of_one() -> None:
    heirs = "".join(f"        class Like{name}(One):\n            pass\n" for name in "ABCD")
    late = BASE.format(rest="raise NotImplementedError()").replace("        class Two", f"{heirs}        class Two")

    assert story(late, last_pass=True)[:3] == ["nothing", "'one'", "'two'"]
