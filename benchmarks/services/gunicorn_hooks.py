"""gunicorn's settings file: what a worker does as it goes."""

from __future__ import annotations

import sys


def worker_exit(server: object, worker: object) -> None:  # noqa: ARG001  # As called.
    """End the work of a worker that has any."""
    module = sys.modules.get("benchmarks.services.gunicorn_app")
    if module is not None:
        module.STEPS.end()
