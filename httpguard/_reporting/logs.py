"""Who is told: the application's logs, and what is attached beside them.

structlog where the application has set that up, else logging. Imported with httpguard,
and therefore light.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from .._model.streams import Streams, dress, is_shown

if TYPE_CHECKING:
    from .._model.event import Event
    from .._text.events import Rendered

T = TypeVar("T")
LOGGER_NAME: Final = "httpguard"
_LEVELS: Final = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
# The longest path of Linux: a real one is never cut.
_MOST_PATH: Final = 4096


class Members(Generic[T]):
    """Those who are told, in the order in which they came.

    Each has a name of its own, under which its failure is said. Without a lock,
    which a fork could leave locked: a list does.
    """

    def __init__(self) -> None:
        self.members: list[tuple[str, T]] = []

    def tell(
        self, how: Callable[[T], None], failed: Callable[[str, Exception], None]
    ) -> None:
        """Tell each of them, and say under its name what has failed."""
        for name, member in tuple(self.members):
            try:
                how(member)
            except Exception as error:  # noqa: PERF203  # It stops no other.
                failed(name, error)

    def add(self, member: T, name: str) -> None:
        """Tell it from now on, if it is not told yet.

        Args:
            member: What it raises is logged once and stops nothing.
            name: A number is added where another member has that name.
        """
        names = set()
        for known, present in self.members:
            if present == member:
                return
            names.add(known)
        own, number = name, 1
        while own in names:
            number += 1
            own = f"{name} ({number})"
        self.members.append((own, member))

    def remove(self, member: T) -> None:
        self.members[:] = [pair for pair in self.members if pair[1] != member]


class Destinations(Members[Callable[["Event"], None]]):
    """Where events go. Each is called under no lock, in whichever thread reports."""

    def __init__(self, streams: Streams | None = None) -> None:
        super().__init__()
        self.logs = Logs(streams or Streams(), others=lambda: len(self.members) > 1)
        self.add(self.logs.report, "logs")

    def send(self, event: Event, failed: Callable[[str, Exception], None]) -> None:
        self.tell(lambda send: send(event), failed)


class Run:
    def __init__(self) -> None:
        self._name = ""
        self._pid = 0

    @property
    def name(self) -> str:
        """Random, another one in every forked child."""
        if not self._name or self._pid != os.getpid():
            self._name = os.urandom(8).hex()
            self._pid = os.getpid()
        return self._name

    def begin(self) -> None:
        """The counts start from zero: a new run, under a new name."""
        self._name = ""


class Logs:
    """The logs of the application, and whether events go elsewhere too."""

    def __init__(self, streams: Streams, others: Callable[[], bool]) -> None:
        self._streams = streams
        self._others = others
        # Whether somebody else shows the leaks to whoever has set up no logging.
        self.spared: Callable[[], bool] = lambda: False

    def report(self, event: Event) -> None:
        """Log an event. Raises whatever the application's processors or handlers raise.

        An event that its structlog chain refuses has gone to the standard library's
        logger before.
        """
        from .._model.event import OF_LEAKS, SUMMARY
        from .._text.events import render

        structured = is_structlog_configured()
        spared = event.name in OF_LEAKS and not structured and self.spared()
        if spared and not _logger().hasHandlers():
            return
        rendered = render(event)
        if rendered is not None and structured:
            self._to_structlog(event, rendered)
        elif rendered is not None:
            _to_logging(event, rendered, self._streams)
        if event.name == SUMMARY and not self._others():
            why = _silence(event.level, structured=structured)
            if why:
                _tell_of_silence(event, why, self._streams)

    def _to_structlog(self, event: Event, rendered: Rendered) -> None:
        try:
            from . import structlog

            if not structlog.report(event, rendered, self._streams):
                _to_logging(event, rendered, self._streams)
        except Exception:
            _to_logging(event, rendered, self._streams)
            raise


def is_structlog_configured() -> bool:
    # Half made while another thread imports it.
    configured = getattr(sys.modules.get("structlog"), "is_configured", None)
    return configured is not None and bool(configured())


def preload() -> None:
    """Import now what is otherwise imported at the first report."""
    from .._text import events  # noqa: F401
    from . import context  # noqa: F401

    if is_structlog_configured():
        from . import structlog  # noqa: F401


def _to_logging(event: Event, rendered: Rendered, streams: Streams) -> None:
    """Log the text, in a record that names the leak's site as its place.

    Without any logging set-up the standard library's last resort prints it on
    stderr. The fields travel on the record as its attribute ``httpguard``.
    """
    from .._model.redaction import printable
    from .context import with_context

    logger, level = _logger(), _LEVELS[event.level]
    if not logger.isEnabledFor(level):
        return
    site = event.leaks[0].site if event.leaks else None
    function = printable(site.function) if site else None
    fields = rendered.fields
    if event.context:
        fields = with_context(fields, event.context)
    record = logger.makeRecord(
        LOGGER_NAME,
        level,
        printable(site.filename, _MOST_PATH) if site else __file__,
        site.lineno if site else 0,
        # The text is an argument: a percent sign in a URL is left alone.
        "%s",
        (rendered.text if logger.hasHandlers() else dress(rendered.text),),
        None,
        function,
        {"httpguard": {"event": event.name, **fields}},
    )
    streams.deliver(logger, record)


def _silence(level: str, *, structured: bool) -> str:
    """Why the logs show nothing of this level; empty: they do, as far as is known."""
    if structured:
        from . import structlog

        return structlog.silence(level)
    number = _LEVELS[level]
    if is_shown(_logger(), number):
        return ""
    return (
        f"the logger {LOGGER_NAME!r} shows none: it is off, or its level or its"
        f" handlers are above {logging.getLevelName(number)}"
    )


def _tell_of_silence(summary: Event, why: str, streams: Streams) -> None:
    """Say on stderr that leaks were found, and why the logs show none of them."""
    if summary.level == "error" or not summary.leaks:
        return
    from .._model.words import leaked

    found = leaked((leak.kind, leak.count) for leak in summary.leaks)
    text = f"httpguard: found {found}, and {why}; HTTPGUARD_LOG=FILE keeps them all"
    # Without parent or handlers: the standard library's last resort writes it.
    bare = logging.Logger(LOGGER_NAME)  # noqa: LOG001  # It shows none.
    level = _LEVELS[summary.level]
    record = bare.makeRecord(LOGGER_NAME, level, __file__, 0, "%s", (text,), None)
    streams.deliver(bare, record)


def _logger() -> logging.Logger:
    """The logger ``httpguard``, or one like it where that was shut off.

    `logging.config.dictConfig` disables, unless told otherwise, every logger
    that exists and that it does not name; a report of ours may have made ours.
    """
    logger = logging.getLogger(LOGGER_NAME)
    if not logger.disabled:
        return logger
    fresh = logging.Logger(LOGGER_NAME)  # noqa: LOG001  # getLogger has the other
    fresh.parent = logging.getLogger()
    return fresh
