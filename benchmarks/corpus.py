"""Measures mpfix on labelled real repositories, and compares what two versions of it find; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

HERE = Path(__file__).resolve().parent.parent
NEAR = 2
"""Lines that a finding may lie beside its label."""
LONGEST = 40
"""Lines of a finding beyond which only its first counts."""

REPORTS: Mapping[str, tuple[str, ...]] = {
    "LS": ("MP1", "MP2", "MP5", "MP8"),
    "OUT": ("MP3",),
    "NUM": ("MP3", "MP4"),
    "DT": ("MP3", "MP4"),
    "POL": ("MP1", "MP2", "MP4", "MP8"),
    "ACC": ("MP2", "MP5"),
    "MEM": ("MP6",),
}
"""Codes that may report a defect of each family of labels."""
FORBIDDEN: Mapping[str, tuple[str, ...]] = {
    "LS": ("MP2", "MP8"),
    "OUT": ("MP301", "MP302", "MP310"),
    "NUM": ("MP3",),
    "DT": ("MP4",),
    "POL": ("MP1", "MP8"),
    "ACC": ("MP5",),
    "MEM": ("MP6",),
}
"""Codes that a trap of each family forbids."""
REMOVED_API = "removed-experimental-api"


@dataclass(frozen=True, slots=True)
class Spot:
    """A line of a file; in a notebook a line of a cell, both counted as reports do, from 1."""

    path: str
    line: int
    cell: int | None = None


@dataclass(frozen=True)
class Label:
    """What people said of one line: a defect, or a trap that looks like one."""

    spots: tuple[Spot, ...]
    family: str
    is_defect: bool
    confidence: str
    place: str
    """Where the repository sets its policy: `file`, `project`, `nowhere`, `irrelevant`."""
    pattern: str
    text: str

    @property
    def groups(self) -> Iterator[str]:
        """The rows of the recall table that it counts for."""
        yield from ("all", f"confidence {self.confidence}", f"family {self.family}", f"place {self.place}")
        yield from (f"family {self.family}, {self.confidence}", f"pattern {self.pattern}")
        if self.pattern != REMOVED_API:
            yield from ("without removed API", f"without removed API, {self.confidence}")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One diagnostic of a report."""

    path: str
    cell: int
    """0 where there is none."""
    row: int
    end: int
    code: str
    severity: str
    message: str

    def __str__(self) -> str:
        cell = f"cell {self.cell}:" if self.cell else ""
        return f"{self.path}:{cell}{self.row}: {self.severity} {self.code} {self.message}"

    def is_near(self, label: Label) -> bool:
        """Whether it stands where the label does, or next to it."""
        last = self.end if self.end - self.row < LONGEST else self.row
        return any(
            spot.path == self.path
            and (spot.cell or 0) == self.cell
            and self.row - NEAR <= spot.line <= max(last, self.row) + NEAR
            for spot in label.spots
        )


@dataclass
class Score:
    """Counts over all repositories."""

    hits: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    traps_hit: Counter[str] = field(default_factory=Counter)
    traps: Counter[str] = field(default_factory=Counter)
    clean_files: int = 0
    misses: list[str] = field(default_factory=list)
    trapped: list[str] = field(default_factory=list)
    in_clean: list[str] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


@dataclass
class Repository:
    """One repository at one commit: its labels, the roles of its files and its Keras generation."""

    name: str
    commit: str
    labels: list[Label] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)
    votes: Counter[str] = field(default_factory=Counter)

    @property
    def folder(self) -> str:
        """The folder below the root that holds it."""
        return f"{self.name.replace('/', '+')}@{self.commit[:7]}"

    @property
    def keras(self) -> str:
        """The generation of most of its files in the manifest; 3 without any."""
        return max(sorted(self.votes), key=self.votes.__getitem__) if self.votes else "3"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the two commands; status 1 when a repository could not be checked."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    measure = commands.add_parser("measure", help="recall, traps, findings in clean files and on unlabelled lines")
    measure.add_argument("labels", type=Path, help="labels, one JSON object a line")
    measure.add_argument("root", type=Path, help="folder of work trees named owner+name@COMMIT7")
    measure.add_argument("--manifest", type=Path, help="table of files; else manifest.tsv beside the labels")
    measure.add_argument("--assume", metavar="POLICY", help="run with --assume-policy; labels of place `nowhere` count")
    measure.add_argument("--show", action="store_true", help="list misses, hit traps and findings in clean files")
    measure.add_argument("--unlabelled", type=int, default=0, metavar="N", help="list N unlabelled findings, at random")
    measure.add_argument("--seed", type=int, default=0, help="of the choice of unlabelled findings")
    measure.set_defaults(run=run_measure)
    compare = commands.add_parser("diff", help="findings that one version of mpfix has and another has not")
    compare.add_argument("root", type=Path, help="folder of work trees; each is checked as a project")
    compare.add_argument("old", help="commit of this repository")
    compare.add_argument("new", nargs="?", help="commit of this repository; else its files as they are")
    compare.add_argument("--labels", type=Path, help="labels, for the Keras generation of each work tree")
    compare.add_argument("--manifest", type=Path)
    compare.set_defaults(run=run_diff, assume=None)
    for one in (measure, compare):
        one.add_argument("--only", default="", metavar="TEXT", help="only work trees whose name holds this")
        one.add_argument("--timeout", type=float, default=600, help="seconds for one work tree")
    given = parser.parse_args(arguments)
    status: int = given.run(given)
    return status


# -- measure


def run_measure(given: argparse.Namespace) -> int:
    """Score this mpfix on the labels."""
    manifest = given.manifest or given.labels.with_name("manifest.tsv")
    score = Score()
    for repository in read_corpus(given.labels, manifest):
        if given.only in repository.folder:
            judge(repository, given, score)
    print_score(score, given)
    return int(bool(score.failed))


def judge(repository: Repository, given: argparse.Namespace, score: Score) -> None:
    """Check one repository and count."""
    folder = given.root / repository.folder
    if not folder.is_dir():
        score.absent.append(repository.folder)
        return
    labels = [one for one in repository.labels if given.assume or not one.is_defect or one.place != "nowhere"]
    found = check(HERE, folder, repository.keras, timeout=given.timeout, assume=given.assume)
    if isinstance(found, str):
        score.failed.append(f"{repository.folder}: {found}")
        return
    for label in labels:
        count_label(label, found, repository.folder, score)
    for finding in found:
        role = repository.roles.get(finding.path, "")
        if any(finding.is_near(label) for label in repository.labels) or finding.severity == "note":
            continue
        if role.startswith("clean-") and role != "clean-trap":
            score.in_clean.append(f"{repository.folder}: {finding}")
        elif role:
            score.unlabelled.append(f"{repository.folder}: {finding}")
    score.clean_files += sum(role in ("clean-plain", "clean-tempting") for role in repository.roles.values())


def count_label(label: Label, found: Iterable[Finding], where: str, score: Score) -> None:
    """Count a defect as found or missed, a trap as hit or spared."""
    codes = (REPORTS if label.is_defect else FORBIDDEN).get(label.family, ())
    near = [one for one in found if one.code.startswith(codes) and one.is_near(label)]
    spot = label.spots[0]
    told = f"{where}: {spot.path}:{spot.line}: {label.family} {label.confidence} {label.place}: {label.text}"
    if label.is_defect:
        score.totals.update(label.groups)
        score.hits.update(label.groups if near else ())
        if not near:
            score.misses.append(told)
        return
    near = [one for one in near if one.severity != "note"]
    groups = ("all", f"family {label.family}", f"place {label.place}")
    score.traps.update(groups)
    score.traps_hit.update(groups if near else ())
    if near:
        score.trapped.append(f"{told} [{', '.join(one.code for one in near)}]")


def print_score(score: Score, given: argparse.Namespace) -> None:
    """The tables, then the lists that were asked for."""
    print_shares("recall", score.hits, score.totals)
    print_shares("traps hit", score.traps_hit, score.traps)
    print(f"{'findings in clean files':40} {len(score.in_clean)} in {score.clean_files} files")
    print(f"{'findings on unlabelled lines':40} {len(score.unlabelled)}")
    if given.show:
        print_list("missed", score.misses)
        print_list("traps hit", score.trapped)
        print_list("in clean files", score.in_clean)
    chosen = random.Random(given.seed).sample(score.unlabelled, min(given.unlabelled, len(score.unlabelled)))
    print_list("unlabelled", sorted(chosen))
    print_list("could not be checked", score.failed)
    print_list("not there", score.absent)


def print_shares(title: str, hits: Counter[str], totals: Counter[str]) -> None:
    """One line for each group."""
    for group, total in sorted(totals.items()):
        print(f"{f'{title}: {group}':60} {hits[group]:4}/{total:<4} {hits[group] / total:.2f}")


def print_list(title: str, lines: Sequence[str]) -> None:
    """A titled list, if there is something in it."""
    if lines:
        print(f"\n{title} ({len(lines)}):", *lines, sep="\n  ")


# -- diff


def run_diff(given: argparse.Namespace) -> int:
    """Print findings that only one of two versions has."""
    known = {one.folder: one.keras for one in read_corpus(given.labels, given.manifest)} if given.labels else {}
    failed = 0
    changes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        before = checked_out(given.old, Path(scratch, "old"))
        after = HERE if given.new is None else checked_out(given.new, Path(scratch, "new"))
        for folder in sorted(path for path in given.root.iterdir() if path.is_dir() and given.only in path.name):
            keras = known.get(folder.name, "auto")
            old = check(before, folder, keras, timeout=given.timeout)
            new = check(after, folder, keras, timeout=given.timeout)
            if isinstance(old, str) or isinstance(new, str):
                failed += 1
                print(f"{folder.name}: {old if isinstance(old, str) else new}")
            else:
                changes.update(print_changes(folder.name, old, new))
    for change, count in sorted(changes.items()):
        print(f"{count:6} {change}")
    return int(bool(failed))


def print_changes(name: str, old: Sequence[Finding], new: Sequence[Finding]) -> list[str]:
    """Print what only one side has; gives the sign and code of each."""
    before, after = Counter(old), Counter(new)
    changed = [(one, "-") for one in (before - after).elements()] + [(one, "+") for one in (after - before).elements()]
    for one, sign in sorted(changed):
        print(f"{sign} {name}: {one}")
    return [f"{sign} {one.code}" for one, sign in changed]


def checked_out(commit: str, target: Path) -> Path:
    """The files of a commit of this repository, in a folder of their own."""
    target.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=HERE, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x"], cwd=target, check=True, input=archive)
    return target


# -- both


def check(version: Path, folder: Path, keras: str, *, timeout: float, assume: str | None = None) -> list[Finding] | str:
    """What a version of mpfix finds in a folder as one project; a sentence where it finds no end."""
    command = [sys.executable, "-m", "mpfix", "check", "--isolated", "--no-cache", "--output-format", "json"]
    command += ["--select", "ALL", "--keras", keras, *(("--assume-policy", assume) if assume else ()), "."]
    places = os.pathsep.join((str(version), str(version / "rules")))
    try:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": places}, capture_output=True, timeout=timeout
        )
        return sorted(finding_of(item) for item in json.loads(done.stdout)["diagnostics"])
    except subprocess.TimeoutExpired:
        return f"no answer in {timeout:g} s"
    except (ValueError, KeyError):
        return f"status {done.returncode}: {done.stderr.decode(errors='replace')[-200:]}"


def finding_of(item: Mapping[str, Any]) -> Finding:
    """One diagnostic of a JSON report."""
    row = item["location"]["row"]
    return Finding(
        PurePath(item["filename"]).as_posix(),
        item["cell"] or 0,
        row,
        item["end_location"]["row"],
        item["code"],
        item["severity"],
        item["message"],
    )


def read_corpus(labels: Path, manifest: Path | None) -> list[Repository]:
    """The repositories of the labels and of the table of files beside them, by name."""
    found: dict[tuple[str, str], Repository] = {}

    def at(name: str, commit: str) -> Repository:
        return found.setdefault((name, commit), Repository(name, commit))

    for line in labels.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        at(item["repo"], item["commit"]).labels.append(label_of(item))
    for name, commit, path, _, keras, _, role in rows_of(manifest or labels.with_name("manifest.tsv")):
        repository = at(name, commit)
        repository.roles[path] = role
        repository.votes["3" if keras == "k3" else "2"] += 1
    return [found[key] for key in sorted(found)]


def rows_of(manifest: Path) -> Iterator[list[str]]:
    """The rows of a table with a heading; none where there is no table."""
    lines = manifest.read_text(encoding="utf-8").splitlines() if manifest.is_file() else []
    yield from (line.split("\t") for line in lines[1:])


def label_of(item: Mapping[str, Any]) -> Label:
    """One label; cells are counted from 0 there and from 1 here."""
    cell = item.get("cell")
    first = Spot(item["path"], item["line"]) if cell is None else Spot(item["path"], item["cell_line"], cell + 1)
    return Label(
        (first, *map(spot_of, item.get("also", ()))),
        item["family"],
        item["expect"] == "defect",
        item["confidence"],
        item.get("policy_at", "irrelevant"),
        item.get("pattern", "none"),
        item["what"],
    )


def spot_of(text: str) -> Spot:
    """`path:line`, or in a notebook `path:cell.line`."""
    path, _, place = text.rpartition(":")
    cell, dot, line = place.rpartition(".")
    return Spot(path, int(line), int(cell) + 1 if dot else None)


if __name__ == "__main__":
    sys.exit(main())
