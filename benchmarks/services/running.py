"""A service as the command sees it: processes of its own, which it starts and ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .settings import Orders

_ROOT: Final = Path(__file__).resolve().parent.parent.parent
# Seconds for which a service may make itself ready, and end.
_PATIENCE: Final = 120.0
_LAST_WORDS: Final = 5.0


class Service(ABC):
    """A service, from its start to its end.

    Args:
        orders: What it is told.
        parts: How many parts of the schedule it will be asked for, about.
    """

    packages: ClassVar[tuple[str, ...]]
    """What has to be installed, by the names that are imported."""

    def __init__(self, orders: Orders, parts: int) -> None:
        self.orders = orders
        self.parts = parts
        self.output = orders.folder / "output.txt"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The first process of the service."""
        if self._process is None:
            raise RuntimeError("the service was not started")
        return self._process

    def start(self) -> None:
        """Start its first process, which Ctrl-C at the command does not reach."""
        path = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ,
            **self.orders.environment(),
            "PYTHONPATH": os.pathsep.join(path),
            # Of a process that crashes or hangs, its output says where.
            "PYTHONFAULTHANDLER": "1",
        }
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *self.command()],
                env=environment,
                cwd=self.orders.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What Python is to run."""

    def drive(self, share: float) -> None:  # noqa: B027  # Some need nothing.
        """Called a few times a second: keep it busy, and injure it.

        Args:
            share: Of what is to be done, that is done.
        """

    def rest(self) -> None:  # noqa: B027  # As `drive`.
        """Ask for nothing more."""

    def end(self) -> bool:
        """Have it end as it does in service; whether it did."""
        self.rest()
        process = self.process
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            # Each process of it writes down where its threads are.
            os.killpg(process.pid, signal.SIGABRT)
            time.sleep(_LAST_WORDS)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False
        return True

    def wait_for(self, text: str) -> str:
        """What it has written, once that text is in it.

        Raises:
            RuntimeError: It ended, or took too long.
        """
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            if text in (said := self.output.read_text("utf-8", "replace")):
                return said
            time.sleep(0.05)
        raise RuntimeError(
            f"it did not say {text!r}: {self.output.read_text()[-2000:]}"
        )
