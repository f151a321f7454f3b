"""What httpguard adds to the start of a program.

Many fresh interpreters, in random order; each says how much CPU time its imports
took, and the CPU time of the whole process is read from outside too. (Imports of
files that the system has cached wait for nothing; wall time would add what other
programs do.)

Run: ``python -m benchmarks.startup [--quick] [--json FILE]``
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from ._output import console, interval, parser, progress, write
from ._paired import Pair, added, spread

if TYPE_CHECKING:
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

Start = tuple[float, float]
"""CPU seconds of the statements, and of the whole process."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write.

    Args:
        arguments: Of the command line.
    """
    options = parser(__doc__).parse_args(arguments)
    starts, installs = measure(10 if options.quick else 60)
    console.print(_table(starts))
    install = spread(installs)
    console.print(f"install() itself: {interval(install, _MILLI, 2)} ms")
    written: dict[str, Any] = {"install": install.to_dict()}
    for program, pairs in _pairs(starts).items():
        written[program] = {
            "seconds": spread(own for own, _ in starts[program]).to_dict(),
            "added": added(pairs[0]).to_dict(),
            "added to the process": added(pairs[1]).to_dict(),
        }
    write(options.json, written)


def measure(rounds: int) -> tuple[dict[str, list[Start]], list[float]]:
    """Every program once a round, and `install` alone.

    Args:
        rounds: How many.

    Returns:
        By program, the times of each round; and the times of `install`.
    """
    chance = random.Random(0)
    starts: dict[str, list[Start]] = {program: [] for program in _PROGRAMS}
    installs = []
    with (
        TemporaryDirectory() as cache,
        progress("starts", rounds) as advance,
    ):
        for program in _PROGRAMS:
            _start(_TIMED.format(program), cache)  # Byte code is cached here.
        for _ in range(rounds):
            for program in chance.sample(_PROGRAMS, len(_PROGRAMS)):
                starts[program].append(_start(_TIMED.format(program), cache))
            installs.append(_start(_INSTALL_ALONE, cache)[0])
            advance()
    return starts, installs


def _start(code: str, cache: str) -> Start:
    """Run a program in a fresh interpreter, whose byte code is cached.

    As it is for whatever pip has installed; a checkout, or an environment with
    PYTHONDONTWRITEBYTECODE, would be compiled at every start.
    """
    environment = dict(os.environ, PYTHONPYCACHEPREFIX=cache)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begin = _spent()
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return float(done.stdout), _spent() - begin


def _spent() -> float:
    """CPU seconds of the processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _pairs(
    starts: dict[str, list[Start]],
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


def _table(starts: dict[str, list[Start]]) -> Table:
    """What is printed."""
    shown = Table(title="Fresh interpreters, ms of CPU time", title_justify="left")
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
