"""Paths and standard input become documents; what cannot be read becomes an error of the run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mpfix.engine.components import absolute
from mpfix.errors import SourceError
from mpfix.record import record
from mpfix.report import RunError
from mpfix.settings import Settings
from mpfix.source.discover import discover
from mpfix.source.document import Document, document_from_bytes, read_document
from mpfix.source.exclusions import Excludes

STDIN = "-"


@record
class Inputs:
    """The documents of a run, by name, and the files that gave none."""

    documents: tuple[Document, ...]
    errors: tuple[RunError, ...]
    stdin: bytes | None = None
    """Bytes of standard input; None where it was not asked for."""
    stdin_name: str | None = None
    """How reports call it."""
    folders: tuple[str, ...] = ()
    """The folders among the paths of the run, absolute."""


def read_inputs(
    paths: Sequence[str | Path], settings: Settings, *, stdin: bytes | None, stdin_filename: str | None
) -> Inputs:
    """Read everything that `paths` mean; `-` is standard input."""
    named = [path for path in paths if str(path) != STDIN]
    wants_stdin = len(named) < len(paths)
    documents: list[Document] = []
    errors: list[RunError] = []
    if named or not wants_stdin:
        found = discover(
            named,
            root=settings.root,
            exclude=settings.exclude,
            extend_exclude=settings.extend_exclude,
            force_exclude=settings.force_exclude,
        )
        errors += [RunError(error.filename, error.message) for error in found.errors]
        for file in found.files:
            _read(documents, errors, file.path, file.display, None)
    name = stdin_filename or STDIN
    if wants_stdin and not _is_excluded(stdin_filename, settings):
        _read(documents, errors, Path(name), name, stdin or b"")
    return Inputs(
        tuple(sorted(documents, key=lambda document: document.display)),
        tuple(errors),
        (stdin or b"") if wants_stdin else None,
        name if wants_stdin else None,
        tuple(absolute(Path(path)) for path in named if os.path.isdir(path)),
    )


def _read(documents: list[Document], errors: list[RunError], path: Path, display: str, data: bytes | None) -> None:
    try:
        document = read_document(path, display) if data is None else document_from_bytes(data, path, display)
    except SourceError as error:
        errors.append(RunError(error.filename, error.message))
    else:
        documents.append(document)


def _is_excluded(stdin_filename: str | None, settings: Settings) -> bool:
    if stdin_filename is None or not settings.force_exclude:
        return False
    excludes = Excludes((*settings.exclude, *settings.extend_exclude), settings.root)
    return excludes.match_any_part(str(Path(stdin_filename).absolute()))
