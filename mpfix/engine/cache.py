"""What earlier runs found, remembered on disk by everything that it depends on.

An entry holds the analysis of one component: findings of its roots are merged, and Ambient, the last pass and the trial
of each fix ask the whole of it, so no part has a result of its own. It is JSON, found by the names of the files, and
believed only if its key is that of their contents. Bounds count steps, so what was cut short would be cut again.
Whatever is wrong with an entry or with the folder, the run goes on without it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mpfix import __version__
from mpfix.diagnostic import Span
from mpfix.engine.analysis import Analysis, Found, Job
from mpfix.engine.components import Unit, absolute
from mpfix.engine.frozen_json import from_json, to_json
from mpfix.frameworks.pins import find_pin
from mpfix.record import record
from mpfix.report import GenerationUsed
from mpfix.settings import Settings
from mpfix.source.document import Document

TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of mpfix. It may be deleted at any time.\n"
DAY = 24 * 3600
KEPT = 30 * DAY
"""Seconds after which an entry that nobody asked for is deleted."""

_NO_MATTER = frozenset({"fail-on", "output-format", "unsafe-fixes", "cache-dir"})
"""Settings that change no analysis."""


@record
class Entry:
    """An analysis without its documents, which the run has in memory."""

    documents: tuple[str, ...]
    found: tuple[Found, ...]
    suppressed: int
    is_relevant: bool
    generation: GenerationUsed | None


class Cache:
    """The entries for one job in one folder."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.folder = folder
        self._job = _job_digest(job)
        self._asks_pins = job.settings.keras == "auto"
        self._pins: dict[Path, str] = {}
        self._is_ready = False
        # a link may lead where nobody expects files of ours
        self._is_usable = not folder.is_symlink()

    def load(self, unit: Unit) -> Analysis | None:
        """The analysis of a unit that is just as it was then; None where there is none."""
        if not self._is_usable:
            return None
        path = self._path(unit)
        try:
            head, _, body = path.read_bytes().partition(b"\n")
            if head.decode() != f"{self._key(unit)} {_digest(body)}":
                return None
            analysis = _analysis(from_json(Entry, json.loads(body)), unit)
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        _touch(path)
        return analysis

    def store(self, unit: Unit, analysis: Analysis) -> None:
        """Remember an analysis, in place of the last one of the same files."""
        if not self._is_usable or analysis.errors or analysis.failed:
            return
        documents = tuple(document.display for document in analysis.documents)
        entry = Entry(documents, analysis.found, analysis.suppressed, analysis.is_relevant, analysis.generation)
        body = json.dumps(to_json(entry), separators=(",", ":")).encode()
        try:
            self._prepare()
            _replace(self._path(unit), f"{self._key(unit)} {_digest(body)}\n".encode() + body)
        except OSError:
            # read-only or full: later entries would fare no better
            self._is_usable = False

    def _path(self, unit: Unit) -> Path:
        """Where the entry of a unit is: by its files' names, so that the next one takes its place."""
        names = [absolute(document.path) for document in unit.documents]
        return self.folder / f"{_digest_of([self._job, names])[:32]}.json"

    def _key(self, unit: Unit) -> str:
        """A digest of all that the analysis of a unit depends on."""
        # which file an import means depends on which there are
        index = (
            None
            if unit.index is None
            else [unit.index.digest, unit.roots, sorted(unit.paths.items()), sorted(unit.excluded)]
        )
        parts = [[*map(_identity, documents)] for documents in (unit.documents, unit.context)]
        return _digest_of([self._job, parts, index, self._pins_around(unit)])

    def _pins_around(self, unit: Unit) -> list[str]:
        """What decides on the Keras generation outside of the files."""
        if not (self._asks_pins and unit.may_matter):
            return []
        folders = dict.fromkeys(document.path.parent for document in (*unit.documents, *unit.context))
        for folder in folders:
            if folder not in self._pins:
                self._pins[folder] = repr(find_pin(folder))
        return [self._pins[folder] for folder in folders]

    def _prepare(self) -> None:
        """Make the folder, once a run, and once a day clear what nobody asks for any more."""
        if self._is_ready:
            return
        self._is_ready = True
        self.folder.mkdir(parents=True, exist_ok=True)
        tag = self.folder / "CACHEDIR.TAG"
        if not tag.exists():
            _replace(self.folder / ".gitignore", b"*\n")
            _replace(tag, TAG.encode())
        elif time.time() - tag.stat().st_mtime > DAY:
            os.utime(tag)
            _clear(self.folder)


def open_cache(job: Job) -> Cache:
    """The cache that the settings name."""
    return Cache(job.settings.root / job.settings.cache_dir, job)


def _analysis(entry: Entry, unit: Unit) -> Analysis:
    """The analysis of an entry.

    Raises:
        ValueError: it speaks of files that the unit has not.
    """
    documents = {document.display: document for document in unit.documents}
    around = {*documents, *(document.display for document in unit.context)}
    if sorted(documents) != sorted(entry.documents) or not around.issuperset(_names(entry)):
        raise ValueError("an entry of other files")
    return Analysis(
        documents=tuple(documents[name] for name in entry.documents),
        found=entry.found,
        suppressed=entry.suppressed,
        is_relevant=entry.is_relevant,
        generation=entry.generation,
    )


def _names(entry: Entry) -> Iterator[str]:
    """All file names in an entry."""
    for found in entry.found:
        yield from (span.filename for span in _spans(found))
        if found.offer is not None:
            yield from (part.filename for part in found.offer.files)
    if entry.generation is not None:
        yield entry.generation.filename


def _spans(found: Found) -> Iterator[Span]:
    diagnostic = found.diagnostic
    yield diagnostic.span
    yield from (related.span for related in diagnostic.related)
    yield from (edit.span for edit in (diagnostic.fix.edits if diagnostic.fix else ()))


def _identity(document: Document) -> list[str]:
    return [absolute(document.path), document.display, _digest(document.original_bytes)]


def _job_digest(job: Job) -> str:
    """A digest of what all files of a run are judged by: settings, rules, mpfix itself and what it runs on."""
    settings: Settings = job.settings
    return _digest_of(
        [
            __version__,
            list(sys.version_info),
            [item for item in settings.items() if item[0] not in _NO_MATTER],
            str(settings.root.absolute()),
            [[entry.rule.code, entry.rule.name, entry.module] for entry in job.registry.registered],
            [job.with_fixes, job.verbose, job.with_context],
            list(_code({"mpfix", *(entry.module.partition(".")[0] for entry in job.registry.registered)})),
        ]
    )


def _code(packages: Iterable[str]) -> Iterator[list[object]]:
    """Name, size and time of every file that an analysis may run or read, LibCST's version among them."""
    for package in sorted(packages):
        for folder in _folders(package):
            for path in sorted(_files(folder)):
                status = os.stat(path)
                yield [path, status.st_size, status.st_mtime_ns]
    libcst = importlib.util.find_spec("libcst")
    if libcst is not None and libcst.origin is not None:
        version = os.path.join(os.path.dirname(libcst.origin), "_version.py")
        status = os.stat(version if os.path.exists(version) else libcst.origin)
        yield [libcst.origin, status.st_size, status.st_mtime_ns]


def _folders(package: str) -> Sequence[str]:
    spec = importlib.util.find_spec(package)
    return [] if spec is None else list(spec.submodule_search_locations or [])


def _files(folder: str) -> Iterator[str]:
    for current, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (os.path.join(current, name) for name in names if name.endswith((".py", ".toml")))


def _replace(path: Path, data: bytes) -> None:
    """Put a file in place at once: another run reads the old one or the new one, never half of one."""
    import tempfile

    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _touch(path: Path) -> None:
    """Note that somebody asked for an entry, at most once a day."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > DAY:
            os.utime(path)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        with suppress(OSError):
            if path.suffix in (".json", ".tmp") and time.time() - path.stat().st_mtime > KEPT:
                path.unlink()


def _digest_of(value: object) -> str:
    return _digest(json.dumps(value, default=str).encode("utf-8", "backslashreplace"))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
