"""What `httpguard report` costs, beside a plain loop in Python.

A log is made up, as a fleet would write it, and read twice, each time by a process
of its own: its seconds, its CPU seconds and its peak memory are what the system
says of it. Both have to find the same.

Run: ``python -m benchmarks.report [--lines N] [--share S] [--quick] [--json FILE]``
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from . import _fleet_logs
from ._output import console, parser, write
from ._plain import leaks_by_site

if TYPE_CHECKING:
    from collections.abc import Sequence

_MEBI: Final = 1 << 20
_PLAIN: Final = "--plain"
# Linux counts in KiB, macOS in bytes.
_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the log, read it twice, print and write.

    Args:
        arguments: Of the command line.
    """
    options = _parser().parse_args(arguments)
    if options.plain:
        _read_plainly(options.plain)
        return
    lines = 200_000 if options.quick else options.lines
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        log = Path(folder) / "fleet.jsonl"
        console.print(f"writing {lines:,} lines")
        _fleet_logs.write(log, lines, options.share)
        size = log.stat().st_size
        report = [sys.executable, "-m", "httpguard.cli", "report", str(log), "--json"]
        plain = [sys.executable, "-m", "benchmarks.report", _PLAIN, str(log)]
        figures = {
            "httpguard report": _run(report),
            "plain Python": _run(plain),
        }
    _compare(*(figure.pop("found") for figure in figures.values()))
    console.print(_table(figures, lines, size))
    write(options.json, {"lines": lines, "bytes": size, "runs": figures})


def _parser() -> Any:
    """The command line."""
    made = parser(__doc__)
    made.add_argument("--lines", type=int, default=10_000_000)
    made.add_argument(
        "--share", type=float, default=0.1, help="of the lines: httpguard's"
    )
    made.add_argument("--folder", help="where the log is made; 7 GB for the default")
    made.add_argument(_PLAIN, metavar="FILE", help="only read a file, plainly")
    return made


def _read_plainly(path: str) -> None:
    """Print what the plain loop finds."""
    with open(path, encoding="utf-8") as lines:
        sites, damaged = leaks_by_site(lines)
    found = [[*key, *numbers] for key, numbers in sites.items()]
    json.dump({"sites": found, "damaged": damaged}, sys.stdout)


def _run(command: list[str]) -> dict[str, Any]:
    """Run a command; gives what it cost and what it printed."""
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        output = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return {
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss * _RSS_UNIT / _MEBI,
        "found": json.loads(output),
    }


def _compare(made: dict[str, Any], plain: dict[str, Any]) -> None:
    """Make sure that both have found the same.

    Raises:
        SystemExit: They have not.
    """
    fields = ("kind", "filename", "lineno", "function", "leaks", "processes")
    sites = sorted([site[name] for name in fields] for site in made["sites"])
    damaged = sum(made["reading"]["problems"].values())
    if sites != sorted(plain["sites"]) or damaged != plain["damaged"]:
        raise SystemExit("the two have not found the same")


def _table(figures: dict[str, dict[str, Any]], lines: int, size: int) -> Table:
    """What is printed."""
    title = f"{lines:,} lines, {size / 1e9:.1f} GB"
    table = Table(title=title, title_justify="left")
    for column in ("", "s", "CPU s", "us a line", "peak memory, MiB"):
        table.add_column(column, justify="right" if column else "left")
    for name, run in figures.items():
        table.add_row(
            name,
            f"{run['seconds']:.1f}",
            f"{run['cpu_seconds']:.1f}",
            f"{run['cpu_seconds'] / lines * 1e6:.2f}",
            f"{run['peak_mib']:,.0f}",
        )
    return table


if __name__ == "__main__":
    main()
