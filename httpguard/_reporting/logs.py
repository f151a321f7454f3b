"""To the application's logs, whichever it uses."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._model.event import Event


def report(event: Event) -> None:
    """Log an event.

    Through structlog's chain if the application has configured it, else to the
    standard library's logger ``httpguard``.

    Args:
        event: Any event.

    Raises:
        Exception: Whatever the application's processors or handlers raise. An
            event that its structlog chain refuses has gone to the standard
            library's logger before.
    """
    from . import logging

    if not is_structlog_configured():
        logging.report(event)
        return
    try:
        from . import structlog

        structlog.report(event)
    except Exception:
        logging.report(event)
        raise


def is_structlog_configured() -> bool:
    """Whether the application has set structlog up."""
    # Half made while another thread imports it.
    configured = getattr(sys.modules.get("structlog"), "is_configured", None)
    return configured is not None and bool(configured())


def preload() -> None:
    """Import now what is otherwise imported at the first report."""
    import structlog  # noqa: F401

    from . import logging  # noqa: F401
