"""The examples of rule pages: read from Markdown, with their marks taken off."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from mpfix.registry import load_registry
from mpfix.report import Report
from mpfix.rule import Rule
from mpfix.settings import Settings, parse_settings

_FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<language>\w*)\s*(?P<attributes>.*)$")
_TITLE = re.compile(r'title="(?P<title>[^"]*)"')
_MARK = re.compile(r"\s*#\s*(?P<kind>expect|because):\s*(?P<codes>[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)\s*$")
_EXCEPTION = re.compile(r"^- equivalence: (?P<disguise>[a-z*]+): (?P<heading>.+?): (?P<reason>.+)$")

HEADINGS = ("Why", "Examples", "Proof", "Fix safety", "Limits", "References")
FIXED = "fixed"
DEFAULT_NAME = "train.py"

Mark = tuple[str, int, str]
"""(file, 1-based line, code)."""


@dataclass(frozen=True)
class Block:
    """One fenced block: its heading (`##`), its `###` sentence, and what it holds."""

    section: str
    sentence: str
    language: str
    title: str
    text: str


@dataclass(frozen=True)
class Page:
    """One rule's page."""

    rule: Rule = field(repr=False)
    stem: str
    text: str = field(repr=False)
    title: str = field(repr=False)
    sections: tuple[str, ...] = field(repr=False)
    sentences: tuple[str, ...] = field(repr=False)
    """The `###` headings under Examples."""
    blocks: tuple[Block, ...] = field(repr=False)

    @property
    def exceptions(self) -> tuple[tuple[str, str, str], ...]:
        """(disguise, heading, reason) of what the page excepts from the equivalence test; `*` stands for all."""
        limits = self.text.partition("\n## Limits\n")[2].partition("\n## ")[0]
        matches = (_EXCEPTION.match(line) for line in limits.splitlines())
        return tuple((match["disguise"], match["heading"], match["reason"]) for match in matches if match)


@dataclass(frozen=True)
class Example:
    """The blocks of one sentence: files without their marks, what is expected of them, and the repaired files."""

    page: Page = field(repr=False)
    sentence: str
    settings: Settings = field(repr=False)
    files: tuple[tuple[str, str], ...]
    expected: frozenset[Mark]
    because: frozenset[Mark]
    fixed: str | None

    @property
    def id(self) -> str:
        """The name of its tests."""
        return f"{self.page.rule.code}: {self.sentence}"

    @property
    def is_flagged(self) -> bool:
        """Whether it shows what the page's own rule finds."""
        return any(code == self.page.rule.code for _, _, code in self.expected)

    def write(self, folder: Path) -> list[str]:
        """Put the files into `folder`; their paths, sorted."""
        for name, source in self.files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8", newline="")
        return sorted(str(folder / name) for name, _ in self.files)


@cache
def pages() -> tuple[Page, ...]:
    """The pages of all rules of the built-in pack, by code."""
    registry = load_registry()
    found = []
    for entry in registry.registered:
        package, _, stem = entry.module.rpartition(".")
        resource = importlib.resources.files(package).joinpath(f"{stem}.md")
        text = resource.read_text(encoding="utf-8") if resource.is_file() else ""
        found.append(read_page(entry.rule, stem, text))
    return tuple(found)


def read_page(rule: Rule, stem: str, text: str) -> Page:
    """A page taken apart; headings inside fenced blocks are text."""
    title, section, sentence = "", "", ""
    sections: list[str] = []
    sentences: list[str] = []
    blocks: list[Block] = []
    lines = iter(text.splitlines())
    for line in lines:
        fence = _FENCE.match(line)
        if fence:
            content = "".join(f"{inner}\n" for inner in _until_fence(lines, fence["ticks"]))
            titled = _TITLE.search(fence["attributes"])
            blocks.append(Block(section, sentence, fence["language"], titled["title"] if titled else "", content))
        elif line.startswith("# "):
            title = line[2:]
        elif line.startswith("## "):
            section, sentence = line[3:], ""
            sections.append(section)
        elif line.startswith("### "):
            sentence = line[4:]
            if section == "Examples":
                sentences.append(sentence)
    return Page(rule, stem, text, title, tuple(sections), tuple(sentences), tuple(blocks))


@cache
def examples() -> tuple[Example, ...]:
    """The examples of all pages."""
    return tuple(example for page in pages() for example in page_examples(page))


def page_examples(page: Page) -> Iterator[Example]:
    """The examples of one page, in order."""
    for sentence in page.sentences:
        blocks = [block for block in page.blocks if block.section == "Examples" and block.sentence == sentence]
        sources = [block for block in blocks if block.language == "python" and block.title != FIXED]
        marked = [(block.title or DEFAULT_NAME, block.text) for block in sources]
        fixed = [block.text for block in blocks if block.title == FIXED]
        toml = "".join(block.text for block in blocks if block.language == "toml")
        yield Example(
            page,
            sentence,
            parse_settings(toml) if toml else Settings(),
            tuple((name, without_marks(text)) for name, text in marked),
            frozenset(mark for name, text in marked for mark in _marks(name, text, "expect")),
            frozenset(mark for name, text in marked for mark in _marks(name, text, "because")),
            fixed[0] if fixed else None,
        )


def without_marks(text: str) -> str:
    """The text without the comments that tests read."""
    return "".join(_split(line)[0] + "\n" for line in text.splitlines())


def settings_for(example: Example) -> Settings:
    """The settings that an example is checked with: its own, and its rule where it is not looked for by default."""
    rule = example.page.rule
    by_default = any(severity.rank > 0 for severity in rule.severity.values())
    if by_default or example.settings.select is not None:
        return example.settings
    return replace(example.settings, extend_select=(*example.settings.extend_select, rule.code))


def found_marks(report: Report, folder: Path) -> frozenset[Mark]:
    """(file, line, code) of every diagnostic."""
    return frozenset(
        (Path(item.span.filename).relative_to(folder).as_posix(), item.span.start.row, item.code)
        for item in report.diagnostics
    )


def evidence_marks(report: Report, folder: Path) -> frozenset[Mark]:
    """(file, line, code) of every related place."""
    return frozenset(
        (Path(related.span.filename).relative_to(folder).as_posix(), related.span.start.row, item.code)
        for item in report.diagnostics
        for related in item.related
    )


def shown(report: Report) -> str:
    """The diagnostics and errors of a report, for the message of a failing test."""
    lines = [f"{item.span.start.row}: {item.code} {item.message}" for item in report.diagnostics]
    lines += [f"    because {related.span.start.row}" for item in report.diagnostics for related in item.related]
    return "\n".join([*lines, *(f"{error.message}\n{error.detail or ''}" for error in report.errors)]) or "nothing"


def _until_fence(lines: Iterator[str], ticks: str) -> Iterator[str]:
    for line in lines:
        if line.rstrip() == ticks:
            return
        yield line


def _marks(name: str, text: str, kind: str) -> Iterator[Mark]:
    for number, line in enumerate(text.splitlines(), start=1):
        for found, codes in _split(line)[1]:
            if found == kind:
                yield from ((name, number, code.strip()) for code in codes.split(","))


def _split(line: str) -> tuple[str, list[tuple[str, str]]]:
    """A line without its marks, and its (kind, codes) marks."""
    marks: list[tuple[str, str]] = []
    while match := _MARK.search(line):
        marks.append((match["kind"], match["codes"]))
        line = line[: match.start()]
    return line, marks
