"""The same program happens the same way on every machine: under every seed of Python's hashes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from random_programs import Programs
from stub_library import spelled, trace
from mpfix.frameworks import interpret
from mpfix.semantic.guards import describe
from mpfix.semantic.syntax import parse_module
from mpfix.source.document import document_from_bytes

def account(found):
    for one in found.occurrences:
        fields = [getattr(one.event, name) for name in type(one.event).__dataclass_fields__ if name != "node"]
        shown = fields[0] if fields and isinstance(fields[0], tuple) else fields
        values = "; ".join(map(spelled, shown))
        print(type(one.event).__name__, one.place.line, describe(one.guard), len(one.loops), values)
    for one in found.recurrences:
        print(one.name, one.initial, one.next, describe(one.guard))

for path in sorted(Path(sys.argv[2]).glob("*.py")):
    document = document_from_bytes(path.read_bytes(), path, path.name)
    account(interpret((parse_module(document),), generation=3))
for seed in range(3000, 3008):
    account(trace(Programs(seed).make(), last_pass=True))
"""


def account(hash_seed: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(HERE), str(HERE.parents[1] / "fixtures" / "programs")],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout


def test_events_do_not_depend_on_hashes() -> None:
    first, second, third = (account(seed) for seed in ("0", "1", "7"))

    assert len(first.splitlines()) > 100
    assert first == second == third
