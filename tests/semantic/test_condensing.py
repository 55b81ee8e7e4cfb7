"""More alternatives than a cell may keep: what is known of it stays known, as far as fewer alternatives can say it."""

from __future__ import annotations

import textwrap
from itertools import product
from random import Random

import pytest
from concrete import Opaque, really_shown, said_to_be_shown
from hypothesis import given, settings
from hypothesis import strategies as st
from stub_library import shown, spelled, trace

from mpfix.semantic.alternatives import Alternatives
from mpfix.semantic.budget import Limits
from mpfix.semantic.condensing import condensed, says_nothing
from mpfix.semantic.guards import Guard, is_maybe
from mpfix.semantic.literals import Every
from mpfix.semantic.values import Constant, Unknown, Value

BOOLEANS = "abcde"
LOST = Unknown(("lost",), "lost", cut=True)
VALUES: tuple[Value, ...] = (Constant(1), Constant(2), Unknown(("u",), "u"), Unknown(("v",), "v"))

literals = st.tuples(st.sampled_from(BOOLEANS), st.booleans())
guards = st.dictionaries(st.sampled_from(BOOLEANS), st.booleans(), min_size=1, max_size=3).map(
    lambda chosen: frozenset(chosen.items())
)
cells = st.tuples(
    st.lists(st.tuples(guards, st.sampled_from(VALUES)), min_size=5, max_size=12),
    st.booleans(),
    st.sampled_from(VALUES),
).map(lambda drawn: (*drawn[0], (frozenset(), drawn[2])) if drawn[1] else tuple(drawn[0]))


def holds(guard: Guard, assignment: dict[str, bool]) -> bool:
    return all(
        (holds(condition.guard, assignment) if isinstance(condition, Every) else assignment[str(condition)]) is sign
        for condition, sign in guard
    )


def chosen(alternatives: Alternatives[Value], assignment: dict[str, bool]) -> Value | None:
    return next((value for guard, value in alternatives if holds(guard, assignment)), None)


@given(cells)
@settings(deadline=None)
def test_fewer_alternatives_say_what_the_many_said(alternatives: Alternatives[Value]) -> None:
    fewer = condensed(alternatives, 7, LOST, 100)

    assert fewer is not None
    assert len(fewer) <= 7
    if any(is_maybe(guard) for guard, _ in fewer):
        return
    for signs in product((False, True), repeat=len(BOOLEANS)):
        assignment = dict(zip(BOOLEANS, signs, strict=True))
        before, after = chosen(alternatives, assignment), chosen(fewer, assignment)
        assert after == (LOST if isinstance(before, Unknown) else before)


def last_shown(source: str) -> tuple[str, set[str]]:
    """What the last `lib.show` of a program shows, and the bounds that the program hit."""
    found = trace("import lib\nargs = lib.args()\n" + textwrap.dedent(source))
    event = shown(found)[-1].event
    return ", ".join(map(spelled, event.values)), {cut.bound for cut in found.cuts}  # type: ignore[attr-defined]


def test_many_unknown_values_leave_a_known_one_as_it_is() -> None:
    writes = "".join(f"if args.f{index}:\n    x = lib.other({index})\n" for index in range(20))

    value, bounds = last_shown(f"x = 'float16'\n{writes}if args.known:\n    x = 'known'\nlib.show(x)\n")

    assert value.startswith("'known' if `args.known` | ")
    assert "float16" in value
    assert not bounds


def test_a_comparison_of_many_alternatives_is_still_true_or_false() -> None:
    writes = "".join(f"if args.f{index}:\n    x = lib.other({index})\n" for index in range(12))

    value, bounds = last_shown(f"x = None\n{writes}lib.show(x is None)\n")

    assert {part.split(" if ")[0] for part in value.split(" | ")} == {"True", "False"}
    assert not bounds


def test_an_attribute_that_none_has_not_says_nothing() -> None:
    event = shown(trace("import lib\nx = None\nlib.show(x.devices)\nlib.show(x)\n"))
    missing, none = (one.event.values[0] for one in event)  # type: ignore[attr-defined]

    assert says_nothing(missing)
    assert not says_nothing(none)


def test_an_entry_of_a_dict_has_the_alternatives_and_not_the_dict() -> None:
    stores = "".join(f"if args.f{index}:\n    d['k{index}'] = {index}\n" for index in range(8))
    keys = ", ".join(f"'k{index}': None" for index in range(8))

    value, bounds = last_shown(f"d = {{{keys}, 'dtype': 'float16'}}\n{stores}lib.show(d['dtype'], d['k0'], d['k7'])\n")

    assert value == "'float16', 0 if `args.f0` | None, 7 if `args.f7` | None"
    assert not bounds


def test_dicts_with_the_same_keys_become_one() -> None:
    stores = "".join(
        f"if args.f{index}:\n    d['k{index}'] = {index}\nelse:\n    d['k{index}'] = None\n" for index in range(8)
    )

    value, bounds = last_shown(f"d = {{}}\n{stores}lib.show(d['k0'], len(d))\n")

    assert value == "None if not `args.f0` | 0, 8"
    assert not bounds


def test_an_entry_is_read_as_its_path_has_it() -> None:
    value, _ = last_shown(
        """
        d = {'dtype': 'float32'}
        if args.half:
            d['dtype'] = 'float16'
        if args.half:
            lib.show(d['dtype'], d.get('dtype'))
        """
    )

    assert value == "'float16', 'float16'"


def test_a_dict_that_lacks_an_entry_on_some_paths_lacks_it_still() -> None:
    value, _ = last_shown(
        """
        d = {}
        if args.half:
            d['dtype'] = 'float16'
        lib.show('dtype' in d, d.get('dtype', 'none'))
        """
    )

    assert value == "True if `args.half` | False, 'float16' if `args.half` | 'none'"


def dict_program(seed: int) -> str:
    """A program that stores entries of a dict under flags and shows them."""
    random = Random(seed)
    lines = ["import lib", "args = lib.args()", "d = {'k0': 0, 'k1': 1}"]

    def block(indent: str, depth: int) -> None:
        for _ in range(random.randint(2, 4)):
            key = f"'k{random.randrange(4)}'"
            match random.randrange(6):
                case 0 | 1 if depth < 2:
                    lines.append(f"{indent}if args.f{random.randrange(4)}:")
                    block(indent + "    ", depth + 1)
                    if random.random() < 0.5:
                        lines.append(f"{indent}else:")
                        block(indent + "    ", depth + 1)
                case 2:
                    lines.append(f"{indent}lib.show(d.get({key}, 'none'))")
                case 3:
                    lines.append(f"{indent}d.pop({key}, None)")
                case _:
                    lines.append(f"{indent}d[{key}] = {random.randrange(9)}")

    block("", 0)
    lines.append("lib.show(d.get('k0', 'none'))")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("alternatives", [16, 3])
@pytest.mark.parametrize("start", range(0, 150, 50))
def test_what_is_said_of_a_dict_is_what_happens(start: int, alternatives: int) -> None:
    compared = 0
    for seed in range(start, start + 50):
        source = dict_program(seed)
        occurrences = shown(trace(source, limits=Limits(alternatives=alternatives)))
        for flags in product((False, True), repeat=4):
            try:
                said = said_to_be_shown(occurrences, flags)
            except Opaque:
                continue
            assert said == really_shown(source, flags), source
            compared += 1

    assert compared > (0.8 if alternatives > 3 else 0.2) * 50 * 16
