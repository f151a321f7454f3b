"""requests: whose call it is, and when a response becomes the application's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import LeakError
from .._stacks.variables import UNREADABLE, first_argument, variable
from .compiled import open_lease
from .forwarding import around
from .patching import STATE, Method, code_of, is_wrapped, wrap
from .urllib3.mocks import holds_real_connection

if TYPE_CHECKING:
    from types import FrameType

# To spare all other responses the look for a Location.
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def apply() -> None:
    """Patch what `requests.adapters` and `requests.sessions` define."""
    from requests import adapters, sessions
    from urllib3.connectionpool import HTTPConnectionPool

    if not is_wrapped(HTTPConnectionPool._put_conn):
        return  # We failed to patch urllib3: the end of no response would be seen.
    STATE.session_send = code_of(sessions.Session.__dict__["send"])
    STATE.adapter_send = code_of(adapters.HTTPAdapter.__dict__["send"])
    STATE.dispatch_hook = code_of(sessions.dispatch_hook)
    wrap(adapters.HTTPAdapter, "send", _send)
    wrap(sessions, "dispatch_hook", _dispatch_hook)
    STATE.settle()


def _send(wrapped: Method) -> Method:
    """``HTTPAdapter.send``: one exchange, its body not yet read."""
    send = around(wrapped, ("self", "request", "stream"), _sent)
    STATE.own_send = send.__code__
    return send


def _sent(_adapter: Any, request: Any, stream: Any, response: Any) -> Any:
    """An adapter got an answer.

    Called by ``Session.send``, without ``stream=True``, requests reads the body
    before anybody sees the response, so that no lease is needed.

    Args:
        request: What was sent.
        stream: As ``send`` was called with.
        response: What it returns.
    """
    hub = STATE.hub
    if hub is not None:
        try:
            frame = sys._getframe(2)
            by_session = frame.f_code is STATE.session_send
            if by_session and not stream:
                return response
            raw: Any = getattr(response, "raw", None)
            swift = hub.registry.swift
            if (
                swift is not None
                and by_session
                and getattr(response, "status_code", None) not in _REDIRECTS
                and open_lease(
                    swift,
                    STATE.world,
                    raw,
                    None,
                    request.method,
                    request.url,
                    frame.f_back or frame,
                    "requests",
                )
            ):
                return response
            if not holds_real_connection(raw):
                return response
            reading = False
            if not by_session:
                session = session_above(frame)
                # An adapter of the application's own, between the two, may
                # forget what requests would read. Else it is no place to
                # look at: all calls pass it.
                reading = session is not None and not stream
                if session is not None and stream:
                    frame = above(session)
            elif (
                raw.status in _REDIRECTS
                and response.is_redirect
                and _is_followed(frame)
            ):
                return response
            else:
                frame = frame.f_back or frame
            hub.registry.add(
                raw,
                raw._pool,
                request.method,
                request.url,
                frame,
                "requests",
                reading=reading,
            )
        except LeakError:
            raise
        except Exception as error:
            hub.step_aside("HTTPAdapter.send", error)
    return response


def _dispatch_hook(wrapped: Method) -> Method:
    """``dispatch_hook``: a response hook gets the response before it is read.

    Where the hook raises, or puts another response in its place, nobody else
    will read it.
    """

    def dispatch_hook(key: Any, hooks: Any, hook_data: Any, **kwargs: Any) -> Any:
        if not (hooks and hooks.get(key)):
            # The other arguments are for the hooks alone.
            return wrapped(key, hooks, hook_data)
        try:
            result = wrapped(key, hooks, hook_data, **kwargs)
        except BaseException:
            _give_up(hook_data, sys._getframe(1), raising=False)
            # What a traceback keeps of this frame shall keep nothing alive.
            del hook_data
            raise
        if result is not hook_data:
            _give_up(hook_data, sys._getframe(1), raising=True)
        return result

    return dispatch_hook


def _give_up(response: Any, frame: FrameType, *, raising: bool) -> None:
    """Requests is not going to read this one."""
    hub = STATE.hub
    if hub is None:
        return
    try:
        raw: Any = getattr(response, "raw", None)
        if holds_real_connection(raw):
            request = getattr(response, "request", None)
            hub.registry.add(
                raw,
                raw._pool,
                getattr(request, "method", None),
                getattr(request, "url", None),
                above(frame),
                "requests",
                reading=False,
                raising=raising,
            )
    except LeakError:
        raise
    except Exception as error:
        hub.step_aside("dispatch_hook", error)


def session_above(frame: FrameType | None) -> FrameType | None:
    """The call of ``Session.send`` for which a request is made, or None.

    None where a response hook of the application makes a request of its own.

    Args:
        frame: The innermost.
    """
    while frame is not None and STATE.session_send is not None:
        if frame.f_code is STATE.session_send:
            return frame
        if frame.f_code is STATE.dispatch_hook:
            return None
        frame = frame.f_back
    return None


def above(session: FrameType) -> FrameType:
    """Who called ``Session.send``: it has nothing to say itself."""
    return session.f_back or session


def reads_body(session: FrameType) -> bool:
    """Whether requests reads the body before it returns: no ``stream=True``.

    Args:
        session: The frame of ``Session.send``.
    """
    stream = variable(session, "stream")
    # Where that is not known, the application is not blamed for what requests left.
    return stream is UNREADABLE or not stream


def _is_followed(frame: FrameType) -> bool:
    """Whether requests' own code reads and closes a redirect, followed or not.

    Not where a session decides by itself what a redirect is.

    Args:
        frame: Of ``Session.send``.
    """
    from requests.sessions import SessionRedirectMixin

    session = type(first_argument(frame))
    return all(
        getattr(session, name, None) is getattr(SessionRedirectMixin, name)
        for name in ("get_redirect_target", "resolve_redirects")
    )
