"""To the standard library's logger ``httpguard``, rendered by structlog."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from ._structlog import flat_fields
from ._text import render

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from ._event import Event

LOGGER_NAME: Final = "httpguard"


def report(event: Event) -> None:
    """Log the event as one readable text.

    Without any logging set-up the standard library's last resort prints it on
    stderr. The fields travel on the record as its attribute ``httpguard``.

    Args:
        event: Any event.
    """
    import structlog

    # Not cached by structlog: an application may configure it at any time.
    logger = structlog.wrap_logger(
        logging.getLogger(LOGGER_NAME),
        processors=[_to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    log = logger.error if event.error else logger.warning
    log(event.name, rendered=event)


def _to_record(
    _logger: Any, _method: str, fields: MutableMapping[str, Any]
) -> tuple[tuple[str, str], dict[str, Any]]:
    """The last processor: the arguments of the standard library's call.

    The text is an argument, so that a percent sign in a URL is left alone.
    """
    event: Event = fields["rendered"]
    extra = {"event": event.name, **event.context, **flat_fields(event)}
    return ("%s", render(event)), {"extra": {"httpguard": extra}}
