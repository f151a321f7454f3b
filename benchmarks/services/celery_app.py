"""What a worker of celery runs: each task is a part of the schedule.

httpguard is installed in the first process, before it forks its children.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

from celery.signals import worker_process_init, worker_process_shutdown

from .celery_queue import TASK, make_app
from .settings import install, orders

_PR_SET_PDEATHSIG: Final = 1
_ORDERS: Final = orders()
install(_ORDERS)

from .sync_steps import SyncSteps  # noqa: E402  # As a service: the guard comes first.

app = make_app(_ORDERS.folder)
_STEPS: list[SyncSteps] = []


def _begin(**_: object) -> None:
    """A child begins: what it has is its own."""
    if sys.platform == "linux":
        # celery 5.7 has the kernel kill a child when the thread ends that has forked
        # it: with a broker like ours that is not the first one, and ends before.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0)
    _STEPS[:] = [SyncSteps(_ORDERS)]


def _end(**_: object) -> None:
    """A child has run as many tasks as it may, or the worker ends."""
    _STEPS[0].end()


def _part(number: int) -> None:
    _STEPS[0].do(number)


worker_process_init.connect(_begin)
worker_process_shutdown.connect(_end)
app.task(name=TASK)(_part)
