"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from mpfix.errors import SourceError


def write_atomically(path: Path, data: bytes, *, expected: bytes, display: str | None = None) -> None:
    """Put `data` in place of `expected`, through a temporary neighbour; mode, owner and symlinks stay.

    Args:
        display: the file's name in errors; `path` when left out.

    Raises:
        SourceError: the file is read-only, not a regular file, no longer holds `expected`, or the disk refuses.
    """
    name = display or path.as_posix()
    # a symlink stays a symlink: its target is replaced
    target = Path(os.path.realpath(path))
    try:
        status = _writable_status(target, name)
        _replace(target, data, status, expected, name)
    except OSError as error:
        raise SourceError(name, f"cannot be written: {reason(error)}") from error


def reason(error: OSError) -> str:
    """What the system says, as the end of a sentence."""
    said = error.strerror or str(error) or type(error).__name__
    return said[0].lower() + said[1:]


def _writable_status(target: Path, name: str) -> os.stat_result:
    status = target.stat()
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(name, "cannot be written: it is not a regular file")
    # the superuser may write anything, so the bits count too: whoever cleared them meant it
    if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
        raise SourceError(name, "cannot be written: it is read-only")
    return status


def _replace(target: Path, data: bytes, status: os.stat_result, expected: bytes, name: str) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=".mpfix-", suffix=".tmp", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _copy_permissions(temporary, status)
        # compared last, to leave another writer the smallest gap
        if target.read_bytes() != expected:
            raise SourceError(name, "changed on disk since it was analysed")
        os.replace(temporary, target)
    finally:
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
