"""What every benchmark prints and writes."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._paired import Spread

# Wide enough for every table, also in a log file.
console: Final = Console(width=120, highlight=False)
_PACKAGES: Final = (
    "httpguard",
    "requests",
    "urllib3",
    "wrapt",
    "structlog",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-requests",
    "sentry-sdk",
)


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A command line with what all benchmarks take.

    Args:
        doc: The benchmark's docstring.
    """
    made = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    made.add_argument("--quick", action="store_true", help="a short run, less sharp")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    return made


def machine() -> dict[str, Any]:
    """What the figures depend on: the kind of machine, Python, and versions."""
    return {
        "cpu": platform.machine(),
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(name: str) -> str:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def write(path: Path | None, figures: dict[str, Any]) -> None:
    """Write the figures as JSON, if asked to.

    Args:
        path: The file, or None.
        figures: JSON-ready.
    """
    if path is not None:
        figures = {"machine": machine(), **figures}
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def interval(values: Spread, scale: float, digits: int = 1) -> str:
    """``+3.1 [2.9, 3.4]``.

    Args:
        values: A median and its confidence interval.
        scale: What to multiply by, such as 1e6 for microseconds.
        digits: After the point.
    """
    median, low, high = (
        f"{value * scale:.{digits}f}"
        for value in (values.median, values.low, values.high)
    )
    return f"{median} [{low}, {high}]"


@contextmanager
def progress(title: str, total: int) -> Iterator[Any]:
    """A progress line; gives the function that advances it.

    Args:
        title: What is under way.
        total: How many steps.
    """
    columns = (
        TextColumn("{task.description}"),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    # Drawn by nobody's thread: it would take CPU time from what is measured.
    with Progress(*columns, console=console, auto_refresh=False) as shown:
        task = shown.add_task(title, total=total)

        def advance() -> None:
            shown.advance(task)
            if console.is_terminal:
                shown.refresh()

        yield advance
