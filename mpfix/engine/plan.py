"""Which fixes are written together: who may apply them, their order, and why some wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mpfix.diagnostic import Applicability, Effect, Span
from mpfix.record import record
from mpfix.report import SkippedFix, is_allowed
from mpfix.source.document import Document, TextEdit
from mpfix.source.lines import with_newline


@record
class FileEdits:
    """The edits of one fix in one file."""

    filename: str
    edits: tuple[TextEdit, ...]


@record
class Offer:
    """A fix as text, ready to be written: all its edits or none."""

    code: str
    span: Span
    """Where the finding is."""
    title: str
    applicability: Applicability
    effect: Effect
    files: tuple[FileEdits, ...]

    @property
    def sort_key(self) -> tuple[object, ...]:
        """Order in which fixes are taken: by position of the finding, then code."""
        span = self.span
        return (span.filename, span.cell or 0, span.start, span.end, self.code, self.title)

    def skipped(self, reason: str) -> SkippedFix:
        """The entry for a fix that is not written."""
        return SkippedFix(self.code, self.span, self.title, reason)


@record
class Plan:
    """Fixes that can be written at once, and those that cannot, with reasons."""

    chosen: tuple[Offer, ...]
    skipped: tuple[SkippedFix, ...]


def plan_fixes(
    offers: Iterable[Offer], *, unsafe_fixes: bool, objection: Callable[[str], str | None] | None = None
) -> Plan:
    """Choose, in order of position, every allowed fix that does not touch the text of an earlier one.

    Fixes may be equal, or share an insertion that is exactly the same, such as an import that both need.

    Args:
        objection: why the file of this name cannot be written, as the end of a sentence; None where it can.
    """
    chosen: list[Offer] = []
    skipped: list[SkippedFix] = []
    for offer in sorted(offers, key=lambda offer: offer.sort_key):
        if not is_allowed(offer.applicability, offer.effect, unsafe_fixes=unsafe_fixes):
            continue
        refused = None if objection is None else _refused(offer, objection)
        if refused is not None:
            skipped.append(offer.skipped(refused))
            continue
        rival = next((other for other in chosen if overlaps(offer, other)), None)
        if rival is None:
            chosen.append(offer)
        else:
            at = f"{rival.span.start.row}:{rival.span.start.column}"
            skipped.append(offer.skipped(f"it changes the same text as the fix of {rival.code} at {at}"))
    return Plan(tuple(chosen), tuple(skipped))


def _refused(offer: Offer, objection: Callable[[str], str | None]) -> str | None:
    """Why a fix is not written anywhere: one of its files cannot be."""
    names = (part.filename for part in offer.files if part.edits)
    found = ((name, why) for name in names if (why := objection(name)))
    return next((f"`{name}` {why}" for name, why in found), None)


def combined(offers: Iterable[Offer]) -> tuple[FileEdits, ...]:
    """The edits of several fixes that do not overlap, by file, each edit once."""
    by_file: dict[str, dict[TextEdit, None]] = {}
    for offer in offers:
        for part in offer.files:
            by_file.setdefault(part.filename, {}).update(dict.fromkeys(part.edits))
    return tuple(
        FileEdits(name, tuple(sorted(edits, key=lambda edit: (edit.start, edit.end))))
        for name, edits in sorted(by_file.items())
    )


def smallest(edit: TextEdit, document: Document) -> TextEdit:
    """The edit without the words at its ends that it leaves as they are: fixes of one statement need not collide.

    What would become an insertion at an end of the old range stays whole: where it belongs is no longer plain.
    """
    text, content = document.text[edit.start : edit.end], with_newline(edit.content, document.newline)
    first = _common(text, content)
    last = _common(text[first:][::-1], content[first:][::-1])
    splits_newline = any(text[at - 1 : at + 1] == "\r\n" for at in (first, len(text) - last) if at)
    if splits_newline or (first + last == len(text) and not (first and last)):
        return edit
    return TextEdit(edit.start + first, edit.end - last, content[first : len(content) - last])


def _common(one: str, other: str) -> int:
    """Length of the common beginning that cuts no word."""
    differing = (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    length = next(differing, min(len(one), len(other)))
    while length and _is_word(one[length - 1]) and any(_is_word(text[length : length + 1]) for text in (one, other)):
        length -= 1
    return length


def _is_word(character: str) -> bool:
    """Whether it belongs to a name, a number or the quote of a string."""
    return character.isalnum() or character in ("_", '"', "'")


def overlaps(one: Offer, other: Offer) -> bool:
    """Whether two fixes want different things of the same text; equal fixes want the same."""
    return one.files != other.files and any(
        _collide(edit, rival)
        for part in one.files
        for rival_part in other.files
        if part.filename == rival_part.filename
        for edit in part.edits
        for rival in rival_part.edits
    )


def _collide(one: TextEdit, other: TextEdit) -> bool:
    if one == other:
        # an import that both need; the same removal may be half of two different moves
        return one.start != one.end
    # what begins at one place has no order: two insertions, or an insertion and a replacement; an insertion at the end
    # of a replacement may belong inside of what that writes
    touches = any(a.start == a.end == b.end for a, b in ((one, other), (other, one)))
    return touches or one.start == other.start or (one.start < other.end and other.start < one.end)
