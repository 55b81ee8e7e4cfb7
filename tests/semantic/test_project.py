"""Which file an import means, which files belong together, and which of them are roots."""

from __future__ import annotations

from mpfix.semantic.project import FileIndex, group_files, imported_files


def index(*names: str) -> FileIndex:
    return FileIndex("/p", frozenset(f"/p/{name}" for name in names))


def imports_of(text: str, files: FileIndex, importer: str = "/p/train.py") -> list[str]:
    return sorted(path.removeprefix("/p/") for path in imported_files(files, importer, text))


def test_absolute_import_finds_package_and_module() -> None:
    files = index("train.py", "models/__init__.py", "models/net.py")

    assert imports_of("from models.net import build\n", files) == ["models/__init__.py", "models/net.py"]


def test_import_of_a_submodule_by_name() -> None:
    files = index("train.py", "models/__init__.py", "models/net.py")

    assert imports_of("from models import net\n", files) == ["models/__init__.py", "models/net.py"]


def test_namespace_package_has_no_file_of_its_own() -> None:
    files = index("train.py", "models/net.py")

    assert imports_of("import models.net as net\n", files) == ["models/net.py"]


def test_relative_import_counts_dots() -> None:
    files = index("pkg/__init__.py", "pkg/a/__init__.py", "pkg/a/x.py", "pkg/b.py")

    assert imports_of("from ..b import f\nfrom . import x\n", files, "/p/pkg/a/__init__.py") == [
        "pkg/__init__.py",
        "pkg/a/x.py",
        "pkg/b.py",
    ]


def test_source_folder_is_an_import_root() -> None:
    files = index("scripts/run.py", "src/core/__init__.py", "src/core/step.py")

    assert imports_of("from core.step import go\n", files, "/p/scripts/run.py") == [
        "src/core/__init__.py",
        "src/core/step.py",
    ]


def test_script_finds_what_stands_beside_it_first() -> None:
    files = index("a/run.py", "a/nets.py", "nets.py")

    assert imports_of("import nets\n", files, "/p/a/run.py") == ["a/nets.py"]


def test_parenthesised_and_indented_imports_count() -> None:
    files = index("train.py", "x.py", "y.py", "z.py")
    text = "def f():\n    from . import (\n        x,\n        y as other,\n    )\n    import z, os\n"

    assert imports_of(text, files) == ["x.py", "y.py", "z.py"]


def test_name_put_together_at_run_time_links_the_package() -> None:
    files = index("train.py", "models/a.py", "models/b.py", "other.py")

    assert imports_of('importlib.import_module(f"models.{name}")\n', files) == ["models/a.py", "models/b.py"]


def test_library_is_never_a_folder_of_the_project() -> None:
    assert imports_of("import keras\n", index("train.py", "keras/layers.py")) == []


def test_components_join_in_both_directions_and_scripts_are_roots() -> None:
    texts = {"/p/a.py": "", "/p/b.py": "", "/p/lib.py": "", "/p/alone.py": ""}
    imports = {"/p/a.py": frozenset({"/p/lib.py"}), "/p/b.py": frozenset({"/p/lib.py"})}
    imports |= {"/p/lib.py": frozenset(), "/p/alone.py": frozenset()}

    groups = group_files(imports, texts)

    assert [(group.files, group.roots) for group in groups] == [
        (("/p/alone.py",), ("/p/alone.py",)),
        (("/p/a.py", "/p/b.py", "/p/lib.py"), ("/p/a.py", "/p/b.py")),
    ]


def test_imported_script_with_a_main_guard_is_a_root_too() -> None:
    texts = {"/p/a.py": "import b\n", "/p/b.py": 'if __name__ == "__main__":\n    run()\n'}
    imports = {"/p/a.py": frozenset({"/p/b.py"}), "/p/b.py": frozenset[str]()}

    (group,) = group_files(imports, texts)

    assert group.roots == ("/p/a.py", "/p/b.py")
