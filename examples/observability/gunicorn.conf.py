"""What gunicorn needs so that `/metrics` tells of all its workers."""

from __future__ import annotations

import os
import tempfile
from typing import Any

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = 4

# Where each worker keeps its numbers, for whichever of them is asked. It has to be
# empty when the service starts.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="metrics-")


def child_exit(_server: Any, worker: Any) -> None:
    """Forget what a worker that is gone had open; what it counted stays."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
