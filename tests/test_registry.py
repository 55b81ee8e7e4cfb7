"""Packs and selectors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_pack import finds

from mpfix.diagnostic import Severity
from mpfix.errors import UsageError
from mpfix.registry import RegisteredRule, Registry, load_registry
from mpfix.settings import Settings

RULES = (
    finds("FK101", "one"),
    finds("FK102", "two", severity=Severity.NOTE),
    finds("FK201", "three", severity={2: Severity.NOTE, 3: Severity.WARNING}),
)
REGISTRY = Registry(tuple(RegisteredRule(rule, "fake_pack") for rule in RULES))
DEFAULT = Settings()


@pytest.mark.parametrize(
    ("select", "extend_select", "ignore", "chosen"),
    [
        (None, (), (), {"FK101", "FK201"}),
        (("ALL",), (), (), {"FK101", "FK102", "FK201"}),
        (("FK1",), (), (), {"FK101", "FK102"}),
        (("FK1",), (), ("FK10",), set()),
        (("FK101",), (), ("FK1",), {"FK101"}),
        (("one-found",), (), ("FK1",), {"FK101"}),
        (("fk101",), (), (), {"FK101"}),
        (None, ("FK102",), (), {"FK101", "FK102", "FK201"}),
        (None, (), ("FK2",), {"FK101"}),
        (None, (), ("ALL",), set()),
        ((), (), (), set()),
    ],
)
def test_the_most_exact_selector_decides(
    select: tuple[str, ...] | None, extend_select: tuple[str, ...], ignore: tuple[str, ...], chosen: set[str]
) -> None:
    settings = replace(DEFAULT, select=select, extend_select=extend_select, ignore=ignore)

    assert REGISTRY.selected(settings).selected == chosen


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("select", ("FK103",), "`--select`: unknown code `FK103`; the nearest is `FK10[12]`"),
        ("ignore", ("tow-found",), "`--ignore`: unknown selector `tow-found`; the nearest is `two-found`"),
        ("fixable", ("X",), "`--fixable`: unknown selector `X`"),
        ("per_file_ignores", (("a", ("FK9",)),), "`--per-file-ignores`: unknown code `FK9`"),
    ],
)
def test_an_unknown_selector_is_an_error_that_names_the_nearest(key: str, value: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        REGISTRY.selected(replace(DEFAULT, **{key: value}))  # type: ignore[arg-type]


def test_a_selector_from_a_file_is_named_with_the_file() -> None:
    settings = replace(DEFAULT, select=("FK9",), provenance={"select": "pyproject.toml"})

    with pytest.raises(UsageError, match=r"^`\[tool.mpfix\] select`: unknown code `FK9`"):
        REGISTRY.selected(settings)


def test_rules_are_found_by_code_and_name() -> None:
    assert REGISTRY.find("fk101") is REGISTRY.find("one-found")
    with pytest.raises(UsageError, match="unknown rule `one-fuond`; the nearest is `one-found`"):
        REGISTRY.find("one-fuond")


def test_the_built_in_pack_has_pages_beside_its_rules() -> None:
    registry = load_registry()

    assert registry.families["MP0"] == "engine"
    assert registry.page(registry.find("MP001")).startswith("# syntax-error (MP001)\n")


def test_a_pack_of_others_is_loaded_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = tmp_path / "their_pack"
    (pack / "family").mkdir(parents=True)
    (pack / "__init__.py").touch()
    (pack / "family" / "__init__.py").touch()
    source = (
        "from mpfix.diagnostic import Severity\nfrom mpfix.rule import rule\n\n\n"
        "@rule('TP101', 'theirs', severity=Severity.ERROR)\ndef theirs(program):\n    return iter(())\n"
    )
    (pack / "family" / "tp101_theirs.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)

    registry = load_registry(["their_pack"])

    assert registry.find("theirs").family == "family"
    (pack / "family" / "tp102_theirs.py").write_text(source.replace("'theirs'", "'others'"))
    with pytest.raises(UsageError, match="rule `TP101` is defined twice"):
        load_registry(["their_pack"])


def test_a_missing_pack_is_an_error() -> None:
    with pytest.raises(UsageError, match="rule pack `no_such_pack` cannot be imported"):
        load_registry(["no_such_pack"])
