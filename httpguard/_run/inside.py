"""Inside a guarded process: what the bootstrap calls. Needs only the library."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .._model.event import COUNTS, Event
from .._model.settings import load_settings
from .._process import exits as _exits
from .._process import installing as _installing
from .._process import process as _process
from .._reporting.json_lines import JsonLines
from .environment import VERBOSE

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

    It is never rotated: it is small, and gone when the run is over. `files` is the
    start of the names of the run's files.
    """

    def __init__(self, files: str, run: Run) -> None:
        super().__init__(f"{files}.jsonl", max_bytes=0, keep=1, run=run)
        self._notes = f"{files}.processes"
        # Kept: tests put another in the place of `time`'s.
        self._clock = time.monotonic
        self._begun = self._told = self._clock()
        self._state = ("", 0, 0)

    def __call__(self, event: Event) -> None:
        """Write an event, unless the run is over: a daemon may outlive it."""
        # Its own counts come more often, and do not say that they are all.
        if event.name != COUNTS and self.is_read():
            leaks = tuple(replace(leak, stack=()) for leak in event.leaks)
            super().__call__(event._replace(leaks=leaks, crowd=()))

    def is_read(self) -> bool:
        return os.path.exists(self.path)

    def take_counts(self, table: LeakTable, responses: int, *, ended: bool) -> None:
        """Write the counts now and then: a signal may end the process any time.

        Of the last ones the summary has the leaks.
        """
        now = self._clock()
        state = (self.run.name, table.total, responses)
        # A forked child is a process of its own from its first response on.
        due = ended or state[0] != self._state[0]
        due = due or now - self._told >= (now - self._begun) / _SHARE
        if not due or not self.is_read():
            return
        if ended:
            self.note(f"ended\t{self.run.name}")
        if state == self._state:
            return
        if table.total and not ended and state[:2] != self._state[:2]:
            self(Event(SO_FAR, "warning", leaks=table.leaks()))
        self._told, self._state = now, state
        # How many there were until now.
        self.note(f"responses\t{self.run.name}\t{responses}")

    def note(self, line: str) -> None:
        with suppress(OSError):  # The run is over.
            descriptor = os.open(self._notes, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(descriptor, f"{line}\n".encode())
            finally:
                os.close(descriptor)


def begin(run: str) -> None:
    """Guard this process, with the settings of the environment.

    Where the program has called `install` before, its settings stay. `run` is the
    start of the names of the run's files; "-": there are none.
    """
    observer = log = None
    if run != "-":
        log = RunLog(run, _process.PROCESS.run)
        observer = log.take_counts
        destinations = _process.PROCESS.destinations
        destinations.add(log, log.name)
        if not os.environ.get(VERBOSE):
            destinations.logs.spared = log.is_read
    _exits.observe_end(observer)
    if not _process.is_installed():
        settings = load_settings({}, os.environ)
        if settings.enabled:
            _installing.start(settings)
    if log is not None and _process.PROCESS.guard is not None:
        log.note(f"responses\t{log.run.name}\t0")
