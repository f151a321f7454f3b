"""What a worker of gunicorn serves: each request asks for a part of the schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .settings import install, orders

if TYPE_CHECKING:
    from collections.abc import Callable

_ORDERS = orders()
install(_ORDERS)

from .sync_steps import SyncSteps  # noqa: E402  # As a service: the guard comes first.

STEPS = SyncSteps(_ORDERS)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Run the lines of the part whose number is the path."""
    STEPS.do(int(environ["PATH_INFO"].strip("/")))
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
