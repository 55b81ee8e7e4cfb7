"""Where values stand in a JSON text, so that one of them can be replaced and the rest kept byte for byte.

The text has been accepted by `json.loads` before: nothing is checked here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR = re.compile(r"[^ \t\r\n,\]}]+")
_NESTING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_ESCAPED_CHARACTER = re.compile(r"(?<!\\)(?:\\\\)*\\u(?!00[0-7])[0-9a-fA-F]{4}")
_SURROGATE = re.compile("[\ud800-\udfff]")


def skip_space(text: str, start: int) -> int:
    """The first offset from `start` on that is not white space."""
    return _end(_SPACE, text, start)


def value_end(text: str, start: int) -> int:
    """Behind the value that begins at `start`."""
    if text[start] == '"':
        return _end(_STRING, text, start)
    if text[start] not in "[{":
        return _end(_SCALAR, text, start)
    depth = 0
    for token in _NESTING.finditer(text, start):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if not depth:
            return token.end()
    return len(text)


def elements(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Start and end of each element of the array at `start`."""
    position = skip_space(text, start + 1)
    while text[position] != "]":
        end = value_end(text, position)
        yield position, end
        position = _next_item(text, end)


def members(text: str, start: int) -> dict[str, int]:
    """Keys of the object at `start`, with the offset of each value; the last one counts, as for `json.loads`."""
    found: dict[str, int] = {}
    position = skip_space(text, start + 1)
    while text[position] != "}":
        key_end = value_end(text, position)
        value = skip_space(text, skip_space(text, key_end) + 1)
        found[json.loads(text[position:key_end])] = value
        position = _next_item(text, value_end(text, value))
    return found


def escapes_non_ascii(text: str, value: str) -> bool:
    r"""Whether the writer of `text` spelled other characters as `\u...`; `value`, a part of it, decides if it can."""
    for part in (value, text):
        if not part.isascii():
            return False
        if _ESCAPED_CHARACTER.search(part):
            return True
    return False


def quoted(content: str, *, escape: bool) -> str:
    """`content` as a JSON string."""
    written = json.dumps(content, ensure_ascii=escape)
    # half of a surrogate pair has no bytes of its own
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", written)


def _next_item(text: str, end: int) -> int:
    position = skip_space(text, end)
    return skip_space(text, position + 1) if text[position] == "," else position


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start
