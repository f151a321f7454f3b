"""What gunicorn needs so that `/metrics` tells of all its workers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = 4

# Where each worker keeps its numbers, for whichever of them is asked. This file is
# read again at a reload (SIGHUP), when what was counted shall stay.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="metrics-")


def on_starting(_server: Any) -> None:
    """Forget what an earlier run has left there."""
    for file in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob("*.db"):
        file.unlink()


def child_exit(_server: Any, worker: Any) -> None:
    """Forget what a worker that is gone had open; what it counted stays."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
