"""The promises that a machine can keep: names, pages, layers, the changelog."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from page_examples import FIXED, HEADINGS, Page, examples, pages

import mpfix
from mpfix.registry import load_registry

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PACK = ROOT / "rules" / "mpfix_rules"
PAGES = [pytest.param(page, id=page.rule.code) for page in pages()]
FAMILIES = {
    "MP0": "engine",
    "MP1": "policy",
    "MP2": "loss_scaling",
    "MP3": "numerics",
    "MP4": "dtypes",
    "MP5": "accumulation",
    "MP6": "memory",
    "MP7": "throughput",
    "MP8": "migration",
    "MP9": "export",
}
RETIRED = {"MP407", "MP501", "MP505"}
"""Codes that stay unused: what they were meant for proved wrong."""

WITHOUT_FLAGGED_EXAMPLE = {"MP004"}
"""A bound is not hit by code that fits on a page."""

PUBLIC = {
    "mpfix": {"Diagnostic", "Report", "Rule", "__version__", "apply", "check"},
    "mpfix.rule": {"Evidence", "Finding", "FixIntent", "Rule", "RuleFunction", "rule"},
    "mpfix.rewriting.edits": {
        "AddKeyword",
        "AppendToBlock",
        "DeleteStatement",
        "EnsureImport",
        "InsertAfter",
        "InsertBefore",
        "Intent",
        "ModuleEdits",
        "MoveOutOfBlock",
        "MoveStatement",
        "RemoveArgument",
        "RemoveImport",
        "ReplaceExpression",
        "ReplaceStatement",
        "SetKeyword",
        "WrapExpression",
    },
}


def test_codes_and_names_are_used_once() -> None:
    rules = load_registry().rules

    assert [code for code, count in Counter(rule.code for rule in rules).items() if count > 1] == []
    assert [name for name, count in Counter(rule.name for rule in rules).items() if count > 1] == []
    assert not RETIRED & {rule.code for rule in rules}


@pytest.mark.parametrize("page", PAGES)
def test_the_stem_is_code_and_name_and_the_folder_is_the_family(page: Page) -> None:
    rule = page.rule

    assert re.fullmatch(r"MP\d{3}", rule.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert page.stem == f"{rule.code}_{rule.name}".lower().replace("-", "_")
    assert rule.family == FAMILIES[rule.code[:3]]


def test_every_page_has_a_rule_and_every_rule_a_page() -> None:
    written = {path.stem for path in PACK.glob("*/mp*.md")}
    ruled = {page.stem for page in pages()}

    assert written == ruled
    assert [page.stem for page in pages() if not page.text] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_its_headings_in_order(page: Page) -> None:
    assert page.title == f"{page.rule.name} ({page.rule.code})"
    assert page.sections == HEADINGS
    assert page.text.partition("\n")[2].strip()[:1] not in ("", "#"), "one or two sentences come first"


@pytest.mark.parametrize("page", PAGES)
def test_examples_are_sentences_each_told_once(page: Page) -> None:
    assert page.sentences
    assert len(set(page.sentences)) == len(page.sentences)
    # a sentence may begin with a name of code
    assert all(one[0].isupper() or one[0] in "`_" or "_" in one.split()[0] for one in page.sentences)
    assert not [sentence for sentence in page.sentences if sentence.endswith(".")]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_as_much_right_code_as_wrong_code(page: Page) -> None:
    own = [example for example in examples() if example.page is page]
    flagged = [example for example in own if example.is_flagged]

    assert all(example.files for example in own), "every heading has a python block"
    assert flagged or page.rule.code in WITHOUT_FLAGGED_EXAMPLE
    assert len(own) - len(flagged) >= len(flagged)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_repaired_code_where_the_rule_has_a_fix(page: Page) -> None:
    fixed = [block for block in page.blocks if block.title == FIXED and block.section == "Examples"]
    lonely = [example.sentence for example in examples() if example.page is page and example.fixed is not None]

    assert bool(fixed) == page.rule.fixable
    assert len(lonely) == len(fixed), "one fixed block a heading"


def test_no_example_is_told_twice() -> None:
    told = Counter((example.page.stem, example.files, str(example.settings)) for example in examples())

    assert [key[:2] for key, count in told.items() if count > 1] == []


def test_every_code_is_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert [rule.code for rule in load_registry().rules if rule.code not in changelog] == []


def test_public_names_are_pinned() -> None:
    assert set(mpfix.__all__) == PUBLIC["mpfix"]
    assert all(hasattr(mpfix, name) for name in mpfix.__all__)


@pytest.mark.parametrize("name", ["mpfix.rule", "mpfix.rewriting.edits"])
def test_public_names_of_modules_are_pinned(name: str) -> None:
    module = importlib.import_module(name)
    own = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and key[0].isupper() and not inspect.ismodule(value)
        if getattr(value, "__module__", name) in (name, "types", "typing", "collections.abc")
    }
    imported = {"TYPE_CHECKING", "Callable", "Iterator", "Mapping", "Any"}

    assert own - imported == {public for public in PUBLIC[name] if public[0].isupper()}


def test_every_module_stands_in_the_list_of_layers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    listed = {name.strip() for row in layers for name in re.split(r"[|:]", row)}
    package = ROOT / "mpfix"
    folders = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    modules = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}

    assert {f"mpfix.{name}" for name in folders | modules} | {"mpfix_rules"} == listed


def test_families_of_rules_do_not_import_each_other() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    independent = {
        name.split(".")[1]
        for contract in contracts
        if contract["type"] == "independence"
        for name in contract["modules"]
    }
    families = {path.parent.name for path in PACK.glob("*/mp*.py")}

    assert families - {"engine"} <= independent
