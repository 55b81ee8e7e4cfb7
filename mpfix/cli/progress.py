"""A progress bar on standard error, for a person who waits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpfix.validate.measure import Progress


@contextmanager
def progress_bar(*, is_wanted: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar that the given function moves; without a terminal, or when it is not wanted, nothing is drawn."""
    if not is_wanted or not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("run {task.completed}/{task.total}"))
    with Bar(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("validate", total=None)

        def watch(progress: Progress) -> None:
            step = f", step {progress.step}" if progress.step else ""
            bar.update(task, description=f"{progress.label}{step}", completed=progress.done, total=progress.total)

        yield watch
