"""What the README shows is what the command prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def test_screen_in_the_readme_is_real() -> None:
    screen = re.search(r"```console\n\$ mpfix (?P<arguments>check .*)\n(?P<output>(?s:.*?))```", README)
    assert screen is not None
    command = [sys.executable, "-m", "mpfix", *screen["arguments"].split()]

    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, encoding="utf-8", check=False)

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == screen["output"]


@pytest.mark.parametrize("name", re.findall(r"\]\(([A-Za-z][^)#:]*)\)", README))
def test_links_of_the_readme_lead_somewhere(name: str) -> None:
    assert (CHECKOUT / name).exists()


def test_codes_in_the_readme_exist() -> None:
    from mpfix.registry import load_registry

    assert set(re.findall(r"\bMP\d{3}\b", README)) <= {rule.code for rule in load_registry().rules}
