"""Unit tests: what pytest and unittest call, and what their authors expect to fail."""

from __future__ import annotations

import ast
import re

from mpfix.frameworks.surroundings import holds
from mpfix.semantic.syntax import Module, Place
from mpfix.semantic.values import Function


def is_test(function: Function) -> bool:
    """Whether pytest or unittest calls a function: no policy that another test sets is in force then."""
    if not function.name.startswith("test") and function.name not in FIXTURES:
        return False
    owner = function.owner
    if owner is not None and any(base.key.endswith("TestCase") for base in owner.library_bases()):
        return True
    return is_test_file(function.module)


def is_test_file(module: Module) -> bool:
    """Whether pytest collects a file by its name."""
    return bool(_TEST_FILE.search(module.document.display.replace("\\", "/")))


def is_in_test(place: Place) -> bool:
    """Whether a place lies in a test, or in a class of tests: what it tries in half, it tries on purpose.

    Other functions and classes of a file of tests may belong to a script that is only called so.
    """
    if not is_test_file(place.module):
        return False
    return any(_is_test_node(one) and holds(one, place.node) for one in ast.walk(place.module.tree))


def _is_test_node(node: ast.AST) -> bool:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name.startswith("test") or name in FIXTURES
        case ast.ClassDef(name=name, bases=bases):
            bases_said = (ast.unparse(base).rpartition(".")[2] for base in bases)
            return name.startswith("Test") or any(base.endswith("TestCase") for base in bases_said)
    return False


def expects_error(place: Place) -> bool:
    """Whether a place lies in a block that is there to raise, such as that of `with pytest.raises(ValueError):`."""
    if not any(name in place.module.document.text for name in EXPECTING):
        return False
    blocks = (one for one in ast.walk(place.module.tree) if isinstance(one, ast.With) and _expects_error(one))
    return any(holds(one, place.node) for one in blocks)


def _expects_error(block: ast.With) -> bool:
    calls = [item.context_expr for item in block.items if isinstance(item.context_expr, ast.Call)]
    return any(getattr(call.func, "attr", getattr(call.func, "id", "")) in EXPECTING for call in calls)


FIXTURES = frozenset({"setUp", "tearDown", "setUpClass", "tearDownClass", "setup_method", "setup_module"})

_TEST_FILE = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")
"""Names of files that pytest collects."""

EXPECTING = frozenset({"assertRaises", "assertRaisesRegex", "assert_raises", "assert_raises_regex", "raises"})
"""Context managers of unittest, NumPy and pytest whose block ends in an exception."""
