"""JSON logs by structlog: a leak's line carries the request id it was opened under.

The service binds a request id for each request that it handles. The second request
leaks; that is found while the third is handled, and the report still says r-2.
httpguard takes structlog as the program has configured it.

Run:  python examples/structlog_json.py
"""

from __future__ import annotations

import requests
import structlog
from _server import serve
from structlog.contextvars import bound_contextvars, merge_contextvars

import httpguard

log = structlog.get_logger()


def handle(url: str, session: requests.Session) -> None:
    """A handler as it should be."""
    with session.get(url, stream=True, timeout=5) as upstream:
        log.info("handled", status=upstream.status_code)


def handle_leaky(url: str, session: requests.Session) -> None:
    """A handler that forgets its upstream response."""
    upstream = session.get(url, stream=True, timeout=5)  # LEAK
    log.info("handled", status=upstream.status_code)


def main() -> None:
    """Handle three requests."""
    structlog.configure(
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ]
    )
    httpguard.install()
    session = requests.Session()
    with serve() as url:
        for number, handler in enumerate((handle, handle_leaky, handle), 1):
            with bound_contextvars(request_id=f"r-{number}"):
                handler(url, session)


if __name__ == "__main__":
    main()
