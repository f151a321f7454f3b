"""A worker that is started as a new interpreter, or as the fork of a server."""

from __future__ import annotations

import pickle
from dataclasses import replace

from .installing import start
from .process import PROCESS, failed, is_installed


def begin(settings: bytes) -> None:
    """Guard this worker as its parent was when it started it. It never raises."""
    try:
        wanted = pickle.loads(settings)  # noqa: S301  # As all else of a worker.
        guard = PROCESS.guard
        if guard is not None and is_installed():
            wanted = replace(
                wanted,
                serve=guard.settings.serve,
                serve_token=guard.settings.serve_token,
            )
        start(wanted)
    except Exception as error:
        failed("workers", error)
