"""requests: whose call it is, and when a response becomes the application's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .._scope import CURRENT_CALL, Call
from ._patch import STATE, Method, wrap

if TYPE_CHECKING:
    from types import FrameType


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
        if hub is None or (
            outer is not None and not outer.done and is_redirect(sys._getframe(1))
        ):
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


def is_redirect(frame: FrameType | None) -> bool:
    """Whether requests itself calls ``Session.send`` again, to follow a redirect.

    The application does too, in response hooks; and a subclass may have a
    ``send`` of its own in between.

    Args:
        frame: The caller's.
    """
    while frame is not None and frame.f_code.co_name == "send":
        frame = frame.f_back
    return frame is not None and frame.f_code.co_name == "resolve_redirects"


def is_for_requests(frame: FrameType | None) -> bool:
    """Whether a response that urllib3 returns inside a call is requests' to read.

    Not where a response hook of the application calls urllib3.

    Args:
        frame: The caller's, most often the one of ``HTTPAdapter.send``.
    """
    while frame is not None:
        name = frame.f_code.co_name
        if name == "send":
            return True
        if name == "dispatch_hook":
            return False
        frame = frame.f_back
    return False
