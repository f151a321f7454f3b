"""A celery worker, whose children are forked anew after so many tasks."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, ClassVar, Final

from .celery_queue import TASK, deliver, make_app, queue_of
from .running import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHILDREN: Final = 4
# Times that each child's place is taken by a new one.
_GENERATIONS: Final = 6
# A short life is of so many parts.
_FEWEST: Final = 5
# So many messages wait at most: the worker looks at all of them for each.
_WAITING: Final = 20


class Celery(Service):
    """A celery worker, and the messages that it is sent."""

    packages: ClassVar = ("celery", "requests", "urllib3")

    def command(self) -> Sequence[str]:
        """Children that are forked, and end after so many tasks."""
        children = max(2, min(_CHILDREN, self.parts // 10))
        most = max(_FEWEST, self.parts // (children * _GENERATIONS))
        return (
            *("-m", "celery", "-A", "benchmarks.services.celery_app", "worker"),
            *("-P", "prefork", "-c", str(children)),
            *("--max-tasks-per-child", str(most)),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        )

    def start(self) -> None:
        """Start it. Messages may come before it is ready."""
        self._app = make_app(self.orders.folder)
        self._numbers = itertools.count()
        self._queue = queue_of(self.orders.folder)
        super().start()

    def drive(self, share: float) -> None:  # noqa: ARG002  # It is never reloaded.
        """Send messages, so many that some wait."""
        for _ in range(_WAITING - sum(1 for _ in self._queue.iterdir())):
            self._app.send_task(TASK, [next(self._numbers)])
        deliver(self.orders.folder)

    def rest(self) -> None:
        """Take back what waits."""
        for message in self._queue.iterdir():
            message.unlink(missing_ok=True)
