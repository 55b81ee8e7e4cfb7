"""Runs of small scripts in children, as `validate` makes them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpfix.validate.endings import ending_of
from mpfix.validate.plan import MEMORY, ChildJob, Options, Variant
from mpfix.validate.runner import ChildResult, run_child
from mpfix.validation import Ending


@dataclass(frozen=True)
class ScriptRun:
    """What a child left, and how it ended in words."""

    result: ChildResult
    ending: Ending
    script: Path


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., ScriptRun]:
    """`run_script(source, kind=..., timeout=...)`: the script in a child; keywords go to `Options`."""

    def run(
        source: str, *, kind: str = MEMORY, text: str | None = None, is_reference: bool = False, **options: object
    ) -> ScriptRun:
        script = tmp_path / "train.py"
        script.write_text(textwrap.dedent(source), encoding="utf-8")
        texts = {} if text is None else {str(script): textwrap.dedent(text)}
        chosen = Options(script, **{"timeout": 120.0, **options})  # type: ignore[arg-type]
        result = run_child(ChildJob(chosen, Variant("as is", texts), kind, tmp_path, script, is_reference))
        content = text or script.read_text(encoding="utf-8")
        return ScriptRun(result, ending_of(result, script, chosen.timeout, content), script)

    return run
