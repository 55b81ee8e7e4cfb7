"""Rewrites in notebooks: cells and commands have borders."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from mpfix.rewriting.edits import (
    AppendToBlock,
    DeleteStatement,
    EnsureImport,
    InsertAfter,
    InsertBefore,
    Intent,
    ModuleEdits,
    MoveStatement,
)
from mpfix.rewriting.splice import RewriteRefused, resolve
from mpfix.semantic.syntax import Module
from mpfix.source.document import document_from_bytes


def module_of(*cells: str) -> Module:
    """A notebook with one code cell for each source."""
    content = {
        "cells": [
            {
                "cell_type": "code",
                "source": cell.splitlines(True),
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for cell in cells
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    document = document_from_bytes(json.dumps(content).encode(), Path("train.ipynb"), "train.ipynb")
    return Module("train", document, ast.parse(document.text))


def cells_after(module: Module, *intents: Intent) -> list[str]:
    """The sources of the cells after a rewrite."""
    document = module.document.with_edits(resolve(ModuleEdits(module, intents)))
    return ["".join(cell["source"]) for cell in json.loads(document.original_bytes)["cells"]]


def test_lines_behind_a_cell_stay_in_it() -> None:
    module = module_of("a\nb", "c")

    assert cells_after(module, InsertAfter(module.tree.body[1], "NEW")) == ["a\nb\nNEW", "c"]


def test_lines_in_front_of_a_cell_are_its_first() -> None:
    module = module_of("a", "c")

    assert cells_after(module, InsertBefore(module.tree.body[1], "NEW")) == ["a", "NEW\nc"]


def test_a_comment_in_the_cell_above_belongs_there() -> None:
    module = module_of("a\n# end", "c")

    assert cells_after(module, InsertBefore(module.tree.body[1], "NEW")) == ["a\n# end", "NEW\nc"]


def test_a_block_that_ends_its_cell_is_appended_to() -> None:
    module = module_of("if x:\n    a", "c")

    assert cells_after(module, AppendToBlock(module.tree.body[0], "NEW")) == ["if x:\n    a\n    NEW", "c"]


def test_the_last_line_of_a_cell_is_deleted() -> None:
    module = module_of("a\nb", "c")

    assert cells_after(module, DeleteStatement(module.tree.body[1])) == ["a", "c"]


def test_a_statement_moves_to_another_cell() -> None:
    module = module_of("a\nb", "c\nd")

    assert cells_after(module, MoveStatement(module.tree.body[2], module.tree.body[1])) == ["a\nc\nb", "d"]


def test_an_import_goes_to_the_cell_of_the_imports() -> None:
    module = module_of("import os\nimport sys", "x = 1")

    assert cells_after(module, EnsureImport("keras")) == ["import os\nimport sys\nimport keras", "x = 1"]


def test_a_command_is_not_changed() -> None:
    module = module_of("a\n!pip install keras\nb")

    with pytest.raises(RewriteRefused, match="notebook command"):
        resolve(ModuleEdits(module, (DeleteStatement(module.tree.body[1]),)))


def test_lines_beside_a_command_change() -> None:
    module = module_of("%matplotlib inline\na")

    assert cells_after(module, InsertBefore(module.tree.body[1], "NEW")) == ["%matplotlib inline\nNEW\na"]
