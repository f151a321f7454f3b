"""Inside a guarded process: what the bootstrap calls. Needs only the library."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .. import _process, reporting
from .._config import load_settings
from ..reporting._json_lines import JsonLines

if TYPE_CHECKING:
    from ..reporting import Event


class RunLog(JsonLines):
    """The run's own log, from which the table at the end is made.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        """It is never rotated: reports come at most once a minute and site."""
        super().__init__(path, max_bytes=0, keep=1)

    def __call__(self, event: Event) -> None:
        """Write an event, unless the run is over: a daemon may outlive it."""
        if os.path.exists(self.path):
            super().__call__(event)


def begin(run: str) -> None:
    """Guard this process, with the settings of the environment.

    Where the program has called `install` before, its settings stay.

    Args:
        run: The start of the names of the run's files; "-": there are none.

    Raises:
        ConfigError: A setting is not accepted.
    """
    if run != "-":
        reporting.attach(RunLog(f"{run}.jsonl"))
    _process.promise_nothing_open()
    if _process.current() is None:
        settings = load_settings({}, os.environ)
        if settings.enabled:
            _process.start(settings)
