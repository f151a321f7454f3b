"""celery's side of both ends: its broker is a folder, so that no server is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

TASK: Final = "soak.part"
"""The task that runs a part of the schedule."""
# Seconds between two looks into an empty folder.
_LOOK: Final = 0.05


def make_app(folder: Path) -> Any:
    """A celery whose messages lie in a folder."""
    from celery import Celery

    queue = folder / "queue"
    queue.mkdir(exist_ok=True)
    app = Celery("soak", broker="filesystem://")
    app.conf.update(
        broker_transport_options={
            "data_folder_in": str(queue),
            "data_folder_out": str(queue),
            "control_folder": str(folder / "control"),
            "polling_interval": _LOOK,
        },
        broker_connection_retry_on_startup=False,
        task_ignore_result=True,
        worker_hijack_root_logger=False,
    )
    return app
