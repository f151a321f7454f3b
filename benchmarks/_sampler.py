"""Which lines of ours a program is at, by looking many times a second.

A timer's signal interrupts the program and the handler notes the line. Nothing
is traced, so nothing but the handler itself is slowed down. CPython runs handlers
after calls, at the start of functions and at loops: a line without any of these
is charged to the next one that has, and entering a wrapper to its ``def`` line.
"""

from __future__ import annotations

import linecache
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpguard

from ._paired import time_block

if TYPE_CHECKING:
    from types import FrameType

    from ._calls import Call

# Not a divisor of anything regular in the program.
_INTERVAL: Final = 0.000_317
_OURS: Final = os.path.join(os.path.dirname(httpguard.__file__), "")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of ours.

    Args:
        place: ``file:line function``.
        text: Its source.
        seconds: What it takes of a request.
        samples: How often the program was there.
    """

    place: str
    text: str
    seconds: float
    samples: int


def hot_lines(call: Call, seconds: float) -> list[Line]:
    """Our lines, the most expensive first.

    Args:
        call: One request; httpguard is installed.
        seconds: How long to look.
    """
    request = time_block(call, warm_up=100, requests=500, clock=time.process_time)
    places = _sample(call, seconds)
    total = sum(places.values())
    return [
        Line(_place(*where), _text(*where), request * count / total, count)
        for where, count in places.most_common()
        if where[0].startswith(_OURS)
    ]


def _sample(call: Call, seconds: float) -> Counter[tuple[str, int, str]]:
    """Where the program was."""
    places: Counter[tuple[str, int, str]] = Counter()

    def look(_signal: int, frame: FrameType | None) -> None:
        if frame is not None:
            code = frame.f_code
            # Before its first instruction a frame has no line yet.
            line = frame.f_lineno or code.co_firstlineno
            places[code.co_filename, line, code.co_name] += 1

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _INTERVAL, _INTERVAL)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(100):
                call()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return places


def _place(filename: str, line: int, function: str) -> str:
    """Where it is, from the package on."""
    return f"{filename.removeprefix(_OURS)}:{line} {function}"


def _text(filename: str, line: int, _function: str) -> str:
    """Its source."""
    return linecache.getline(filename, line).strip()
