"""What to run: the options of a validation, and the job that one child gets."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MEMORY, NUMERICS = "memory", "numerics"
"""The two kinds of run: probes cost memory and time, so they are kept apart."""


@dataclass(frozen=True)
class Options:
    """How a script is to be measured."""

    script: Path
    display: str = ""
    """The script as reports call it."""
    arguments: tuple[str, ...] = ()
    steps: int = 8
    warmup: int = 2
    """First steps that are left out of the time of a step."""
    seed: int = 0
    timeout: float = 300.0
    """Seconds for each run."""
    memory_limit: int | None = None
    """Bytes that the script and the processes it starts may hold together."""
    repeat: int = 3
    """Runs for memory and time, of each variant."""
    scratch: bool = False
    """Run in a temporary copy of the script's folder."""
    defines: tuple[str, ...] = ()
    """`NAME=SPEC` stand-ins for data."""
    policies: tuple[str, ...] = ()
    batch_sizes: tuple[int, ...] = ()
    legacy_keras: bool = False
    """Ask TensorFlow for Keras 2."""


@dataclass(frozen=True)
class Variant:
    """One text of the script under one policy and batch size."""

    label: str
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Text by real path, of the files that are not run as they are on disk."""
    policy: str | None = None
    """The policy that is forced; None leaves the choice to the script."""
    batch_size: int | None = None
    cells: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict, repr=False)
    """(first line in the text, number) of each cell, by real path of a notebook."""


@dataclass(frozen=True)
class ChildJob:
    """All that one child has to know."""

    options: Options
    variant: Variant
    kind: str
    folder: Path
    """Where the script runs."""
    script: Path
    is_reference: bool = False
    """A float32 run with loss scaling switched off, to compare the size of updates with."""

    @property
    def timeout(self) -> float:
        """Seconds until the run is ended."""
        return self.options.timeout

    @property
    def memory_limit(self) -> int | None:
        """Bytes beyond which the run is ended."""
        return self.options.memory_limit

    def config(self, record_fd: int) -> dict[str, object]:
        """What is sent to the child."""
        return {
            "record_fd": record_fd,
            "script": str(self.script),
            "arguments": list(self.options.arguments),
            "texts": dict(self.variant.texts),
            "kind": self.kind,
            "steps": self.options.steps,
            "warmup": self.options.warmup,
            "seed": self.options.seed,
            "defines": list(self.options.defines),
            "policy": "float32" if self.is_reference else self.variant.policy,
            "is_reference": self.is_reference,
            "batch_size": self.variant.batch_size,
        }

    def environment(self, temporary: Path) -> dict[str, str]:
        """Variables that the child gets besides those of this process."""
        legacy = {"TF_USE_LEGACY_KERAS": "1"} if self.options.legacy_keras else {}
        return {
            # temporary files that a killed script leaves go with the folder
            "TMPDIR": str(temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONUNBUFFERED": "1",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
            "MPLBACKEND": "Agg",
            "WANDB_MODE": "disabled",
            **legacy,
        }


def is_installed(package: str) -> bool:
    """Whether a child could import a package; nothing is imported to find out."""
    from importlib.util import find_spec

    return package in sys.modules or find_spec(package) is not None
