"""requests: whose call it is, and when a response becomes the application's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .._scope import CURRENT_CALL, Call
from ._patch import STATE, wrap

if TYPE_CHECKING:
    from collections.abc import Callable


def apply() -> None:
    """Patch what `requests.sessions` defines."""
    from requests.sessions import Session

    wrap(Session, "send", _send)


def _send(
    wrapped: Callable[..., Any],
    _session: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """A whole call, redirects and retries included.

    Without ``stream=True`` requests reads the body before it returns, so that
    no lease is needed; what still holds a connection then is handed over.
    """
    hub = STATE.hub
    outer = CURRENT_CALL.get()
    if hub is None or (outer is not None and not outer.done):
        return wrapped(*args, **kwargs)
    hub.before_request()
    call = Call()
    token = CURRENT_CALL.set(call)
    result = None
    failed = True
    try:
        result = wrapped(*args, **kwargs)
        failed = False
    finally:
        CURRENT_CALL.reset(token)
        call.done = True
        if call:
            request = args[0] if args else kwargs.get("request")
            hub.settle(call, result, request, sys._getframe(1), failed=failed)
            call.clear()
    return result
