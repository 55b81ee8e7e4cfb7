"""A file is written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mpfix.errors import SourceError
from mpfix.source.write import write_atomically


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that holds `old`."""
    path = tmp_path / "train.py"
    path.write_bytes(b"old\r\n")
    return path


def test_the_new_bytes_replace_the_old(target: Path) -> None:
    write_atomically(target, b"new\r\n", expected=b"old\r\n")

    assert target.read_bytes() == b"new\r\n"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("mode", [0o755, 0o600, 0o664])
def test_the_mode_stays(target: Path, mode: int) -> None:
    target.chmod(mode)

    write_atomically(target, b"new", expected=b"old\r\n")

    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_symlink_stays_and_its_target_is_written(target: Path) -> None:
    link = target.with_name("link.py")
    link.symlink_to(target.name)

    write_atomically(link, b"new", expected=b"old\r\n")

    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_file_that_changed_since_is_refused(target: Path) -> None:
    with pytest.raises(SourceError, match=r"^train\.py: changed on disk since it was analysed$"):
        write_atomically(target, b"new", expected=b"older", display="train.py")

    assert target.read_bytes() == b"old\r\n"
    assert list(target.parent.iterdir()) == [target]


def test_a_read_only_file_is_refused_even_for_the_superuser(target: Path) -> None:
    target.chmod(0o444)

    with pytest.raises(SourceError, match="cannot be written: it is read-only"):
        write_atomically(target, b"new", expected=b"old\r\n")

    assert target.read_bytes() == b"old\r\n"


def test_a_missing_file_and_a_folder_are_refused(target: Path) -> None:
    with pytest.raises(SourceError, match="cannot be written: no such file"):
        write_atomically(target.with_name("gone.py"), b"new", expected=b"")
    with pytest.raises(SourceError, match="cannot be written: it is not a regular file"):
        write_atomically(target.parent, b"new", expected=b"")


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_file_and_nothing_else(
    target: Path, monkeypatch: pytest.MonkeyPatch, call: str, failure: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(os, call, fail)

    with pytest.raises((SourceError, KeyboardInterrupt)) as raised:
        write_atomically(target, b"new", expected=b"old\r\n", display="train.py")

    assert isinstance(failure, KeyboardInterrupt) or "cannot be written: no space left" in str(raised.value)
    assert target.read_bytes() == b"old\r\n"
    assert list(target.parent.iterdir()) == [target]
