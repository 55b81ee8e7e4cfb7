"""Files are written whole or not at all, also several of them together."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from mpfix.errors import SourceError
from mpfix.record import record

_CHANGED = "changed on disk since it was analysed"


@record
class Replacement:
    """The bytes that a file is to hold in place of `expected`; errors call it `display`."""

    path: Path
    data: bytes
    expected: bytes
    display: str


def write_atomically(path: Path, data: bytes, *, expected: bytes, display: str | None = None) -> None:
    """Put `data` in place of `expected`, through a temporary neighbour; mode, owner and symlinks stay.

    Args:
        display: the file's name in errors; `path` when left out.

    Raises:
        SourceError: the file is read-only, not a regular file, no longer holds `expected`, or the disk refuses.
    """
    write_together((Replacement(path, data, expected, display or path.as_posix()),))


def write_together(replacements: Sequence[Replacement]) -> None:
    """As `write_atomically` for each, all of them or none: what is written already is put back when one is refused.

    Raises:
        SourceError: the first that cannot be written, and why.
    """
    with ExitStack() as temporaries:
        staged = [_staged(one, temporaries) for one in replacements]
        # compared last, to leave another writer the smallest gap
        for one in replacements:
            _require_unchanged(one)
        replaced: list[Replacement] = []
        try:
            for one, temporary in zip(replacements, staged, strict=True):
                _move(temporary, one)
                replaced.append(one)
        except BaseException:
            for one in replaced:
                _put_back(one)
            raise


def objection(path: Path, *, expected: bytes) -> str | None:
    """Why a write would be refused as the file is now, as the end of a sentence; None where it would not."""
    one = Replacement(path, b"", expected, "")
    try:
        _writable_status(one)
        _require_unchanged(one)
    except SourceError as error:
        return error.message
    return None


def reason(error: OSError) -> str:
    """What the system says, as the end of a sentence."""
    said = error.strerror or str(error) or type(error).__name__
    return said[0].lower() + said[1:]


def _target(one: Replacement) -> Path:
    # a symlink stays a symlink: its target is replaced
    return Path(os.path.realpath(one.path))


def _refused(one: Replacement, error: OSError) -> SourceError:
    return SourceError(one.display, f"cannot be written: {reason(error)}")


def _writable_status(one: Replacement) -> os.stat_result:
    target = _target(one)
    try:
        status = target.stat()
    except OSError as error:
        raise _refused(one, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(one.display, "cannot be written: it is not a regular file")
    # the superuser may write anything, so the bits count too: whoever cleared them meant it
    if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
        raise SourceError(one.display, "cannot be written: it is read-only")
    return status


def _staged(one: Replacement, temporaries: ExitStack) -> str:
    """The new bytes in a temporary neighbour, which is gone when `temporaries` is closed."""
    # a run that writes nothing starts sooner without it
    import tempfile

    status = _writable_status(one)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".mpfix-", suffix=".tmp", dir=_target(one).parent)
        temporaries.callback(_remove, temporary)
        with open(descriptor, "wb") as file:
            file.write(one.data)
            file.flush()
            os.fsync(file.fileno())
        _copy_permissions(temporary, status)
    except OSError as error:
        raise _refused(one, error) from error
    return temporary


def _require_unchanged(one: Replacement) -> None:
    try:
        is_same = _target(one).read_bytes() == one.expected
    except OSError as error:
        raise _refused(one, error) from error
    if not is_same:
        raise SourceError(one.display, _CHANGED)


def _move(temporary: str, one: Replacement) -> None:
    try:
        os.replace(temporary, _target(one))
    except OSError as error:
        raise _refused(one, error) from error


def _put_back(one: Replacement) -> None:
    try:
        write_atomically(one.path, one.expected, expected=one.data, display=one.display)
    except SourceError as error:
        message = f"was written while other files of the same fix could not be, and cannot be put back: {error.message}"
        raise SourceError(one.display, message) from error


def _remove(temporary: str) -> None:
    # gone already after a success
    with suppress(OSError):
        os.unlink(temporary)


def _copy_permissions(temporary: str, status: os.stat_result) -> None:
    own = os.stat(temporary)
    if hasattr(os, "chown") and (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        with suppress(PermissionError):
            os.chown(temporary, status.st_uid, status.st_gid)
    # after chown, which clears the set-user-id bits
    os.chmod(temporary, stat.S_IMODE(status.st_mode))
