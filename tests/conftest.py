"""What tests share: a program of a source, a project on disk, the command line."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

# tests are no package: `page_examples` and `disguises`, which several of them need, are found by their folder
sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


@pytest.fixture
def program() -> Callable[..., object]:
    """`program(source, generation=3, ...)`: the interpreted program of one file; keywords go to `interpret`."""
    from mpfix.frameworks import interpret
    from mpfix.semantic.syntax import parse_module
    from mpfix.source.document import document_from_bytes

    def make(source: str, *, generation: int = 3, filename: str = "train.py", **keywords: object) -> object:
        document = document_from_bytes(textwrap.dedent(source).encode(), Path(filename), filename)
        return interpret((parse_module(document),), generation=generation, **keywords)  # type: ignore[arg-type]

    return make


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str | bytes]], Path]:
    """`project({"train.py": source, ...})`: the files in a folder that is the working directory from then on."""

    def make(files: Mapping[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = textwrap.dedent(content).encode() if isinstance(content, str) else content
            path.write_bytes(data)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return make


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Children heed Ctrl-C, also where the test run itself was started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def run_cli() -> Callable[..., CommandResult]:
    """`run_cli("check", "train.py", cwd=..., stdin=...)`: the command in a process of its own."""

    def run(*arguments: str, cwd: Path | None = None, stdin: str = "") -> CommandResult:
        command = [sys.executable, "-m", "mpfix", *arguments]
        done = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, check=False)
        return CommandResult(done.returncode, done.stdout, done.stderr)

    return run
