"""A folder for one run that goes with it: temporary files, and with `--scratch` a copy of the script's folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mpfix.validate.plan import ChildJob

_LEFT_OUT = frozenset({".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache"})


@dataclass(frozen=True)
class Place:
    """Where one run happens."""

    temporary: Path
    """What the script gets as its folder for temporary files."""
    copied: Path | None = None
    """The folder that was copied."""
    copy: Path | None = None

    def job(self, job: ChildJob) -> ChildJob:
        """The job as it runs here: in the copy, where there is one."""
        if self.copied is None or self.copy is None:
            return job
        texts = {str(self._moved(Path(path))): text for path, text in job.variant.texts.items()}
        folder = self._moved(job.folder.resolve())
        return replace(
            job,
            variant=replace(job.variant, texts=texts),
            # a working directory elsewhere is not copied; relative paths of the script then start at its copy
            folder=folder if folder.is_relative_to(self.copy) else self.copy,
            script=self._moved(job.script.resolve()),
        )

    def original(self, text: bytes) -> bytes:
        """Text of the run in which the copy goes by the name of what was copied."""
        if self.copied is None or self.copy is None:
            return text
        return text.replace(os.fsencode(self.copy), os.fsencode(self.copied))

    def _moved(self, path: Path) -> Path:
        if self.copied is None or self.copy is None or not path.is_relative_to(self.copied):
            return path
        return self.copy / path.relative_to(self.copied)


def prepare(scratch: Path, job: ChildJob) -> Place:
    """Make the folders of one run below `scratch`."""
    scratch = scratch.resolve()
    temporary = scratch / "tmp"
    temporary.mkdir()
    if not job.options.scratch:
        return Place(temporary)
    copied, copy = job.script.resolve().parent, scratch / "work"
    shutil.copytree(copied, copy, symlinks=True, ignore=_left_out)
    return Place(temporary, copied, copy)


def _left_out(folder: str, names: Sequence[str]) -> list[str]:
    """What no run needs: version control, caches and environments, by name or by what marks one."""
    return [name for name in names if name in _LEFT_OUT or os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))]
