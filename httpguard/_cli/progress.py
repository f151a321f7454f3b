"""A progress bar for those who wait in front of a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._report.inputs import Input


@contextmanager
def progress(inputs: list[Input]) -> Iterator[Callable[[int], None]]:
    if not sys.stderr.isatty():
        yield lambda _read: None
        return
    from rich.console import Console
    from rich.progress import Progress

    sizes = [source.size for source in inputs]
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=sum(sizes) if all(sizes) else None)
        yield lambda read: bar.advance(task, read)
