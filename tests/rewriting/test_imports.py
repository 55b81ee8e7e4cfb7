"""Imports: made sure of, and removed name by name."""

from __future__ import annotations

import pytest

from mpfix.rewriting.edits import DeleteStatement, EnsureImport, InsertBefore, RemoveImport, ReplaceExpression
from mpfix.rewriting.splice import RewriteRefused


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os\nimport sys\nx = 1\n", "import os\nimport sys\nimport keras\nx = 1\n"),
        ("import os  # why\n\nx = 1\n", "import os  # why\nimport keras\n\nx = 1\n"),
        ("import os", "import os\nimport keras"),
        ("import os; import sys; x = 1\n", "import os; import sys\nimport keras\nx = 1\n"),
        ('"""Doc."""\n\nx = 1\n', '"""Doc."""\n\nimport keras\n\nx = 1\n'),
        (
            "from __future__ import annotations\n\nx = 1\n",
            "from __future__ import annotations\n\nimport keras\n\nx = 1\n",
        ),
        ("# licence\nx = 1\n", "# licence\nimport keras\n\nx = 1\n"),
        ("import os\ndef f(): pass\nimport sys\n", "import os\nimport keras\ndef f(): pass\nimport sys\n"),
        (
            "import os\nos.environ['A'] = '1'\nimport tensorflow as tf\nx = 1\n",
            "import os\nos.environ['A'] = '1'\nimport tensorflow as tf\nimport keras\nx = 1\n",
        ),
        (
            "try:\n    import a\nexcept ImportError:\n    a = None\n# end\nx = 1\n",
            "try:\n    import a\nexcept ImportError:\n    a = None\nimport keras\n# end\nx = 1\n",
        ),
        (
            "from a import (\n    b,\n    c,\n)\r\nx = 1\n",
            "from a import (\n    b,\n    c,\n)\nimport keras\r\nx = 1\n",
        ),
        ("import keras as k\n", "import keras as k\nimport keras\n"),
        ("def f():\n    import keras\n", "import keras\n\ndef f():\n    import keras\n"),
    ],
)
def test_an_import_goes_behind_the_others(rewrite, source: str, expected: str) -> None:
    assert rewrite(source, lambda s: EnsureImport("keras")) == expected


@pytest.mark.parametrize(
    "present", ["import keras", "import os, keras", "import keras.layers", "import keras as keras"]
)
def test_an_import_in_force_is_not_repeated(rewrite, present: str) -> None:
    source = f"x = 1\n{present}\n"

    assert rewrite(source, lambda s: EnsureImport("keras")) == source


@pytest.mark.parametrize(
    ("source", "is_there"),
    [
        ("from keras import mixed_precision\n", True),
        ("from keras import mixed_precision as mixed_precision\n", True),
        ("from keras import mixed_precision as mp\n", False),
        ("from .keras import mixed_precision\n", False),
        ("import keras.mixed_precision\n", False),
    ],
)
def test_a_name_in_force_is_not_repeated(rewrite, source: str, is_there: bool) -> None:
    added = "" if is_there else "from keras import mixed_precision\n"

    assert rewrite(source, lambda s: EnsureImport("keras", "mixed_precision")) == source + added


def test_imports_are_added_in_one_order(rewrite) -> None:
    intents = [lambda s: EnsureImport("b", "c"), lambda s: EnsureImport("z"), lambda s: EnsureImport("a")]

    assert rewrite("import os\n", *intents) == "import os\nimport a\nimport z\nfrom b import c\n"
    assert rewrite("import os\n", *reversed(intents)) == "import os\nimport a\nimport z\nfrom b import c\n"


def test_an_import_stands_in_front_of_what_uses_it(rewrite) -> None:
    changed = rewrite(
        "import os\nf(x)\nimport sys\n",
        lambda s: EnsureImport("keras"),
        lambda s: ReplaceExpression(s.expression("x"), "keras.y"),
    )

    assert changed == "import os\nimport keras\nf(keras.y)\nimport sys\n"


def test_an_import_stands_in_front_of_a_use_above_all_imports(rewrite) -> None:
    changed = rewrite(
        "f(x)\nimport os\n",
        lambda s: EnsureImport("keras"),
        lambda s: ReplaceExpression(s.expression("x"), "keras.y"),
    )

    assert changed == "import keras\n\nf(keras.y)\nimport os\n"


def test_an_import_takes_the_place_of_one_that_goes(rewrite) -> None:
    changed = rewrite(
        "import os\nfrom keras import old\nx = 1\n",
        lambda s: RemoveImport(*s.imported("old")),
        lambda s: EnsureImport("keras", "new"),
    )

    assert changed == "import os\nfrom keras import new\nx = 1\n"


def test_a_removed_name_is_no_longer_in_force(rewrite) -> None:
    changed = rewrite(
        "import os, keras\nx = 1\n", lambda s: RemoveImport(*s.imported("keras")), lambda s: EnsureImport("keras")
    )

    assert changed == "import os\nimport keras\nx = 1\n"


def test_an_import_and_an_insertion_share_a_place(rewrite) -> None:
    changed = rewrite(
        "import os\nx = 1\n",
        lambda s: InsertBefore(s.statement("x"), "keras.go()"),
        lambda s: EnsureImport("keras"),
    )

    assert changed == "import os\nimport keras\nkeras.go()\nx = 1\n"


def test_an_empty_file_has_no_place_for_an_import(rewrite) -> None:
    with pytest.raises(RewriteRefused, match="empty file"):
        rewrite("# nothing\n", lambda s: EnsureImport("keras"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import gone\nx\n", "x\n"),
        ("import a, gone\n", "import a\n"),
        ("import gone, a\n", "import a\n"),
        ("from m import a, gone as g, b\n", "from m import a, b\n"),
        ("from m import (gone)\nx\n", "x\n"),
        ("from m import (a, gone)\n", "from m import (a)\n"),
        ("from m import (a, gone,)\n", "from m import (a,)\n"),
        ("from m import (\n    a,\n    gone,\n)\n", "from m import (\n    a,\n)\n"),
        ("from m import (\n    a,  # one\n    gone\n)\n", "from m import (\n    a  # one\n)\n"),
        ("from m import (\n    gone,\n    a,  # one\n)\n", "from m import (\n    a,  # one\n)\n"),
        ("from m import a, \\\n    gone\n", "from m import a\n"),
        ("import os; import gone\n", "import os\n"),
        ("try:\n    import gone\nexcept E:\n    x\n", "try:\n    pass\nexcept E:\n    x\n"),
    ],
)
def test_a_name_is_no_longer_imported(rewrite, source: str, expected: str) -> None:
    assert rewrite(source, lambda s: RemoveImport(*s.imported("gone"))) == expected


def test_an_import_goes_when_all_its_names_go(rewrite) -> None:
    changed = rewrite(
        "import a, b\nx\n", lambda s: RemoveImport(*s.imported("a")), lambda s: RemoveImport(*s.imported("b"))
    )

    assert changed == "x\n"


@pytest.mark.parametrize("source", ["import gone  # why\n", "from m import (\n    a,\n    gone,  # why\n)\n"])
def test_an_import_with_a_comment_stays(rewrite, source: str) -> None:
    with pytest.raises(RewriteRefused, match="comment `# why`"):
        rewrite(source, lambda s: RemoveImport(*s.imported("gone")))


def test_a_removed_import_may_be_deleted_too(rewrite) -> None:
    intents = [
        lambda s: DeleteStatement(s.statement("import gone")),
        lambda s: RemoveImport(*s.imported("gone")),
    ]

    assert rewrite("import gone\nx\n", *intents) == "x\n"
    assert rewrite("import gone\nx\n", *reversed(intents)) == "x\n"
