"""Standard output and standard error, and the one rich Console; nothing else of mpfix prints."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, TextIO

from mpfix.errors import MpfixError

if TYPE_CHECKING:
    from rich.console import Console

STDIN = "-"
PIPE_WIDTH = 120
"""Columns of a report that no terminal shows."""


def prepare() -> None:
    """Make both streams carry any text: what a terminal's encoding lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def standard_input(paths: Sequence[str] | None) -> bytes | None:
    """All of standard input where one of the paths is `-`; else it is left alone."""
    return sys.stdin.buffer.read() if STDIN in (paths or ()) else None


def write(text: str) -> None:
    """Put text on standard output."""
    _attempt(sys.stdout, lambda: sys.stdout.write(text))


def write_bytes(content: bytes) -> None:
    """Put bytes on standard output as they are."""
    flush()
    _attempt(sys.stdout, lambda: sys.stdout.buffer.write(content))


def write_aside(text: str) -> None:
    """Put text on standard error: messages, and the report where standard output carries something to go on with."""
    # both may end in one log: what was said first stands first
    _attempt(sys.stdout, sys.stdout.flush)
    _attempt(sys.stderr, lambda: sys.stderr.write(text))


def warn(message: str) -> None:
    """Put one line on standard error."""
    write_aside(f"{message}\n")


def flush() -> None:
    """Hand everything to the system, so that what goes wrong shows itself here and not at exit."""
    _attempt(sys.stdout, sys.stdout.flush)
    _attempt(sys.stderr, sys.stderr.flush)


def _attempt(stream: TextIO, action: Callable[[], object]) -> None:
    """Write to a stream. A reader who has gone away has seen enough: the rest goes nowhere, and nobody complains.

    Raises:
        MpfixError: the stream cannot take it, as on a full disk.
    """
    try:
        action()
    except BrokenPipeError:
        _discard(stream)
    except OSError as error:
        _discard(stream)
        raise MpfixError(f"the output cannot be written: {(error.strerror or str(error)).lower()}") from None


def _discard(stream: TextIO) -> None:
    """Let what waits in the buffer, and what is written from now on, go nowhere."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def is_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def width() -> int:
    """Columns for a report."""
    return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns if is_terminal() else PIPE_WIDTH


def has_color() -> bool:
    """Whether to write colours: on a terminal unless `NO_COLOR` or `TERM=dumb` forbids, or where `FORCE_COLOR` asks."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal() and os.environ.get("TERM") != "dumb"


def write_page(markdown: str) -> None:
    """Show a Markdown page: rendered on a terminal, as it is in a pipe."""
    if not is_terminal():
        write(markdown)
        return
    from rich.markdown import Markdown

    rich_console().print(Markdown(markdown))


@cache
def rich_console() -> Console:
    """The one Console; rich is imported when the first page is rendered, not before."""
    from rich.console import Console

    return Console(file=sys.stdout, no_color=not has_color())
