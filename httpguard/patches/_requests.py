"""requests: whose call it is, and when a response becomes the application's."""

from __future__ import annotations

import sys
from typing import Any

from .._scope import CURRENT_CALL, Call
from ._patch import STATE, Method, wrap


def apply() -> None:
    """Patch what `requests.sessions` defines."""
    from requests.sessions import Session

    wrap(Session, "send", _send)


def _send(wrapped: Method) -> Method:
    """A whole call, redirects and retries included.

    Without ``stream=True`` requests reads the body before it returns, so that
    no lease is needed; what still holds a connection then is handed over.
    """

    def send(self: Any, *args: Any, **kwargs: Any) -> Any:
        hub = STATE.hub
        outer = CURRENT_CALL.get()
        if hub is None or (outer is not None and not outer.done):
            return wrapped(self, *args, **kwargs)
        hub.before_request()
        call = Call()
        call.done = False
        token = CURRENT_CALL.set(call)
        result = None
        failed = True
        try:
            result = wrapped(self, *args, **kwargs)
            failed = False
        finally:
            CURRENT_CALL.reset(token)
            call.done = True
            for response in call:
                if response._connection is not None:
                    request = args[0] if args else kwargs.get("request")
                    frame = sys._getframe(1)
                    hub.settle(call, result, request, frame, failed=failed)
                    break
        return result

    return send
