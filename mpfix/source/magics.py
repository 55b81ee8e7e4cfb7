"""IPython syntax in a notebook cell, replaced by Python of the same length.

A masked cell has the same characters at the same offsets wherever nothing was masked, so positions need no mapping.
Statements become `pass`; the right side of `x = !ls` becomes a call that nobody can know; the magic of
`%time model.fit(x)` goes and its statement stays.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from mpfix.record import record

PYTHON_CELL_MAGICS = frozenset(
    ("capture", "debug", "ipytest", "memit", "mprun", "prun", "scalene", "snakeviz", "time", "timeit", "wandb")
)
"""Cell magics whose body is Python that runs in the notebook's own process."""

# comments above a cell magic are no IPython, but Colab takes them
_LINES_ABOVE = re.compile(r"(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))*")
_CELL_MAGIC = re.compile(r"[ \t]*%%(\w*)[^\r\n]*(?:\r\n|\r|\n|\Z)")
_TOKEN = re.compile(r"'''|\"\"\"|['\"]|[\[({]|[\])}]|#[^\r\n]*|\\(?:\r\n|[\s\S])|\r\n|\r|\n")
_STRING_ENDS = {
    quote: re.compile(rf"\\(?:\r\n|[\s\S])|{quote}" + ("|\r|\n" if len(quote) == 1 else ""))
    for quote in ("'", '"', "'''", '"""')
}
_ESCAPED = re.compile(r"[ \t\f]*(?=[%!?])")
_ASSIGNED = re.compile(r"[ \t\f]*[^\W\d][^=!%#\"'()\r\n]*=[ \t]*(?=[!%])")
_HELP = re.compile(r"[ \t\f]*(?=[^\W\d][^#\"'\r\n]*\?{1,2}[ \t]*(?:[\r\n]|\Z))")
# commands that IPython runs without their `%`; asked only about cells that are no Python
_AUTOMATIC = re.compile(
    r"[ \t\f]*(?=(?:pip|conda|mamba|cd|ls|ll|cat|cp|mv|rm|mkdir|rmdir|man)[ \t]+"
    r"(?!(?:in|is|and|or|not|if)\b|/=)(?:--?[A-Za-z]|[\w~/$.{'\"]|\*\.))"
)
_TIMED = re.compile(r"%time[ \t]+(?!-)")
_COMMAND_LINE = re.compile(r"(?:[^\r\n\\]+|\\(?:\r\n|[\s\S])|\\\Z)*")
_LINE = re.compile(r"[^\r\n]*")
_NOT_NEWLINE = re.compile(r"[^\r\n]")


@record
class MaskedCell:
    """A cell as Python, of the same length as its source."""

    text: str
    masks: tuple[tuple[int, int], ...]
    """Ranges of `text` that are not the source's own, in order."""
    header_end: int
    """Where the lines that must stay first, such as `%%time`, end; 0 where there are none."""


def mask_magics(source: str) -> MaskedCell | None:
    """The cell with its magics masked; None when a cell magic gives it to another language or program."""
    header = _header(source)
    if header is None:
        return None
    header_end, masks = header
    masks = [*masks, *_line_masks(source, header_end)]
    parts, reached = [], 0
    for start, end, content in masks:
        parts += [source[reached:start], content]
        reached = end
    text = "".join([*parts, source[reached:]])
    return MaskedCell(text, tuple((start, end) for start, end, _ in masks), header_end)


def syntax_error(text: str) -> SyntaxError | None:
    """Why `text` does not parse; None when it does. `await` and `return` outside a function parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        return error
    except (RecursionError, MemoryError):
        return SyntaxError("nested too deeply to be analysed")
    except ValueError as error:
        return SyntaxError(str(error))
    return None


_Mask = tuple[int, int, str]


def _header(source: str) -> tuple[int, list[_Mask]] | None:
    """End and masks of the cell magics at the top; None when one of them is not Python's."""
    masks: list[_Mask] = []
    above = _LINES_ABOVE.match(source)
    position = above.end() if above else 0
    while magic := _CELL_MAGIC.match(source, position):
        if magic[1] not in PYTHON_CELL_MAGICS:
            return None
        start, end = magic.start(), magic.start() + len(magic[0].rstrip("\r\n"))
        masks.append((start, end, _statement(source[start:end])))
        position = magic.end()
        if position == len(source):
            break
    return (position if masks else 0), masks


def _line_masks(source: str, position: int) -> Iterator[_Mask]:
    while position < len(source):
        mask = _mask_at(source, position)
        if mask is None:
            position = _logical_end(source, position)
        else:
            yield mask
            position = _next_line(source, mask[1])


def _mask_at(source: str, position: int) -> _Mask | None:
    """The mask for the logical line at `position`, where it is IPython's."""
    if found := _ESCAPED.match(source, position) or _AUTOMATIC.match(source, position):
        end = _command_end(source, found.end())
        return _timed(source, found.end(), end, "pass;") or (found.end(), end, _statement(source[found.end() : end]))
    if found := _ASSIGNED.match(source, position):
        end = _command_end(source, found.end())
        return _timed(source, found.end(), end, "") or (found.end(), end, _unknown(source[found.end() : end]))
    if found := _HELP.match(source, position):
        end = _line_end(source, found.end())
        return found.end(), end, _statement(source[found.end() : end])
    return None


def _timed(source: str, start: int, end: int, instead: str) -> _Mask | None:
    """`%time` in front of Python: only the magic is masked, because the rest runs and binds its names."""
    magic = _TIMED.match(source, start)
    if magic is None or syntax_error(source[magic.end() : end]):
        return None
    return start, magic.end(), instead.ljust(magic.end() - start)


def _statement(command: str) -> str:
    """A statement that does nothing, as long as `command`."""
    return _padded("pass" if _line_end(command, 0) >= len("pass") else "0", command)


def _unknown(command: str) -> str:
    """An expression whose value nobody knows, as long as `command`."""
    room = _line_end(command, 0)
    call = "get_ipython()"
    if room < len(call):
        call = "_" * (room - 2) + "()" if room > 2 else "_" * room
    return _padded(call, command)


def _padded(code: str, command: str) -> str:
    return code + _NOT_NEWLINE.sub(" ", command[len(code) :])


def _command_end(source: str, start: int) -> int:
    """End of a command, which a backslash continues on the next line; without its newline."""
    found = _COMMAND_LINE.match(source, start)
    return found.end() if found else start


def _line_end(source: str, start: int) -> int:
    found = _LINE.match(source, start)
    return found.end() if found else start


def _next_line(source: str, start: int) -> int:
    end = _line_end(source, start)
    return end + (2 if source.startswith("\r\n", end) else 1)


def _logical_end(source: str, start: int) -> int:
    """Behind the newline that ends the logical line of Python at `start`: brackets and strings go on."""
    depth, position = 0, start
    while token := _TOKEN.search(source, position):
        position = token.end()
        if ends := _STRING_ENDS.get(token[0]):
            position = _string_end(source, position, ends)
        elif token[0] in ("(", "[", "{"):
            depth += 1
        elif token[0] in (")", "]", "}"):
            depth = max(depth - 1, 0)
        elif token[0][0] in "\r\n" and not depth:
            return position
    return len(source)


def _string_end(source: str, start: int, ends: re.Pattern[str]) -> int:
    for found in ends.finditer(source, start):
        if found[0][0] in "\r\n":
            return found.start()
        if found[0][0] != "\\":
            return found.end()
    return len(source)
