"""What it costs to have rewriting at hand."""

from __future__ import annotations

import subprocess
import sys


def test_libcst_is_loaded_only_when_a_fix_is_built() -> None:
    code = "import sys, mpfix.rewriting.splice, mpfix.rewriting.edits; sys.exit('libcst' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
