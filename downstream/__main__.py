"""Run other projects' test suites without and with httpguard.

Fetches their sdists, installs each in an environment of its own, compares the
outcomes test by test, and lists the leaks that were found.

Run: ``python -m downstream [--quick] [--plugin] [--only NAME] [--rounds N]``

The exit code is 1 if a pass was lost or httpguard failed inside, 2 if a suite
could not be run.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ._command import DownstreamError
from ._environment import build_wheel
from ._output import as_json, console, show, totals
from ._projects import PROJECTS
from ._session import Result, compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._project import Project

_CACHE: Final = Path.home() / ".cache" / "httpguard-downstream"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says; the exit code."""
    options = _parser().parse_args(arguments)
    projects = _selected(options.only, quick=options.quick)
    cache = options.cache.resolve()
    try:
        wheel = build_wheel(cache / "wheel")
    except DownstreamError as error:
        console.print(str(error), markup=False)
        return 2
    tried = [_compare(project, wheel, cache, options) for project in projects]
    results = [result for result in tried if result is not None]
    show(results)
    if options.json is not None:
        text = json.dumps(as_json(results, quick=options.quick), indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    sums = totals(results)
    if sums["lost"] or sums["failures"]:
        return 1
    return 2 if None in tried else 0


def _compare(
    project: Project, wheel: Path, cache: Path, options: argparse.Namespace
) -> Result | None:
    """One project, with a line for each step; None if it could not be run."""

    def say(step: str) -> None:
        console.print(f"{project.name}: {step}", style="dim", markup=False)

    try:
        return compare(
            project,
            wheel,
            cache,
            say,
            rounds=options.rounds,
            quick=options.quick,
            plugin=options.plugin,
        )
    except DownstreamError as error:
        console.print(str(error), markup=False)
        return None


def _selected(names: Sequence[str] | None, *, quick: bool) -> list[Project]:
    """The projects asked for; the short form has those that say how."""
    return [
        project
        for project in PROJECTS
        if (not names or project.name in names) and (project.quick or not quick)
    ]


def _parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m downstream", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=[project.name for project in PROJECTS],
        metavar="NAME",
        help="this project; can be given again: "
        + ", ".join(project.name for project in PROJECTS),
    )
    parser.add_argument(
        "--quick", action="store_true", help="a part of two suites, for CI"
    )
    parser.add_argument(
        "--plugin",
        action="store_true",
        help="guard by the pytest plugin (--httpguard=warn), not by install()",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=1,
        metavar="N",
        help="runs of each kind, in turn; times are medians (default 1)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=_CACHE,
        metavar="DIR",
        help=f"sdists and environments (default {_CACHE})",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write everything to a file"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
