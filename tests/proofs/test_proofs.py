"""Every claim under `## Proof` of every rule page, run under the Keras generations it names."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

PAGES = Path(__file__).parents[2] / "rules" / "mpfix_rules"
WORKER = Path(__file__).with_name("worker.py")
GENERATIONS = ("2", "3")
START_SECONDS = 180
BLOCK_SECONDS = 120
FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<info>[^`]*)$")
CANNOT_RUN = "cannot run here"


@dataclass(frozen=True)
class Claim:
    """One `###` heading under `## Proof`: what it says, and the blocks that show it."""

    page: str
    sentence: str
    prose: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Block:
    """One python block of a claim: its first line on the page, its code, the generations it runs under."""

    line: int
    code: str
    generations: tuple[str, ...]


def read_claims(page: str, text: str) -> tuple[Claim, ...]:
    """The claims of one page, in order."""
    claims: list[Claim] = []
    sentence, prose, blocks = "", [], []  # type: str, list[str], list[Block]

    def close() -> None:
        if sentence:
            claims.append(Claim(page, sentence, "\n".join(prose), tuple(blocks)))

    inside = False
    for kind, line, content in _parts(text):
        if kind == "heading" and content.startswith(("# ", "## ")):
            close()
            inside, sentence = content == "## Proof", ""
        elif kind == "heading" and inside and content.startswith("### "):
            close()
            sentence, prose, blocks = content.removeprefix("### ").strip(), [], []
        elif kind == "text" and inside:
            prose.append(content)
        elif kind.startswith("python") and inside:
            blocks.append(Block(line, content, _generations(kind)))
    close()
    return tuple(claims)


def _parts(text: str) -> Iterator[tuple[str, int, str]]:
    """Headings, lines of text and fenced blocks of a page: (kind, line, content); a block's kind is its info string."""
    fence: re.Match[str] | None = None
    first, lines = 0, []  # type: int, list[str]
    for number, line in enumerate(text.split("\n"), start=1):
        if fence is not None and line.rstrip() == fence["ticks"]:
            yield fence["info"].strip(), first, "".join(lines)
            fence = None
        elif fence is not None:
            lines.append(line + "\n")
        elif match := FENCE.match(line):
            fence, first, lines = match, number + 1, []
        else:
            yield ("heading" if line.startswith("#") else "text"), number, line


def _generations(info: str) -> tuple[str, ...]:
    """The generations that `keras="2"` or `keras="3"` in a fence's info string leaves; both without it."""
    named = re.findall(r'keras="([^"]*)"', info)
    if any(name not in GENERATIONS for name in named):
        raise ValueError(f'keras= must be "2" or "3": {info}')
    return tuple(named) or GENERATIONS


def all_claims() -> tuple[Claim, ...]:
    """The claims of all pages, in page order."""
    pages = sorted(PAGES.glob("*/mp*.md"))
    return tuple(claim for page in pages for claim in read_claims(page.name, page.read_text(encoding="utf-8")))


class Child:
    """A worker process of one generation; started again when a block kills it or takes too long."""

    def __init__(self, generation: str, log: IO[bytes]) -> None:
        self.generation = generation
        self.log = log
        self.start()

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "KERAS_"))}
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), self.generation],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment,
        )  # fmt: skip
        self.patience = START_SECONDS  # the first reply waits for TensorFlow's import

    def run(self, name: str, block: Block) -> dict[str, Any]:
        """The worker's reply on one block."""
        if self.process.poll() is not None:
            self.stop()
            self.start()
        assert self.process.stdin
        assert self.process.stdout
        request = {"name": name, "line": block.line, "code": block.code}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], self.patience + BLOCK_SECONDS)
        self.patience = 0
        reply = self.process.stdout.readline() if ready else ""
        if not reply:
            self.stop()
            return {"ok": False, "error": f"the worker of Keras {self.generation} {self._end(bool(ready))}"}
        return dict(json.loads(reply))

    def _end(self, closed: bool) -> str:
        self.log.seek(0)
        tail = self.log.read()[-2000:].decode("utf-8", "replace")
        return ("died" if closed else f"did not answer within {BLOCK_SECONDS} s") + f"\n{tail}"

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="session")
def children() -> Iterator[dict[str, Child]]:
    """One worker a generation, started together, used by every proof of the session."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    with ExitStack() as stack:
        started = {}
        for generation in GENERATIONS:
            started[generation] = Child(generation, stack.enter_context(tempfile.TemporaryFile()))
            stack.callback(started[generation].stop)
        yield started


def _proofs() -> Iterator[Any]:
    for claim in all_claims():
        for index, block in enumerate(claim.blocks):
            for generation in block.generations:
                suffix = f"#{index + 1}" if len(claim.blocks) > 1 else ""
                name = f"{claim.page.removesuffix('.md')}: {claim.sentence}{suffix} (Keras {generation})"
                # With `-n 2 --dist loadgroup` each generation gets a process of its own.
                group = pytest.mark.xdist_group(f"keras{generation}")
                yield pytest.param(claim.page, block, generation, id=name, marks=group)


@pytest.mark.parametrize(("page", "block", "generation"), tuple(_proofs()))
def test_proof_holds(page: str, block: Block, generation: str, children: dict[str, Child]) -> None:
    reply = children[generation].run(page, block)

    assert reply["ok"], f"{page}, Keras {generation}\n{reply['error']}"


@pytest.mark.parametrize("claim", [pytest.param(claim, id=f"{claim.page}: {claim.sentence}") for claim in all_claims()])
def test_claim_is_shown_by_blocks_that_assert(claim: Claim) -> None:
    cannot_run = CANNOT_RUN in claim.prose

    assert bool(claim.blocks) != cannot_run, f"a claim has python blocks, or says that it {CANNOT_RUN}"
    assert all(re.search(r"^\s*assert ", block.code, re.MULTILINE) for block in claim.blocks), "a proof asserts"


def test_claims_are_read_with_their_lines_and_generations() -> None:
    block = '```python keras="3"\nx = 1\nassert x  # no heading\n```\n'
    (claim,) = read_claims("mp999_a.md", f"# a\n## Proof\n### It fails\nwhy\n{block}## Limits\n### no claim\n")

    assert (claim.sentence, claim.prose) == ("It fails", "why")
    assert claim.blocks == (Block(6, "x = 1\nassert x  # no heading\n", ("3",)),)


def test_block_that_fails_reports_its_traceback_and_state_is_reset(children: dict[str, Child]) -> None:
    spoil = "from tensorflow import keras\nkeras.mixed_precision.set_global_policy('mixed_float16')\nassert 1 == 2\n"
    look = "from tensorflow import keras\nassert keras.mixed_precision.global_policy().name == 'float32'\n"

    for child in children.values():
        failed = child.run("page.md", Block(41, spoil, GENERATIONS))
        assert not failed["ok"]
        assert "line 43" in failed["error"]
        assert "AssertionError" in failed["error"]
        assert child.run("page.md", Block(1, look, GENERATIONS))["ok"]
