"""What httpguard adds to the start of a program.

Many fresh interpreters, in random order; each says how much CPU time its imports
took, and the CPU time of the whole process is read from outside too. (Imports of
files that the system has cached wait for nothing; wall time would add what other
programs do.) Another checkout can be measured in the same run, in turns.

Run: ``python -m benchmarks.startup [--quick] [--beside CHECKOUT] [--json FILE]``
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from ._output import console, interval, parser, progress, write
from ._paired import Pair, added, spread

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_BASE: Final = "import requests"
_IMPORT: Final = "import requests; import httpguard"
_INSTALL: Final = "import requests; import httpguard; httpguard.install()"
_BEFORE: Final = "import httpguard; httpguard.install(); import requests"
_ALONE: Final = "import httpguard"
_PROGRAMS: Final = (_BASE, _IMPORT, _INSTALL, _BEFORE, _ALONE)
# Printed by the program itself: seconds for the statements, then for install()
# alone once all is imported.
_TIMED: Final = """
import time
begin = time.process_time()
{}
print(time.process_time() - begin)
"""
_INSTALL_ALONE: Final = """
import requests, httpguard, time
begin = time.process_time()
httpguard.install()
print(time.process_time() - begin)
"""
_MILLI: Final = 1e3

_CHECKOUT: Final = Path(__file__).resolve().parent.parent

Start = tuple[float, float]
"""CPU seconds of the statements, and of the whole process."""
Starts = dict[str, list[Start]]
"""By program, the times of each round."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write.

    Args:
        arguments: Of the command line.
    """
    options = _options(arguments)
    checkouts = [_CHECKOUT]
    if options.beside is not None:
        checkouts.append(options.beside.resolve())
    measured = measure(10 if options.quick else 60, checkouts)
    written: dict[str, Any] = {}
    for checkout, found in zip(("", "beside"), measured, strict=False):
        figures = _show(checkout, *found)
        written.update({checkout: figures} if checkout else figures)
    write(options.json, written)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says."""
    made = parser(__doc__)
    made.add_argument(
        "--beside", type=Path, metavar="CHECKOUT", help="measure that one too"
    )
    return made.parse_args(arguments)


def _show(checkout: str, starts: Starts, installs: list[float]) -> dict[str, Any]:
    """Print what was measured of a checkout; the figures for the file."""
    console.print(_table(checkout, starts))
    install = spread(installs)
    console.print(f"install() itself: {interval(install, _MILLI, 2)} ms")
    written: dict[str, Any] = {"install": install.to_dict()}
    for program, pairs in _pairs(starts).items():
        written[program] = {
            "seconds": spread(own for own, _ in starts[program]).to_dict(),
            "added": added(pairs[0]).to_dict(),
            "added to the process": added(pairs[1]).to_dict(),
        }
    return written


def measure(rounds: int, checkouts: list[Path]) -> list[tuple[Starts, list[float]]]:
    """Every program of every checkout once a round, and `install` alone.

    Args:
        rounds: How many.
        checkouts: Where httpguard is imported from.

    Returns:
        For each checkout its starts, and the times of `install`.
    """
    chance = random.Random(0)
    measured: list[tuple[Starts, list[float]]] = [
        ({program: [] for program in _PROGRAMS}, []) for _ in checkouts
    ]
    turns = [
        (checkout, found, program)
        for checkout, found in zip(checkouts, measured, strict=True)
        for program in (*_PROGRAMS, None)
    ]
    with (
        TemporaryDirectory() as cache,
        progress("starts", rounds) as advance,
    ):
        for checkout, _, program in turns:  # Byte code is cached here.
            _start(_code(program), cache, checkout)
        for _ in range(rounds):
            for checkout, (starts, installs), program in chance.sample(
                turns, len(turns)
            ):
                start = _start(_code(program), cache, checkout)
                if program is None:
                    installs.append(start[0])
                else:
                    starts[program].append(start)
            advance()
    return measured


def _code(program: str | None) -> str:
    """What is run: a program, or `install` alone."""
    return _INSTALL_ALONE if program is None else _TIMED.format(program)


def _start(code: str, cache: str, checkout: Path) -> Start:
    """Run a program in a fresh interpreter, whose byte code is cached.

    As it is for whatever pip has installed; a checkout, or an environment with
    PYTHONDONTWRITEBYTECODE, would be compiled at every start.
    """
    path = os.pathsep.join(filter(None, [str(checkout), os.environ.get("PYTHONPATH")]))
    environment = dict(os.environ, PYTHONPYCACHEPREFIX=cache, PYTHONPATH=path)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begin = _spent()
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
        cwd=cache,  # Where nothing is found before the checkout.
    )
    return float(done.stdout), _spent() - begin


def _spent() -> float:
    """CPU seconds of the processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _pairs(
    starts: Starts,
) -> dict[str, tuple[list[Pair[float]], list[Pair[float]]]]:
    """Each program beside `import requests` of the same round."""
    base = starts[_BASE]
    return {
        program: (
            [(one[0], own[0]) for one, own in zip(base, times, strict=True)],
            [(one[1], own[1]) for one, own in zip(base, times, strict=True)],
        )
        for program, times in starts.items()
    }


def _table(checkout: str, starts: Starts) -> Table:
    """What is printed."""
    title = " ".join(filter(None, ("Fresh interpreters, ms of CPU time", checkout)))
    shown = Table(title=title, title_justify="left")
    for column in ("", "time", f"more than '{_BASE}'", "whole process, more"):
        shown.add_column(column, justify="right" if column else "left")
    for program, (inside, outside) in _pairs(starts).items():
        shown.add_row(
            program,
            interval(spread(own for own, _ in starts[program]), _MILLI),
            "" if program == _BASE else interval(added(inside), _MILLI),
            "" if program == _BASE else interval(added(outside), _MILLI),
        )
    return shown


if __name__ == "__main__":
    main()
