"""The run: what tells the counts of one process, or one `install`, from others."""

from __future__ import annotations

import os


class _Run:
    """The name of the present run."""

    def __init__(self) -> None:
        """It gets one when it is asked for."""
        self.name = ""
        self.pid = 0


_run = _Run()


def run_id() -> str:
    """The name of this run: random, another one in every forked child."""
    if not _run.name or _run.pid != os.getpid():
        _run.name = os.urandom(8).hex()
        _run.pid = os.getpid()
    return _run.name


def begin_run() -> None:
    """The counts start from zero: a new run, under a new name."""
    _run.name = ""
