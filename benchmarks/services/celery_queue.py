"""celery's side of both ends: its broker is a folder, so that no server is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

TASK: Final = "soak.part"
"""The task that runs a part of the schedule."""
# Seconds between two looks into an empty folder.
_LOOK: Final = 0.05


def queue_of(folder: Path) -> Path:
    """Where messages are that the worker may take."""
    return folder / "queue"


def deliver(folder: Path) -> None:
    """Put what was sent where the worker finds it, each message whole.

    The worker takes a message that is still being written for one without content, and
    ends.
    """
    for message in (folder / "sent").iterdir():
        message.rename(queue_of(folder) / message.name)


def make_app(folder: Path) -> Any:
    """A celery whose messages lie in a folder."""
    from celery import Celery

    sent = folder / "sent"
    for each in (sent, queue_of(folder)):
        each.mkdir(exist_ok=True)
    app = Celery("soak", broker="filesystem://")
    app.conf.update(
        broker_transport_options={
            "data_folder_in": str(queue_of(folder)),
            "data_folder_out": str(sent),
            "control_folder": str(folder / "control"),
            "polling_interval": _LOOK,
        },
        broker_connection_retry_on_startup=False,
        task_ignore_result=True,
        worker_hijack_root_logger=False,
    )
    return app
