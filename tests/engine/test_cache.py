"""The cache: what it remembers, what makes it forget, and that nothing in it is believed blindly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import mpfix
from mpfix.diagnostic import Diagnostic, Position, Severity, Span
from mpfix.engine import analysis, cache, run_units
from mpfix.engine.frozen_json import from_json, to_json
from mpfix.settings import Settings

Project = Callable[[Mapping[str, str | bytes]], Path]

FLAWED = "import tensorflow as tf\n\ntf.keras.mixed_precision.experimental.set_policy('mixed_float16')\n"
THREE = Settings(keras="3")


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The first files of the units that are analysed and not remembered."""
    names: list[str] = []

    def told(unit: object, job: object) -> object:
        names.append(unit.documents[0].display)  # type: ignore[attr-defined]
        return analysis.analyse_unit(unit, job)  # type: ignore[arg-type]

    monkeypatch.setattr(run_units, "analyse_unit", told)
    return names


def check(paths: list[str], settings: Settings = THREE) -> mpfix.Report:
    return mpfix.check(paths, settings, cache=True)


def entries(folder: Path) -> list[Path]:
    return sorted((folder / ".mpfix_cache").glob("*.json"))


def test_only_what_changed_is_analysed_again(project: Project, analysed: list[str]) -> None:
    folder = project({"a.py": FLAWED, "b.py": "x = 1\n", "c.py": "import d\n", "d.py": FLAWED})

    first = check(["."])
    again = check(["."])
    (folder / "d.py").write_text(FLAWED + "\n")
    check(["."])

    assert analysed == ["a.py", "b.py", "c.py", "c.py"]
    assert first == again
    assert len(first.diagnostics) == 2


@pytest.mark.parametrize(
    "settings",
    [
        replace(THREE, keras="2"),
        replace(THREE, assume_policy="mixed_float16"),
        replace(THREE, ignore=("MP801",)),
        replace(THREE, per_file_ignores=(("a.py", ("MP8",)),)),
        replace(THREE, unfixable=("MP801",)),
    ],
)
def test_settings_that_change_what_is_found_have_entries_of_their_own(
    project: Project, analysed: list[str], settings: Settings
) -> None:
    project({"a.py": FLAWED})

    check(["a.py"])
    changed = check(["a.py"], settings)

    assert analysed == ["a.py", "a.py"]
    assert changed == mpfix.check(["a.py"], settings)


def test_settings_that_change_nothing_share_entries(project: Project, analysed: list[str]) -> None:
    project({"a.py": FLAWED})

    check(["a.py"])
    check(["a.py"], replace(THREE, fail_on=Severity.ERROR, output_format="json"))

    assert analysed == ["a.py"]


def test_another_version_or_other_code_of_mpfix_forgets(
    project: Project, analysed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project({"a.py": FLAWED})

    check(["a.py"])
    monkeypatch.setattr(cache, "__version__", "99")
    check(["a.py"])
    monkeypatch.setattr(cache, "_code", lambda packages: [["mpfix/rule.py", 1, 2]])
    check(["a.py"])

    assert len(analysed) == 3


def test_a_pin_elsewhere_in_the_project_counts(project: Project) -> None:
    folder = project({"a.py": FLAWED, "pyproject.toml": "", "requirements.txt": "keras<3\n"})

    two = check(["a.py"], Settings())
    (folder / "requirements.txt").write_text("keras>=3\n")
    three = check(["a.py"], Settings())

    assert [report.generations[0].keras for report in (two, three)] == ["2", "3"]


def test_a_pin_that_stays_is_remembered(project: Project, analysed: list[str]) -> None:
    project({"a.py": FLAWED, "pyproject.toml": "", "requirements.txt": "keras<3\n"})

    assert check(["a.py"], Settings()) == check(["a.py"], Settings())
    assert analysed == ["a.py"]


def test_a_file_that_an_import_would_now_find_counts(project: Project) -> None:
    use = "import keras\nimport package.part\nfrom lib import x\n\nkeras.mixed_precision.set_global_policy('float32')\n"
    folder = project({"a.py": use, "lib.py": "x = 1\n"})

    check(["."])
    (folder / "package").mkdir()
    (folder / "package" / "part.py").write_text(FLAWED)

    assert check(["."]) == mpfix.check(["."], THREE)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut short": lambda data: data[: len(data) // 2],
    "no JSON": lambda data: data.replace(b"[", b"(", 1),
    "another message": lambda data: data.replace(b"experimental", b"EXPERIMENTAL"),
    "bytes": lambda data: b"\xff\x00" * 100,
    "another key": lambda data: b"0" * 64 + data[64:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_ignored_and_replaced(project: Project, analysed: list[str], damage: str) -> None:
    folder = project({"a.py": FLAWED})
    first = check(["a.py"])
    (entry,) = entries(folder)
    good = entry.read_bytes()
    entry.write_bytes(DAMAGES[damage](good))

    assert check(["a.py"]) == first
    assert analysed == ["a.py", "a.py"]
    assert entry.read_bytes() == good


@pytest.mark.parametrize(
    "forge",
    [
        lambda body: body.replace("a.py", "../../elsewhere.py"),
        lambda body: body.replace('"error"', '"fatal"'),
        lambda body: json.dumps({"found": []}),
        lambda body: "[" * 100_000,
        lambda body: json.dumps([*json.loads(body), None]),
    ],
)
def test_an_entry_that_somebody_made_up_is_ignored(
    project: Project, analysed: list[str], forge: Callable[[str], str]
) -> None:
    folder = project({"a.py": FLAWED})
    first = check(["a.py"])
    (entry,) = entries(folder)
    head, _, body = entry.read_text().partition("\n")
    forged = forge(body)
    entry.write_text(f"{head.split()[0]} {cache._digest(forged.encode())}\n{forged}")

    assert check(["a.py"]) == first
    assert analysed == ["a.py", "a.py"]


def test_what_failed_is_not_remembered(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project({"a.py": FLAWED})

    def crash(unit: object, job: object) -> object:
        raise LookupError("no")

    monkeypatch.setattr(run_units, "analyse_unit", crash)
    assert check(["a.py"]).errors

    assert entries(folder) == []


def test_a_folder_that_cannot_be_written_is_done_without(project: Project) -> None:
    folder = project({"a.py": FLAWED})
    (folder / ".mpfix_cache").write_text("a file")

    assert len(check(["a.py"]).diagnostics) == 1


def test_a_link_is_no_folder_of_the_cache(project: Project) -> None:
    folder = project({"a.py": FLAWED, "elsewhere/x.txt": ""})
    (folder / ".mpfix_cache").symlink_to("elsewhere")

    check(["a.py"])

    assert [path.name for path in (folder / "elsewhere").iterdir()] == ["x.txt"]


def test_the_folder_ignores_itself_and_says_what_it_is(project: Project) -> None:
    folder = project({"a.py": FLAWED})

    check(["a.py"])

    assert (folder / ".mpfix_cache" / ".gitignore").read_text() == "*\n"
    assert (
        (folder / ".mpfix_cache" / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
    )


def test_entries_that_nobody_asks_for_are_deleted(project: Project) -> None:
    folder = project({"a.py": FLAWED, "b.py": FLAWED})
    check(["a.py"])
    (old,) = entries(folder)
    long_ago = time.time() - cache.KEPT - 2 * cache.DAY
    os.utime(old, (long_ago, long_ago))
    os.utime(folder / ".mpfix_cache" / "CACHEDIR.TAG", (long_ago, long_ago))

    check(["b.py"])

    assert old not in entries(folder)
    assert len(entries(folder)) == 1


def test_apply_uses_an_entry_where_there_is_nothing_to_write(project: Project, analysed: list[str]) -> None:
    folder = project({"a.py": FLAWED, "b.py": "import keras\n\nkeras.mixed_precision.set_global_policy('float32')\n"})
    check(["."])

    report = mpfix.apply(["."], THREE, cache=True)

    assert analysed == ["a.py", "b.py", "a.py"]
    assert report.written == ("a.py",)
    assert "experimental" not in (folder / "a.py").read_text()


def test_runs_at_the_same_time_do_not_disturb_each_other(project: Project) -> None:
    folder = project({f"f{number}.py": FLAWED for number in range(8)})
    line = [sys.executable, "-m", "mpfix", "check", "--keras", "3", "--output-format", "json", "."]

    children = [subprocess.Popen(line, cwd=folder, stdout=subprocess.PIPE) for _ in range(4)]
    outputs = {child.communicate()[0] for child in children}

    assert len(outputs) == 1
    assert len(entries(folder)) == 8
    assert not list((folder / ".mpfix_cache").glob("*.tmp"))
    assert check(["."]) == mpfix.check(["."], THREE)


def test_no_cache_writes_no_folder_and_cache_dir_names_it(
    project: Project, run_cli: Callable[..., object], tmp_path: Path
) -> None:
    folder = project({"sub/a.py": FLAWED, "mpfix.toml": 'cache-dir = "kept"\n'})

    run_cli("check", "--no-cache", "sub", cwd=folder)
    assert not (folder / "kept").exists()
    run_cli("check", "a.py", cwd=folder / "sub")
    assert len(list((folder / "kept").glob("*.json"))) == 1
    run_cli("check", "--cache-dir", "here", "a.py", cwd=folder / "sub")
    assert len(list((folder / "sub" / "here").glob("*.json"))) == 1


def test_dataclasses_come_back_from_json_as_they_were() -> None:
    span = Span("a.py", Position(1, 2), Position(3, 4), cell=None)
    diagnostic = Diagnostic("MP301", "x", Severity.ERROR, "m \ud800", span, keras="2")

    assert from_json(Diagnostic, json.loads(json.dumps(to_json(diagnostic)))) == diagnostic


@pytest.mark.parametrize("value", [None, [], {}, [1, 2], ["a.py", [1, 2], [3], None], ["a.py", [1, "2"], [3, 4], None]])
def test_json_of_something_else_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".*"):
        from_json(Span, value)
