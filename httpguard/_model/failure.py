"""What is said when something of ours fails."""

from __future__ import annotations

import logging
import traceback

from .streams import Streams


class Failures:
    """The failures of ours that were said: once in a process, whoever installs."""

    def __init__(self, streams: Streams | None = None) -> None:
        self._streams = streams or Streams()
        self._said: set[str] = set()

    def say(self, where: str, error: Exception) -> None:
        """Log that something of ours failed, once for each part. It never raises.

        The traceback goes with the record as text: whoever keeps the record shall
        not keep frames, and with them a response of the program. An error of the
        program's that was on its way is left out: it may name URLs.
        """
        if where in self._said:
            return
        self._said.add(where)
        try:
            logger = logging.getLogger("httpguard")
            record = logger.makeRecord(
                logger.name,
                logging.ERROR,
                __file__,
                0,
                "httpguard failed in %s and stepped aside; the program goes on",
                (where,),
                None,
            )
            record.exc_text = _traceback(error)
            if logger.isEnabledFor(logging.ERROR):
                self._streams.deliver(logger, record)
        except Exception:  # noqa: S110  # The log itself is broken: nowhere to say it.
            pass


def _traceback(error: Exception) -> str | None:
    """An error's own traceback as text, None where that cannot be made."""
    try:
        # Where there is a guard, there is this; else it is what may be missing.
        from .redaction import printable

        lines = traceback.format_exception(
            type(error), error, error.__traceback__, chain=False
        )
        return "\n".join(map(printable, "".join(lines).splitlines()))
    except Exception:
        return None
