"""The programs of `fixtures`: what is found in them, what the fixes make of them; correct scripts stay silent."""

from __future__ import annotations

import importlib.util
import json
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import pytest

import mpfix
from mpfix.settings import parse_settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIXTURES = Path(__file__).parents[1] / "fixtures"
PROGRAMS = FIXTURES / "programs"
WORKER = Path(__file__).parent / "proofs" / "worker.py"
TABLE = tomllib.loads((PROGRAMS / "expected.toml").read_text(encoding="utf-8"))["program"]
GENERATIONS = ("2", "3", "2+3")
REPLY_SECONDS = 300

Json = dict[str, Any]
Command = Callable[..., Any]

EACH = [pytest.param(entry, keras, id=f"{entry['file']}-{keras}") for entry in TABLE for keras in GENERATIONS]
CLEAN = [pytest.param(entry, keras, id=f"{entry['file']}-{keras}") for entry in TABLE for keras in entry["clean"]]
DESCRIBED = [
    pytest.param(entry, keras, id=f"{entry['file']}-{keras}")
    for entry in TABLE
    for keras in GENERATIONS
    if keras not in entry["clean"]
]
TRAINED = [
    pytest.param(
        entry, keras, runs, id=f"{entry['file']}-{keras}-on-{runs}", marks=pytest.mark.xdist_group(f"keras{runs}")
    )
    for entry in TABLE
    for keras in entry["clean"]
    for runs in keras.split("+")
]


def _correct() -> Iterator[Any]:
    for path in sorted((FIXTURES / "correct").iterdir()):
        written_for = _first_code_line(path).removeprefix("# keras: ")
        for keras in GENERATIONS if written_for == "2+3" else (written_for,):
            yield pytest.param(path, keras, id=f"{path.name}-{keras}")


def _first_code_line(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = next("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code")
    return text.splitlines()[0]


def _checked(run_cli: Command, path: Path, keras: str) -> tuple[int, list[Json]]:
    """The exit status of `check` and its diagnostics."""
    done = run_cli("check", "--isolated", "--output-format", "json", "--keras", keras, str(path))
    assert done.status in (0, 1), done.out + done.err
    report = json.loads(done.out)
    assert not report["errors"], report["errors"]
    return done.status, report["diagnostics"]


def _repaired(run_cli: Command, entry: Json, keras: str, folder: Path) -> Path:
    """A copy of the program with all its fixes."""
    path = Path(shutil.copy(PROGRAMS / entry["file"], folder))
    done = run_cli("apply", "--isolated", "--unsafe-fixes", "--keras", keras, str(path))
    assert done.status in (0, 1), done.out + done.err
    return path


def _at(item: Json) -> str:
    """A place as the table names it."""
    row = str(item["location"]["row"])
    return row if item["cell"] is None else f"{item['cell']}:{row}"


def _severity(finding: Json, keras: str) -> str | None:
    named = finding.get("severity")
    return named[keras] if isinstance(named, dict) else named


@pytest.mark.parametrize(("entry", "keras"), EACH)
def test_program_has_the_findings_of_the_table(entry: Json, keras: str, run_cli: Command) -> None:
    status, diagnostics = _checked(run_cli, PROGRAMS / entry["file"], keras)

    assert status == 1
    found = {(item["code"], _at(item)): item for item in diagnostics}
    assert sorted(found) == sorted((item["code"], item["at"]) for item in entry["findings"])
    assert len(found) == len(diagnostics), "a finding is reported once"
    for finding in entry["findings"]:
        item = found[finding["code"], finding["at"]]
        assert item["severity"] == (_severity(finding, keras) or item["severity"]), item
        assert set(finding["because"]) <= {_at(related) for related in item["related"]}, item


@pytest.mark.parametrize(("entry", "keras"), CLEAN)
def test_repaired_program_is_clean(entry: Json, keras: str, run_cli: Command, tmp_path: Path) -> None:
    path = _repaired(run_cli, entry, keras, tmp_path)
    written = path.read_bytes()

    status, diagnostics = _checked(run_cli, path, keras)

    assert status == 0, diagnostics
    run_cli("apply", "--isolated", "--unsafe-fixes", "--keras", keras, str(path))
    assert path.read_bytes() == written, "fixing twice is fixing once"


@pytest.mark.parametrize(("entry", "keras"), DESCRIBED)
def test_described_repair_gives_its_reason(entry: Json, keras: str, run_cli: Command, tmp_path: Path) -> None:
    path = _repaired(run_cli, entry, keras, tmp_path)

    _, diagnostics = _checked(run_cli, path, keras)

    left = {item["code"]: item for item in diagnostics}
    for code in entry["stays"]:
        fix = left[code]["fix"]
        assert fix is None or fix["applicability"] == "display-only"
        assert left[code]["unfixable_reason"]


@pytest.mark.parametrize(("path", "keras"), tuple(_correct()))
def test_correct_script_stays_silent(path: Path, keras: str) -> None:
    report = mpfix.check([str(path)], parse_settings(f'keras = "{keras}"\n'), with_fixes=False)

    assert not report.errors
    assert [(item.span.start.row, item.code, item.message) for item in report.diagnostics] == []


class Trainer:
    """A child with one Keras generation that runs programs."""

    def __init__(self, generation: str, log: IO[bytes]) -> None:
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), generation],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip

    def run(self, name: str, code: str) -> Json:
        """Whether the program ran to its end, and its traceback."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"name": name, "line": 1, "code": code}) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], REPLY_SECONDS)
        reply = self.process.stdout.readline() if ready else ""
        return dict(json.loads(reply)) if reply else {"ok": False, "error": self._last_words()}

    def _last_words(self) -> str:
        self.log.seek(0)
        return self.log.read()[-2000:].decode("utf-8", "replace")

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="session")
def trainers() -> Iterator[Callable[[str], Trainer]]:
    """`trainers("2")`: the child of that generation, started when it is first asked for."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    started: dict[str, Trainer] = {}
    with ExitStack() as stack:

        def trainer(generation: str) -> Trainer:
            if generation not in started:
                started[generation] = Trainer(generation, stack.enter_context(tempfile.TemporaryFile()))
                stack.callback(started[generation].stop)
            return started[generation]

        yield trainer


def _as_script(path: Path) -> str:
    """The Python of a program; magics of a notebook left out."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        lines = [line.rstrip("\n") for cell in cells for line in cell]
        text = "\n".join(line for line in lines if not line.startswith(("%", "!"))) + "\n"
    return text


def _claims(entry: Json) -> str:
    """What a repaired program must have reached at its end, as code."""
    claims = ["assert history[-1] < history[0] / 2, history"]
    if "updates" in entry:
        claims.append(f"assert updates == {entry['updates']}, updates")
    return "".join(f"\n{claim}" for claim in claims) + "\n"


@pytest.mark.tensorflow
@pytest.mark.parametrize(("entry", "keras", "runs"), TRAINED)
def test_repaired_program_trains(
    entry: Json, keras: str, runs: str, run_cli: Command, tmp_path: Path, trainers: Callable[[str], Trainer]
) -> None:
    path = _repaired(run_cli, entry, keras, tmp_path)
    code = _as_script(path) + _claims(entry)

    reply = trainers(runs).run(f"{path.stem}.py", code)

    assert reply["ok"], f"{reply['error']}\n{code}"
