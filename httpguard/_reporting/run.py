"""The run: what tells the counts of one process, or one `install`, from others."""

from __future__ import annotations

import os


class Run:
    """The present run."""

    def __init__(self) -> None:
        self._name = ""
        self._pid = 0

    @property
    def name(self) -> str:
        """Random, another one in every forked child."""
        if not self._name or self._pid != os.getpid():
            self._name = os.urandom(8).hex()
            self._pid = os.getpid()
        return self._name

    def begin(self) -> None:
        """The counts start from zero: a new run, under a new name."""
        self._name = ""
