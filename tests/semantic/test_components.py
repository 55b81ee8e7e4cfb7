"""Components: what each root may spend, and what is not run again when only other files change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from stub_library import StubLibrary, spelled

from mpfix.semantic import shared_imports
from mpfix.semantic.budget import Limits
from mpfix.semantic.project import FileIndex, Project
from mpfix.semantic.root_traces import RootTraces
from mpfix.semantic.roots import Trace, interpret_component
from mpfix.semantic.syntax import Module, parse_module
from mpfix.source.document import document_from_bytes

SHARED = "import lib\ndef show(x):\n    lib.show(x)\n"
FIRST = "from shared import show\nshow(1)\n"
SECOND = "from other import value\nimport lib\nlib.show(value)\n"
OTHER = "value = 2\n"
LONG = "import lib\n" + "lib.work(1)\n" * 160 + "lib.show(0)\n"


def module(name: str, text: str) -> Module:
    return parse_module(document_from_bytes(text.encode(), Path(f"/p/{name}.py"), f"{name}.py"), name)


def run(
    modules: dict[str, Module], roots: tuple[str, ...], known: RootTraces | None = None, limits: Limits | None = None
) -> Trace:
    by_path = {f"/p/{name}.py": one for name, one in modules.items()}
    project = Project(FileIndex("/p", frozenset(by_path)), by_path, tuple(modules[name] for name in roots))
    found = tuple(modules.values())
    return interpret_component(found, StubLibrary, limits or Limits(), project=project, known=known)


def shown(trace: Trace) -> list[str]:
    return [", ".join(map(spelled, occurrence.event.values)) for occurrence in trace.occurrences]  # type: ignore[attr-defined]


def test_a_root_is_run_again_only_when_a_file_that_it_runs_has_another_text() -> None:
    texts = {"shared": SHARED, "first": FIRST, "second": SECOND, "other": OTHER}
    modules = {name: module(name, text) for name, text in texts.items()}
    known = RootTraces()
    before = run(modules, ("first", "second"), known)

    same = run(modules, ("first", "second"), known)
    changed = run({**modules, "other": module("other", "value = 3\n")}, ("first", "second"), known)

    assert shown(before) == shown(same) == ["1", "2"]
    assert shown(changed) == ["1", "3"]
    assert same.steps < changed.steps < before.steps


def test_what_a_trial_leaves_is_not_taken_for_the_first_text() -> None:
    modules = {name: module(name, text) for name, text in {"second": SECOND, "other": OTHER, "first": FIRST}.items()}
    known = RootTraces()
    run(modules, ("first", "second"), known)
    trial = {**modules, "other": module("other", "value = 3\n")}

    assert shown(run(trial, ("first", "second"), known)) == shown(run(trial, ("first", "second"))) != []
    assert known.find(modules["second"], "__main__", trial.values()) is None


def test_roots_share_what_a_component_may_take() -> None:
    modules = {f"r{index}": module(f"r{index}", LONG) for index in range(4)}
    alone = run({"r0": modules["r0"]}, ("r0",))
    limits = replace(Limits(), component_steps=alone.steps * 2, line_steps=0, spare_steps=1)

    together = run(modules, tuple(modules), limits=limits)

    assert len(shown(run(modules, tuple(modules)))) == 4
    assert 0 < len(shown(together)) < 4
    assert {cut.bound for cut in together.cuts} == {"steps of a root"}


PACKAGE = {
    "pkg/__init__": "import lib\nfrom pkg.state import config\nlib.show('package')\n",
    "pkg/state": "config = {}\nnames = []\n\ndef register(x):\n    names.append(x)\n    return x\n",
    "one": "import lib\nfrom pkg.state import config, names, register\nconfig['amp'] = True\nregister('one')\n"
    "lib.show(config.get('amp', False), len(names))\n",
    "two": "'Doc.'\nimport pkg\nimport lib\nfrom pkg.state import config, names, register\nregister('two')\n"
    "lib.show(config.get('amp', False), len(names))\n",
    "three": "from pkg.state import config\nimport lib\nlib.show(config.get('amp', False))\n",
}


def test_roots_that_share_their_first_import_do_not_see_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {name: module(name.replace("/", "."), text) for name, text in PACKAGE.items()}
    roots = ("one", "two", "three")

    shared = run(modules, roots)
    monkeypatch.setattr(shared_imports, "_first_imports", lambda project, root: None)
    apart = run(modules, roots)

    expected = ["'package'", "True, 1", "'package'", "False, 1", "'package'", "False"]
    assert shown(shared) == shown(apart) == expected
    assert shared.steps < apart.steps


def test_a_root_that_its_first_import_runs_is_run_by_itself() -> None:
    texts = {
        "pkg/__init__": "import lib\nfrom pkg import main\n",
        "pkg/main": "import pkg\nimport lib\nif __name__ == '__main__':\n    lib.show('main')\n",
        "other": "import pkg\nimport lib\nlib.show('other')\n",
    }
    modules = {name: module(name.replace("/", "."), text) for name, text in texts.items()}

    assert shown(run(modules, ("pkg/main", "other"))) == ["'main'", "'other'"]
