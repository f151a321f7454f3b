"""The table for people and the JSON for programs."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ._judgements import JUDGEMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._session import Result
    from ._suite import Run

# Wide enough for the tables, also in a log file.
console: Final = Console(width=120, highlight=False)
_UNJUDGED: Final = "not judged yet"


def totals(results: Sequence[Result]) -> dict[str, int]:
    """The sums over all projects."""
    return {
        "passes": sum(result.passes for result in results),
        "guarded_passes": sum(result.guarded_passes for result in results),
        "lost": sum(len(result.lost) for result in results),
        "noise": sum(len(result.noise) for result in results),
        "leaks": sum(result.found["counters"]["leaks"] for result in results),
        "failures": sum(result.failures for result in results),
    }


def as_json(results: Sequence[Result], *, quick: bool) -> dict[str, Any]:
    """Everything, JSON-ready.

    Args:
        results: Of each project.
        quick: Whether it was the short form.
    """
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "quick": quick,
        "total": totals(results),
        "projects": [_project(result) for result in results],
    }


def show(results: Sequence[Result]) -> None:
    """Print the tables.

    Args:
        results: Of each project.
    """
    console.print(_passes_table(results))
    for result in results:
        for text in result.found.get("failures", ()):
            console.print(f"{result.project.package}: {text}", markup=False)
    leaks = _leaks_table(results)
    if leaks.row_count:
        console.print(leaks)
    for result in results:
        for test in result.lost:
            console.print(Text(f"lost: {result.project.name}: {test}", style="red"))
        for test in result.noise:
            console.print(Text(f"noise: {result.project.name}: {test}", style="dim"))


def _project(result: Result) -> dict[str, Any]:
    """A project, JSON-ready."""
    return {
        "name": result.project.name,
        "version": result.project.version,
        "passes": result.passes,
        "guarded_passes": result.guarded_passes,
        "lost": {test: asdict(trials) for test, trials in result.lost.items()},
        "noise": {test: asdict(trials) for test, trials in result.noise.items()},
        "seconds": dict(zip(("plain", "guarded"), result.seconds, strict=True)),
        "cpu": dict(zip(("plain", "guarded"), result.cpu, strict=True)),
        "runs": {
            "plain": _times(result.plain[: result.measured]),
            "guarded": _times(result.guarded[: result.measured]),
        },
        "installed_first": result.found["installed_first"],
        "counters": result.found["counters"],
        "leaks": [
            {**leak, "site": {**leak["site"], "filename": place}, "judgement": said}
            for leak, place, said in _leaks(result)
        ],
    }


def _times(runs: Sequence[Run]) -> list[dict[str, float]]:
    """Wall and CPU time of each run."""
    return [{"seconds": run.seconds, "cpu": run.cpu} for run in runs]


def _passes_table(results: Sequence[Result]) -> Table:
    """A row for each project, and the sums."""
    table = Table(
        title=f"Suites without and with httpguard, CPython {platform.python_version()}",
        title_justify="left",
        show_footer=True,
    )
    sums = totals(results)
    table.add_column("suite", "total", no_wrap=True)
    for heading, total in (
        ("passes", sums["passes"]),
        ("guarded", sums["guarded_passes"]),
        ("lost", sums["lost"]),
        ("noise", sums["noise"]),
        ("leases", sum(result.found["counters"]["opened"] for result in results)),
        ("leaks", sums["leaks"]),
        ("errors", sums["failures"]),
    ):
        table.add_column(heading, str(total), justify="right")
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("CPU seconds", justify="right", no_wrap=True)
    for result in results:
        table.add_row(
            f"{result.project.package} {result.project.version}",
            str(result.passes),
            str(result.guarded_passes),
            str(len(result.lost)),
            str(len(result.noise)),
            str(result.found["counters"]["opened"]),
            str(result.found["counters"]["leaks"]),
            str(result.failures),
            _pair(result.seconds),
            _pair(result.cpu),
        )
    return table


def _pair(figures: tuple[float, float]) -> str:
    """Without and with the guard."""
    return " / ".join(f"{figure:.1f}" for figure in figures)


def _leaks_table(results: Sequence[Result]) -> Table:
    """A row for each site that leaked."""
    table = Table(title="Leaks found", title_justify="left")
    table.add_column("suite", no_wrap=True)
    table.add_column("kind")
    table.add_column("n", justify="right")
    table.add_column("site", no_wrap=True)
    table.add_column("judgement")
    for result in results:
        for leak, place, said in _leaks(result):
            site = f"{place}:{leak['site']['lineno']}"
            table.add_row(
                result.project.name, leak["kind"], str(leak["count"]), site, said
            )
    return table


def _leaks(result: Result) -> list[tuple[dict[str, Any], str, str]]:
    """Each leak with its file as the suite knows it, and its judgement."""
    judged: dict[str, str] = JUDGEMENTS.get(result.project.name, {})
    found = []
    for leak in result.found["leaks"]:
        place = _place(leak["site"]["filename"], result.root)
        key = f"{leak['kind']} {place}:{leak['site']['lineno']}"
        found.append((leak, place, judged.get(key, _UNJUDGED)))
    return found


def _place(filename: str, root: str) -> str:
    """A file's path below the suite's root or an environment's packages."""
    below = filename.removeprefix(root).lstrip("/")
    return below.rpartition("site-packages/")[2].removeprefix(sys.prefix)
