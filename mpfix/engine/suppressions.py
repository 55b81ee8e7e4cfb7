"""Comments that silence findings: read from comment tokens, applied, and judged when they silence nothing.

`# noqa: MP201, MP301 reason` and `# mpfix: ignore[MP201] reason` count for the statement (or header) they stand on; the
latter, alone on a line, also for the statement below. `# mpfix: file-ignore[MP201] reason` counts for the file.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping

from mpfix.diagnostic import Span
from mpfix.record import record
from mpfix.rule import Rule
from mpfix.source.document import Document, TextEdit

_CODE = re.compile(r"[A-Z]+[0-9]+")
_NOQA = re.compile(r"#\s*noqa\b(?P<colon>\s*:)?", re.IGNORECASE)
_NOQA_ITEM = re.compile(r"[\s,]*(?P<item>[A-Za-z][A-Za-z0-9-]*)(?![\w-])")
_OURS = re.compile(r"#\s*mpfix\s*:\s*(?P<verb>[\w-]*)\s*(?:\[(?P<list>[^\]#]*)\])?", re.IGNORECASE)
_OUR_ITEM = re.compile(r"[^\s,]+")
_NEWLINE = re.compile(r"\r\n|\r|\n")
_LINES_OF_CODE = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT})


@record
class Item:
    """One code or name in a suppression, at code point offsets of the text."""

    text: str
    start: int
    end: int
    code: str | None
    """Code of the rule that is meant; None where no rule is."""


@record
class Suppression:
    """One comment, or the part of it, that silences findings."""

    items: tuple[Item, ...]
    lines: frozenset[int] | None
    """Lines on which it counts; None: in the whole file."""
    line: int
    start: int
    end: int
    """Code point offsets of the directive, its reason included."""
    is_noqa: bool
    is_blanket: bool = False
    """A bare `# noqa`, which silences every rule."""
    broken: str | None = None
    """Why it silences nothing; None when it is well-formed."""

    def silences(self, code: str, lines: range) -> bool:
        """Whether it silences a finding of `code` in a statement on `lines`."""
        if self.lines is not None and not any(line in self.lines for line in lines):
            return False
        return self.is_blanket or any(item.code == code for item in self.items)


@record
class Complaint:
    """A suppression that is unused or names no rule, with the edit that removes it."""

    line: int
    span: Span
    message: str
    title: str
    edits: tuple[TextEdit, ...]


def read_suppressions(document: Document, rules: Iterable[Rule]) -> tuple[Suppression, ...]:
    """The suppressions in a document that parses, by position."""
    folded = document.text.lower()
    if "noqa" not in folded and "mpfix" not in folded:
        return ()
    names = {identity.casefold(): rule.code for rule in rules for identity in (rule.code, rule.name)}
    comments, code_lines = _comments(document.text)
    found: list[Suppression] = []
    for row, column, text in comments:
        line = document.lines.line(row)
        start = document.offset(row, len(line[:column].encode()))
        below = min((line for line in code_lines if line > row), default=row)
        own_line = not line[:column].strip()
        found += _directives(text, start, row, below if own_line else row, names)
    return tuple(found)


def unused(
    document: Document, suppressions: Iterable[Suppression], used: frozenset[int], ran: frozenset[str]
) -> Iterator[Complaint]:
    """Suppressions of rules that ran (their codes: `ran`) and silenced nothing; `used`: offsets of items that did."""
    for suppression in suppressions:
        idle = tuple(item for item in suppression.items if item.code in ran and item.start not in used)
        if idle:
            where = "file" if suppression.lines is None else "statement"
            message = f"unused suppression: the {where} has no finding of {_listed(idle)}"
            yield _complaint(document, suppression, idle, message, f"remove the suppression of {_listed(idle)}")


def unknown(
    document: Document, suppressions: Iterable[Suppression], prefixes: frozenset[str], hint: Callable[[str], str]
) -> Iterator[Complaint]:
    """Suppressions that name no rule. In a `# noqa` only codes with one of our `prefixes` (letters) are ours to judge.

    `hint` names the rule that a word was probably meant to be, as the end of a sentence.
    """
    for suppression in suppressions:
        if suppression.broken:
            yield _complaint(document, suppression, suppression.items, suppression.broken, "remove the comment")
            continue
        bad = tuple(item for item in suppression.items if item.code is None and _is_ours(item, suppression, prefixes))
        if bad:
            message = f"suppression names no rule: {_listed(bad)}{hint(bad[0].text)}"
            yield _complaint(document, suppression, bad, message, f"remove the suppression of {_listed(bad)}")


def _is_ours(item: Item, suppression: Suppression, prefixes: frozenset[str]) -> bool:
    return not suppression.is_noqa or (item.text.rstrip("0123456789").upper() in prefixes and item.text[-1].isdigit())


def _listed(items: Iterable[Item]) -> str:
    return ", ".join(f"`{item.text}`" for item in items)


def _comments(text: str) -> tuple[list[tuple[int, int, str]], list[int]]:
    """((row, column, text) of every comment, lines on which code starts); what was read before an error counts."""
    comments: list[tuple[int, int, str]] = []
    code_lines: list[int] = []
    # the reader sees line ends as `ast` does: LF, CRLF and CR
    reader = io.StringIO(text, newline=None).readline
    try:
        for token in tokenize.generate_tokens(reader):
            if token.type == tokenize.COMMENT:
                comments.append((*token.start, token.string))
            elif token.type not in _LINES_OF_CODE:
                code_lines.append(token.start[0])
    except (tokenize.TokenError, SyntaxError):
        pass
    return comments, code_lines


def _directives(text: str, start: int, row: int, below: int, names: Mapping[str, str]) -> Iterator[Suppression]:
    """The suppressions in one comment, which begins at offset `start`; a part begins at each `#`."""
    for part in re.finditer(r"#[^#]*", text):
        offset = start + part.start()
        noqa, ours = _NOQA.match(part.group()), _OURS.match(part.group())
        if noqa is not None:
            yield from _noqa(part.group(), noqa, offset, row, names)
        elif ours is not None:
            yield _our_own(part.group(), ours, offset, frozenset({row, below}), names)


def _noqa(part: str, match: re.Match[str], offset: int, row: int, names: Mapping[str, str]) -> Iterator[Suppression]:
    end = offset + len(part.rstrip())
    lines = frozenset({row})
    if match["colon"] is None:
        yield Suppression((), lines, row, offset, end, is_noqa=True, is_blanket=True)
        return
    items: list[Item] = []
    position = match.end()
    while (item := _NOQA_ITEM.match(part, position)) and _is_listed(item["item"], names):
        items.append(_item(item["item"], offset + item.start("item"), names))
        position = item.end()
    if items:
        yield Suppression(tuple(items), lines, row, offset, end, is_noqa=True)


def _is_listed(text: str, names: Mapping[str, str]) -> bool:
    """Codes of any tool are part of the list, words only when they name a rule: the rest is the reason."""
    return _CODE.fullmatch(text) is not None or text.casefold() in names


def _our_own(
    part: str, match: re.Match[str], offset: int, lines: frozenset[int], names: Mapping[str, str]
) -> Suppression:
    begin = match.start("list") if match["list"] is not None else 0
    items = tuple(
        _item(item.group(), offset + begin + item.start(), names) for item in _OUR_ITEM.finditer(match["list"] or "")
    )
    verb = match["verb"].lower()
    broken = None
    if verb not in {"ignore", "file-ignore"}:
        broken = f"`# mpfix: {match['verb']}` is no suppression; write `ignore[CODE]` or `file-ignore[CODE]`"
    elif not items:
        broken = f"`# mpfix: {verb}` names no rule; write `{verb}[CODE]`"
    return Suppression(
        () if broken else items,
        None if verb == "file-ignore" else lines,
        min(lines),
        offset,
        offset + len(part.rstrip()),
        is_noqa=False,
        broken=broken,
    )


def _item(text: str, start: int, names: Mapping[str, str]) -> Item:
    return Item(text, start, start + len(text), names.get(text.casefold()))


def _complaint(
    document: Document, suppression: Suppression, items: tuple[Item, ...], message: str, title: str
) -> Complaint:
    whole = len(items) == len(suppression.items)
    edits = (_without_directive(document, suppression),) if whole else _without_items(suppression, items)
    span = document.span_between(suppression.start, suppression.end)
    return Complaint(suppression.line, span, message, title, edits)


def _without_directive(document: Document, suppression: Suppression) -> TextEdit:
    """Remove the directive with the blanks before it; a line that holds nothing else goes as a whole."""
    text = document.text
    start, end = suppression.start, suppression.end
    while start > 0 and text[start - 1] in " \t":
        start -= 1
    rest = _NEWLINE.search(text, end)
    line_end = rest.start() if rest else len(text)
    if text[end:line_end].strip():
        return TextEdit(suppression.start, end + len(text[end:line_end]) - len(text[end:line_end].lstrip()), "")
    # the newline at the end of a notebook cell is not in its source: there the line stays, empty
    if document.kind != "ipynb" and (start == 0 or text[start - 1] in "\r\n"):
        return TextEdit(start, rest.end() if rest else len(text), "")
    return TextEdit(start, line_end, "")


def _without_items(suppression: Suppression, items: tuple[Item, ...]) -> tuple[TextEdit, ...]:
    """Remove some codes of a list, each with the separator that joins it to what stays."""
    kept = [item for item in suppression.items if item not in items]
    edits: list[TextEdit] = []
    for item in items:
        after = [other for other in suppression.items if other.start > item.start]
        if item.start < kept[0].start:
            edits.append(TextEdit(item.start, after[0].start, ""))
        else:
            before = max(other.end for other in suppression.items if other.end <= item.start)
            edits.append(TextEdit(before, item.end, ""))
    return tuple(edits)
