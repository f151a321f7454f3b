"""Instructions of the loops of a process, as valgrind's callgrind counts them."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from ._counted import MARK, Loops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TOTALS: Final = re.compile(r"^totals: (\d+)", re.MULTILINE)


def require() -> None:
    """Leave where it is not installed."""
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed")


def run(
    command: Callable[[Loops], Sequence[str]], loops: Loops, kinds: Sequence[str]
) -> dict[str, float]:
    """Instructions a request, by kind, of a process that makes them.

    Args:
        command: Module and arguments, of loops.
        loops: How often each kind of request is made.
        kinds: Their names, in the order in which they are made.
    """
    # Once before: a process that compiles has its memory laid out otherwise, and with
    # it which of its names drive each other out of CPython's cache.
    python = (sys.executable, "-m")
    once = [*python, *command(Loops(1, 1, 1, 1))]
    subprocess.run(once, check=True, env=_environment())
    with TemporaryDirectory() as folder:
        out = Path(folder, "out")
        valgrind = (
            *("valgrind", "--tool=callgrind", f"--dump-before={MARK}"),
            f"--callgrind-out-file={out}",
        )
        subprocess.run(
            [*valgrind, *python, *command(loops)],
            check=True,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        # One file a mark, numbered from 1, and one of the end.
        marks = (1 + 2 * loops.rounds) * len(kinds)
        counted = [total(Path(f"{out}.{at}").read_text()) for at in range(1, marks + 1)]
    return by_kind(counted, loops, kinds)


def _environment() -> dict[str, str]:
    return dict(os.environ, PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="")


def total(text: str) -> int:
    """The instructions that a file of callgrind's says.

    Raises:
        ValueError: It says none.
    """
    found = _TOTALS.search(text)
    if found is None:
        raise ValueError("callgrind has written no totals")
    return int(found[1])


def by_kind(
    counted: Sequence[int], loops: Loops, kinds: Sequence[str]
) -> dict[str, float]:
    """Instructions a request of each kind.

    Args:
        counted: Between one mark and the next. For each kind, what was before its
            loops comes first, then the shorter and the longer loop of each round.
        loops: How long they were.
        kinds: Their names, in order.
    """
    each = 1 + 2 * loops.rounds
    return {
        kind: a_request(counted[at * each + 1 : (at + 1) * each], loops)
        for at, kind in enumerate(kinds)
    }


def a_request(counted: Sequence[int], loops: Loops) -> float:
    """What a loop takes more by each request more; the median of the rounds.

    Args:
        counted: Of the shorter and the longer loop, in turns.
        loops: How long they were.
    """
    more = loops.long - loops.short
    pairs = zip(counted[::2], counted[1::2], strict=True)
    return statistics.median((long - short) / more for short, long in pairs)
