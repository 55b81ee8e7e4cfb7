"""Settings: where they come from, and what is said when they are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpfix.diagnostic import Severity
from mpfix.errors import UsageError
from mpfix.settings import DEFAULT_EXCLUDE, KEYS, Settings, load_settings, parse_settings
from mpfix.source.exclusions import DEFAULT_EXCLUDES

Project = Callable[[dict[str, str]], Path]


def test_defaults_hold_without_a_file(project: Project) -> None:
    settings = load_settings(project({}))

    assert (settings.select, settings.keras, settings.fail_on) == (None, "auto", Severity.WARNING)
    assert {source for _, _, source in settings.items()} == {"default"}


def test_default_excludes_are_those_of_discovery() -> None:
    assert DEFAULT_EXCLUDE == DEFAULT_EXCLUDES


def test_every_key_is_a_field() -> None:
    assert {key.replace("-", "_") for key in KEYS} <= set(Settings.__dataclass_fields__)


def test_the_nearest_file_wins_and_is_not_merged(project: Project) -> None:
    root = project(
        {
            "pyproject.toml": '[tool.mpfix]\nkeras = "2"\nunsafe-fixes = true\n',
            "models/mpfix.toml": 'keras = "3"\n',
            "models/x.py": "",
        }
    )

    settings = load_settings(root / "models")

    assert (settings.keras, settings.unsafe_fixes, settings.root) == ("3", False, root / "models")


def test_a_pyproject_without_our_table_does_not_count(project: Project) -> None:
    root = project(
        {"pyproject.toml": '[tool.mpfix]\nkeras = "2"\n', "sub/pyproject.toml": '[project]\nname = "mpfix-user"\n'}
    )

    assert load_settings(root / "sub").keras == "2"


def test_options_win_and_provenance_says_so(project: Project) -> None:
    root = project({"pyproject.toml": '[tool.mpfix]\nkeras = "2"\nselect = ["MP3"]\n'})

    settings = load_settings(root, options={"keras": "3", "ignore": None})

    assert (settings.keras, settings.source("keras")) == ("3", "option")
    assert (settings.select, settings.source("select")) == (("MP3",), "pyproject.toml")
    assert settings.source("ignore") == "default"


def test_isolated_reads_no_file(project: Project) -> None:
    root = project({"mpfix.toml": 'keras = "2"\n'})

    assert load_settings(root, isolated=True).keras == "auto"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('kears = "2"', "unknown key; the nearest is `keras`"),
        ("keras = 2", "must be a string"),
        ('keras = "4"', "`4` is not one of `auto`, `2`, `3`, `2+3`"),
        ('select = "MP3"', "must be a list of strings"),
        ('select = ["MP3", 4]', "must be a list of strings"),
        ("unsafe-fixes = 1", "must be true or false"),
        ('per-file-ignores = ["x"]', "must be a table of lists of strings"),
        ('fail-on = "fatal"', "`fatal` is not one of `error`, `warning`, `note`"),
    ],
)
def test_a_wrong_value_is_shown_with_line_and_caret(project: Project, line: str, message: str) -> None:
    root = project({"pyproject.toml": f'[project]\nname = "x"\n\n[tool.mpfix]\n{line}\n'})
    key = line.split(" ")[0]

    with pytest.raises(UsageError) as caught:
        load_settings(root)

    first, source, caret = str(caught.value).splitlines()
    assert first == f"{root / 'pyproject.toml'}:5:1: `[tool.mpfix] {key}`: {message}"
    assert (source, caret) == (f"5 | {line}", f"  | {'^' * len(key)}")


def test_a_key_in_a_table_of_its_own_is_located(project: Project) -> None:
    root = project({"pyproject.toml": "[tool.mpfix.per-file-ignorse]\n'x.py' = ['MP3']\n"})

    with pytest.raises(UsageError, match=r"pyproject.toml:1:13: .*the nearest is `per-file-ignores`"):
        load_settings(root)


def test_per_file_ignores_are_read_from_a_table(project: Project) -> None:
    root = project({"mpfix.toml": "[per-file-ignores]\n'tests/*' = ['MP3']\n"})

    assert load_settings(root).per_file_ignores == (("tests/*", ("MP3",)),)


def test_broken_toml_is_one_sentence(project: Project) -> None:
    root = project({"mpfix.toml": "keras = \n"})

    with pytest.raises(UsageError, match="is not valid TOML"):
        load_settings(root)


def test_a_missing_settings_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(tmp_path, config=tmp_path / "gone.toml")


def test_a_wrong_option_is_named_as_an_option() -> None:
    with pytest.raises(UsageError, match=r"^`--keras`: `4` is not one of"):
        load_settings(Path(), isolated=True, options={"keras": "4"})


def test_examples_of_pages_parse_settings() -> None:
    assert parse_settings('keras = "2"\nassume-policy = "mixed_float16"\n').assume_policy == "mixed_float16"
