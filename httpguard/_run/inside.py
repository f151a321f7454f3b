"""Inside a guarded process: what the bootstrap calls. Needs only the library."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .._model.event import COUNTS, Event
from .._model.settings import load_settings
from .._process import exits as _exits
from .._process import installing as _installing
from .._process import process as _process
from .._process import session as _session
from .._reporting.json_lines import JsonLines

if TYPE_CHECKING:
    from .._leases.table import LeakTable
    from .._reporting import Run

SO_FAR: Final = "httpguard.so_far"
"""The counts between two reports; in the run's own log only."""
# Counts are written when they have changed and a twentieth of the process's time
# has passed since the last ones: some 200 lines a day.
_SHARE: Final = 20


class RunLog(JsonLines):
    """The run's own log, from which the table at the end is made.

    Args:
        path: The file. Never rotated: it is small, and gone when the run is over.
        run: Named in each line.
    """

    def __init__(self, path: str, run: Run) -> None:
        super().__init__(path, max_bytes=0, keep=1, run=run)
        self._begun = self._told = time.monotonic()
        self._state = ("", 0)

    def __call__(self, event: Event) -> None:
        """Write an event, unless the run is over: a daemon may outlive it."""
        # Its own counts come more often, and do not say that they are all.
        if event.name != COUNTS and os.path.exists(self.path):
            leaks = tuple(replace(leak, stack=()) for leak in event.leaks)
            super().__call__(replace(event, leaks=leaks, crowd=()))

    def follow(self, table: LeakTable) -> None:
        """Write the counts now and then: a signal may end the process any time.

        Args:
            table: Of the guard.
        """
        now = time.monotonic()
        due = now - self._told >= (now - self._begun) / _SHARE
        state = (self.run.name, table.total)
        if due and table.total and state != self._state:
            self._told, self._state = now, state
            self(Event(SO_FAR, error=False, leaks=table.leaks()))


def begin(run: str) -> None:
    """Guard this process, with the settings of the environment.

    Where the program has called `install` before, its settings stay.

    Args:
        run: The start of the names of the run's files; "-": there are none.

    Raises:
        ConfigError: A setting is not accepted.
    """
    follower = None
    if run != "-":
        log = RunLog(f"{run}.jsonl", _process.PROCESS.run)
        follower = log.follow
        _process.PROCESS.destinations.add(log, log.name)
    _exits.follow(follower)
    if not _session.is_installed():
        settings = load_settings({}, os.environ)
        if settings.enabled:
            _installing.start(settings)
