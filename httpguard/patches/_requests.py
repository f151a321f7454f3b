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
        registry = hub.registry
        if registry.dead or registry.resolved or hub.alert:
            hub.before_request()
        call = Call()
        call.done = False
        token = CURRENT_CALL.set(call)
        result = error = None
        try:
            result = wrapped(self, *args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            CURRENT_CALL.reset(token)
            call.done = True
            for response in call:
                if response._connection is not None and _was_handed_out(error):
                    request = args[0] if args else kwargs.get("request")
                    hub.settle(call, result, request, error, sys._getframe(1))
                    break
            # What a traceback keeps of this frame shall keep nothing alive.
            call.clear()
            error = None
        try:
            return result
        finally:
            del result

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


def _was_handed_out(error: BaseException | None) -> bool:
    """Whether a failed call had handed its responses to the application.

    A response hook gets them before the body is read, and may raise. Otherwise
    requests failed to read a body, and nobody else had the response in hands.

    Args:
        error: What the call raised; None: it returned.
    """
    traceback = error.__traceback__ if error is not None else None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name == "dispatch_hook":
            return True
        traceback = traceback.tb_next
    return error is None
