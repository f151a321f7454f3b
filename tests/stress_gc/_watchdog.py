"""Says when somebody waits for ever, and ends the process."""

from __future__ import annotations

import faulthandler
import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Watchdog:
    """Wants every thread's count to grow.

    Args:
        patience: Seconds that a count may stand still.
    """

    def __init__(self, patience: float) -> None:
        """Nothing seen yet."""
        self._patience = patience
        self._seen: dict[str, tuple[int, float]] = {}

    def look(self, counts: Mapping[str, int]) -> None:
        """Compare, and where one stands still show all stacks and exit with 3.

        Args:
            counts: What grows, by name.
        """
        # By a thread of C, in case this one waits too.
        faulthandler.dump_traceback_later(self._patience, exit=True)
        now = time.monotonic()
        for name, count in dict(counts).items():
            seen, since = self._seen.get(name, (-1, now))
            if count != seen:
                self._seen[name] = (count, now)
            elif now - since > self._patience:
                self.bark(f"{name} has made no round for {self._patience:.0f} s")

    def bark(self, text: str) -> None:
        """Show where every thread is, and end the process, whatever waits."""
        os.write(2, f"DEADLOCK: {text}\n".encode())
        faulthandler.dump_traceback(all_threads=True)
        sys.stdout.flush()
        os._exit(3)

    def end(self) -> None:
        """Watch no more."""
        faulthandler.cancel_dump_traceback_later()
