"""Paths become files: each once, none that is excluded or ignored, all that is named."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mpfix.errors import SourceError
from mpfix.source import discover as discover_module
from mpfix.source.discover import Discovery, discover


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def grow(tree: Path, *names: str) -> None:
    """Make files below `tree`; a name with `=` gives the content, too."""
    for name in names:
        path, _, content = name.partition("=")
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content)


def found(
    *paths: str | Path, root: Path | None = None, exclude: Sequence[str] | None = None, **more: object
) -> list[str]:
    """Displays of a discovery without errors."""
    discovery = discover(paths, root=root or Path(), exclude=exclude, **more)  # type: ignore[arg-type]
    assert discovery.errors == ()
    assert all(file.path.is_file() for file in discovery.files)
    return [file.display for file in discovery.files]


def test_a_folder_gives_its_python_files_and_notebooks_in_order(tree: Path) -> None:
    grow(tree, "b.py", "a.ipynb", "c.pyi", "D.PY", "pkg/deep/x.py", "notes.txt", "data.json", "py", "x.py.bak")

    assert found(".") == ["D.PY", "a.ipynb", "b.py", "c.pyi", "pkg/deep/x.py"]
    assert found() == []


def test_displays_stay_as_given(tree: Path) -> None:
    grow(tree, "pkg/x.py")

    assert found("pkg") == ["pkg/x.py"]
    assert found("./pkg/") == ["pkg/x.py"]
    assert found("pkg/../pkg/x.py") == ["pkg/../pkg/x.py"]
    assert found(tree / "pkg") == [f"{tree.as_posix()}/pkg/x.py"]
    assert found("../project") == ["../project/pkg/x.py"]


def test_a_named_file_is_taken_whatever_its_suffix(tree: Path) -> None:
    grow(tree, "tool", "train.txt")

    assert found("tool", "train.txt") == ["tool", "train.txt"]


def test_each_real_file_is_found_once(tree: Path) -> None:
    grow(tree, "pkg/z.py", "other/y.py")
    (tree / "pkg" / "a.py").symlink_to("z.py")
    (tree / "again").symlink_to("pkg")

    assert found(".", "pkg", "pkg/z.py", tree) == ["other/y.py", "pkg/z.py"]


def test_the_name_of_a_file_with_two_does_not_depend_on_the_order_of_paths(tree: Path) -> None:
    grow(tree, "z.py")
    (tree / "a.py").symlink_to("z.py")

    assert found("a.py", "z.py") == found("z.py", "a.py") == ["a.py"]
    assert found(".", "a.py") == found("a.py", ".") == ["a.py"]
    assert found("z.py", tree / "z.py") == found(tree / "z.py", "z.py") == ["z.py"]


def test_links_in_a_circle_end(tree: Path) -> None:
    grow(tree, "pkg/x.py")
    (tree / "pkg" / "up").symlink_to("..")
    (tree / "pkg" / "self.py").symlink_to("self.py")
    (tree / "pkg" / "gone.py").symlink_to("nowhere")

    assert found(".") == ["pkg/x.py"]


def test_a_walk_leaves_its_folder_through_no_link(tree: Path) -> None:
    grow(tree, "inside/x.py", "outside/y.py", "outside/z")
    (tree / "inside" / "folder").symlink_to("../outside")
    (tree / "inside" / "y.py").symlink_to("../outside/y.py")
    (tree / "inside" / "z.py").symlink_to("../outside/z")

    assert found("inside") == ["inside/x.py"]
    assert found(".") == ["inside/x.py", "inside/z.py", "outside/y.py"]
    assert found("inside/folder", "inside/y.py") == ["inside/folder/y.py"]


def test_default_excludes_are_left_out_and_can_be_replaced(tree: Path) -> None:
    grow(tree, ".venv/a.py", "build/b.py", "pkg/node_modules/c.py", ".ipynb_checkpoints/d.ipynb", "e.py")

    assert found(".") == ["e.py"]
    assert found(".", exclude=["build"]) == [
        ".ipynb_checkpoints/d.ipynb", ".venv/a.py", "e.py", "pkg/node_modules/c.py"
    ]  # fmt: skip
    assert found(".", extend_exclude=["e.py"]) == []


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("gen", ["src/a.py", "src/genial/c.py"]),
        ("gen*", ["src/a.py"]),
        ("src/gen", ["src/a.py", "src/genial/c.py"]),
        ("./src/gen/", ["src/a.py", "src/genial/c.py"]),
        ("src/*/b.py", ["src/a.py", "src/genial/c.py"]),
        ("src/*.py", []),
        ("a.py", ["src/gen/b.py", "src/genial/c.py"]),
        ("other/gen", ["src/a.py", "src/gen/b.py", "src/genial/c.py"]),
        ("SRC", ["src/a.py", "src/gen/b.py", "src/genial/c.py"]),
    ],
)
def test_patterns_match_names_anywhere_and_paths_below_the_root(tree: Path, pattern: str, left: list[str]) -> None:
    grow(tree, "src/a.py", "src/gen/b.py", "src/genial/c.py")

    assert found(".", exclude=[pattern]) == left
    assert found("src", exclude=[pattern]) == ([] if pattern == "src" else left)


def test_patterns_are_relative_to_the_root_and_may_be_absolute(tree: Path) -> None:
    grow(tree, "src/gen/b.py")

    assert found(".", exclude=["gen/b.py"]) == ["src/gen/b.py"]
    assert found(".", exclude=["gen/b.py"], root=tree / "src") == []
    assert found(".", exclude=[f"{tree.as_posix()}/src/gen"]) == []


def test_what_is_named_is_taken_although_excluded_unless_forced(tree: Path) -> None:
    grow(tree, "build/a.py", "build/sub/b.py", "c.py")

    assert found("build/a.py", "build/sub") == ["build/a.py", "build/sub/b.py"]
    assert found("build/a.py", "build/sub", "c.py", force_exclude=True) == ["c.py"]
    assert found(tree / "build", force_exclude=True) == []
    assert found(".", force_exclude=True) == ["c.py"]


def test_folders_above_the_root_exclude_nothing(tmp_path: Path) -> None:
    project = tmp_path / "build" / "project"
    grow(project, "a.py")

    assert len(found(project, project / "a.py", root=project, force_exclude=True)) == 1


def test_gitignore_files_are_honoured_at_every_depth(tree: Path) -> None:
    grow(
        tree, ".gitignore=out/\n*_tmp.py\n/top.py\n!keep_tmp.py\n# comment\n", "out/a.py", "x_tmp.py", "keep_tmp.py",
        "top.py", "pkg/top.py", "pkg/.gitignore=*.ipynb\n!x_tmp.py\n", "pkg/n.ipynb", "pkg/x_tmp.py", "n.ipynb",
        "pkg/out/b.py", "pkg/deep/m.ipynb", "pkg/deep/.gitignore=!m.ipynb",
    )  # fmt: skip

    assert found(".") == ["keep_tmp.py", "n.ipynb", "pkg/deep/m.ipynb", "pkg/top.py", "pkg/x_tmp.py"]


def test_gitignore_files_above_count_up_to_the_repository(tree: Path) -> None:
    grow(tree, ".gitignore=a.py\n", "repo/.gitignore=b.py\n", "repo/pkg/a.py", "repo/pkg/b.py", "repo/pkg/c.py")

    assert found("repo/pkg", root=tree / "repo") == ["repo/pkg/a.py", "repo/pkg/c.py"]
    assert found("repo/pkg", root=tree) == ["repo/pkg/c.py"]
    (tree / "repo" / ".git").mkdir()
    assert found("repo/pkg", root=tree) == ["repo/pkg/a.py", "repo/pkg/c.py"]


def test_a_named_file_or_folder_is_taken_although_git_ignores_it(tree: Path) -> None:
    grow(tree, ".gitignore=out/\nx.py\n", "out/a.py", "out/sub/b.py", "x.py")

    assert found("x.py", "out/a.py", "out/sub") == ["out/a.py", "out/sub/b.py", "x.py"]


def test_a_gitignore_that_is_not_utf8_or_a_folder_does_no_harm(tree: Path) -> None:
    grow(tree, "a.py", "b.py")
    (tree / ".gitignore").write_bytes(b"\xff\nb.py\r\n")

    assert found(".") == ["a.py"]
    (tree / ".gitignore").unlink()
    (tree / ".gitignore").mkdir()
    assert found(".") == ["a.py", "b.py"]


def test_a_missing_path_is_an_error_and_the_others_are_found(tree: Path) -> None:
    grow(tree, "a.py")

    discovery = discover(["gone.py", "a.py", "bad\0name.py"], root=tree)

    assert [file.display for file in discovery.files] == ["a.py"]
    assert [str(error).split(": ")[1] for error in discovery.errors][1] == "no such file or folder"
    assert str(discovery.errors[1]) == "gone.py: no such file or folder"
    assert all(isinstance(error, SourceError) for error in discovery.errors)


def test_a_folder_that_cannot_be_read_is_an_error_and_the_walk_goes_on(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(tree, "a.py", "shut/b.py")
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if folder == "shut":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(discover_module.os, "scandir", refuse)

    discovery: Discovery = discover(["."], root=tree)

    assert [file.display for file in discovery.files] == ["a.py"]
    assert [str(error) for error in discovery.errors] == ["shut: cannot be read: permission denied"]


def test_a_fifo_in_a_folder_is_passed_over(tree: Path) -> None:
    grow(tree, "a.py")
    os.mkfifo(tree / "pipe.py")

    assert found(".") == ["a.py"]


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_a_name_that_is_not_utf8_can_be_printed(tree: Path) -> None:
    Path(os.fsdecode(b"b\xff.py")).write_text("")

    assert found(".") == ["b\\udcff.py"]
