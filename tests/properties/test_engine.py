"""What holds for the engine on any program, shown on the fake pack."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from fake_pack import fake_interpret, finds
from hypothesis import given, settings
from hypothesis import strategies as st

from mpfix.engine import run_rules
from mpfix.engine.pipeline import apply, check
from mpfix.registry import RegisteredRule, Registry, load_registry
from mpfix.settings import Settings

RULES = (
    finds("FK101", "bad", becomes="good"),
    finds("FK102", "ugly", becomes="(fine, fine)"),
    finds("FK103", "odd", becomes="odd"),
    finds("FK104", "worse", becomes="bad"),
)
KERAS_3 = Settings(keras="3")

names = st.sampled_from(["bad", "ugly", "odd", "worse", "x", "é"])
comments = st.sampled_from(
    ["", "  # why", "  # noqa", "  # noqa: FK101", "  # noqa: FK102, E501", "  # mpfix: ignore[FK104]"]
)
statements = st.builds(lambda a, b, comment: f"x = [{a}, {b}]{comment}", names, names, comments)
blocks = st.builds(lambda name, body, comment: f"if {name}:{comment}\n    {body}", names, statements, comments)
newlines = st.sampled_from(["\n", "\r\n"])
sources = st.builds(
    lambda lines, newline: "\n".join([*lines, ""]).replace("\n", newline),
    st.lists(statements | blocks, max_size=5),
    newlines,
)


@pytest.fixture(scope="module", autouse=True)
def _fake_program() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_rules, "interpret", fake_interpret)
        yield


@cache
def registry() -> Registry:
    engine = tuple(entry for entry in load_registry().registered if entry.rule.family == run_rules.ENGINE_FAMILY)
    return Registry((*engine, *(RegisteredRule(rule, "fake_pack") for rule in RULES)))


def applied(source: str) -> str:
    """The source after `apply`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.py"
        path.write_bytes(source.encode())
        apply([path], KERAS_3, registry=registry())
        return path.read_bytes().decode()


@given(sources)
@settings(deadline=None, max_examples=25)
def test_fixing_twice_is_fixing_once(source: str) -> None:
    once = applied(source)

    assert applied(once) == once


@given(sources)
@settings(deadline=None, max_examples=25)
def test_applying_leaves_no_more_than_was_found_and_keeps_line_ends(source: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.py"
        path.write_bytes(source.encode())
        before = check([path], KERAS_3, registry=registry()).by_code
        after = apply([path], KERAS_3, registry=registry()).by_code
        text = path.read_bytes().decode()

    assert all(after.get(code, 0) <= count for code, count in before.items())
    assert ("\r\n" in text) == ("\r\n" in source)


@given(sources)
@settings(deadline=None, max_examples=25)
def test_suppressed_is_never_fixed(source: str) -> None:
    silenced = "".join(
        f"{line}  # noqa\n" if line.strip() else "\n" for line in source.replace("\r\n", "\n").splitlines()
    )

    assert applied(silenced) == silenced
