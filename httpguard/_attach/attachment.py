"""What attaching has put on a program: once, however many look at it."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Final

from .._model.settings import load_settings
from .._process.installing import start, take_off, wind_up
from .._process.process import PROCESS
from .adopted import Adopted

_MOST_NOTES: Final = 100
_PATIENCE: Final = 1.0
_LOGGER: Final = "httpguard"


class Notes(logging.Handler):
    """What httpguard would say in the program's log: said to whoever attached."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: deque[str] = deque(maxlen=_MOST_NOTES)
        self._passed_on = True

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    def listen(self) -> None:
        """From here on nothing of ours reaches the program's handlers."""
        logger = logging.getLogger(_LOGGER)
        self._passed_on, logger.propagate = logger.propagate, False
        logger.addHandler(self)

    def stop(self) -> None:
        logger = logging.getLogger(_LOGGER)
        logger.removeHandler(self)
        logger.propagate = self._passed_on
        self.close()


class Attachment:
    """httpguard in a program that did not ask for it.

    Its reports go to the file that was asked for, if any, and not to the program's
    logs, unless it stays. Variables of the program's environment are not looked at.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.visits = 0
        self.stays = False
        self.notes = Notes()
        self.adopted = Adopted()
        self._settings = load_settings(settings, {})

    def put_on(self) -> None:
        """Install. Under the lock of the process."""
        self.keep_to_itself()
        try:
            start(self._settings)
        except BaseException:
            self._restore()
            raise
        guard = PROCESS.guard
        if guard is not None:
            # The one in force: to tell whether the program installs its own.
            self._settings = guard.settings
            guard.attend()

    def keep_to_itself(self) -> None:
        self.notes.listen()
        PROCESS.destinations.remove(PROCESS.destinations.logs.report)

    def stay(self) -> None:
        """Nobody looks any more: what it finds goes where `install` lets it go."""
        self.adopted.end_waits()
        self._restore()

    def take_off(self) -> bool:
        """Uninstall; whether it has to stay, since the program has installed it."""
        guard = PROCESS.guard
        self.adopted.end_waits()
        if guard is not None and guard.settings is not self._settings:
            self._restore()
            PROCESS.attached = None
            return True
        wind_up(*take_off())
        if guard is not None:
            guard.watcher.wait_for_end(_PATIENCE)
        self._restore()
        PROCESS.attached = None
        return False

    def take_off_in_child(self) -> None:
        """In a forked child, whose parent is looked at: leave it alone."""
        _, log = take_off()
        wind_up(None, log)
        self._restore()
        PROCESS.attached = None

    def _restore(self) -> None:
        self.notes.stop()
        PROCESS.destinations.add(PROCESS.destinations.logs.report, "logs")


def arrive(settings: dict[str, Any]) -> Attachment | None:
    """Install, unless somebody has; None: the program has by itself."""
    with PROCESS.lock:
        attachment = PROCESS.attached
        if not isinstance(attachment, Attachment):
            if PROCESS.guard is not None:
                return None
            attachment = Attachment(settings)
            attachment.put_on()
            PROCESS.attached = attachment
        elif attachment.stays and not attachment.visits:
            attachment.keep_to_itself()
        attachment.visits += 1
        return attachment


def leave(attachment: Attachment | None, *, stays: bool) -> bool:
    """The last one takes it off, unless it is to stay: whether code of ours has to."""
    if attachment is None:
        return True
    with PROCESS.lock:
        attachment.visits -= 1
        attachment.stays = stays
        if attachment.visits:
            return True
        if stays:
            attachment.stay()
            return True
        return attachment.take_off()
