"""The keys of `httpguard top`: what is sorted by, which row is selected, the end."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HELP: Final = "q quit · c by count · t by time · s by site · j, k select"
_DOWN: Final = frozenset({"j", "\x1b[B", "\x1bOB"})
_UP: Final = frozenset({"k", "\x1b[A", "\x1bOA"})
_ORDERS: Final = {"c": "count", "t": "time", "s": "site"}
_SORTED_BY: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "count": lambda leak: -leak["count"],
    "time": lambda leak: tuple(-ord(sign) for sign in str(leak["last_seen"])),
    "site": lambda leak: (str(leak["site"]["filename"]), leak["site"]["lineno"]),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The order of the leaks (empty: that of the page), and the row, from 0."""

    order: str = ""
    row: int = 0

    def after(self, key: str) -> Choice:
        if key in _ORDERS:
            return Choice(_ORDERS[key])
        if key in _DOWN:
            return replace(self, row=self.row + 1)
        if key in _UP:
            return replace(self, row=max(self.row - 1, 0))
        return self

    def sort(self, leaks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not self.order:
            return leaks
        return sorted(leaks, key=_SORTED_BY[self.order])


@contextlib.contextmanager
def keys() -> Iterator[None]:
    """Get keys as they are pressed, and show them not."""
    if not _is_terminal():
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin.fileno())
    try:
        tty.setcbreak(sys.stdin.fileno())
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)


def wait(seconds: float) -> str:
    """Wait for a key; empty: none came."""
    if not _is_terminal():
        time.sleep(seconds)
        return ""
    import select

    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    # Past the buffer of the stream, which a later `select` would not see.
    return os.read(sys.stdin.fileno(), 8).decode("utf-8", "ignore") if ready else ""


def _is_terminal() -> bool:
    """Whether keys can be had: on Windows they are not."""
    try:
        return os.name == "posix" and os.isatty(sys.stdin.fileno())
    except (AttributeError, OSError, ValueError):  # None, or something in its place.
        return False
