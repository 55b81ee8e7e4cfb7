"""Bytes of a Python file to text and back: byte order mark, PEP 263 declarations."""

from __future__ import annotations

import codecs
import re

from mpfix.errors import SourceError

_BOM = codecs.BOM_UTF8
_TWO_LINES = re.compile(rb"([^\r\n]*)(?:\r\n|\r|\n)?([^\r\n]*)")
_DECLARATION = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK_OR_COMMENT = re.compile(rb"[ \t\f]*(?:#|$)")


def decode(data: bytes, display: str) -> tuple[str, str]:
    """Text without byte order mark, and the name of the codec that reads it.

    Raises:
        SourceError: the declared encoding is unknown, or the bytes are not in it.
    """
    encoding = _encoding(data, display)
    body = data.removeprefix(_BOM)
    try:
        return body.decode(encoding), encoding
    except UnicodeDecodeError as error:
        raise SourceError(display, _undecodable(body, encoding, error)) from None
    except (LookupError, UnicodeError):
        raise SourceError(display, f"cannot be decoded as {encoding}") from None


def encode(text: str, encoding: str, like: bytes, display: str) -> bytes:
    """`text` as bytes, with a byte order mark where `like` has one.

    Raises:
        SourceError: the encoding has no such character.
    """
    mark = _BOM if like.startswith(_BOM) else b""
    try:
        return mark + text.encode(encoding)
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        raise SourceError(display, f"cannot be written: {encoding} has no character {character!r}") from None


def _encoding(data: bytes, display: str) -> str:
    declared = _declared_encoding(data.removeprefix(_BOM))
    if declared is None:
        return "utf-8"
    try:
        name = codecs.lookup(declared).name
    except (LookupError, ValueError):
        raise SourceError(display, f"declares the encoding `{declared}`, which Python does not know") from None
    # utf-8-sig would write a second mark; Python, too, reads it as UTF-8 here
    name = "utf-8" if name == "utf-8-sig" else name
    if data.startswith(_BOM) and name != "utf-8":
        raise SourceError(display, f"starts with a UTF-8 byte order mark but declares the encoding `{declared}`")
    return name


def _declared_encoding(data: bytes) -> str | None:
    """The name in the PEP 263 comment: on line 1, or on line 2 behind a comment or blank line."""
    lines = _TWO_LINES.match(data)
    if lines is None or b"coding" not in lines[0]:
        return None
    found = _DECLARATION.match(lines[1])
    if found is None and _BLANK_OR_COMMENT.match(lines[1]):
        found = _DECLARATION.match(lines[2])
    return found[1].decode("ascii", "replace") if found else None


def _undecodable(body: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    before = body[: error.start]
    line = 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")
    message = f"is not valid {encoding.upper()}: byte 0x{body[error.start]:02x} on line {line}"
    return message if encoding != "utf-8" else f"{message}; save it as UTF-8 or declare its encoding (PEP 263)"
