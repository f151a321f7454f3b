"""requests: whose call it is, and when a response becomes the application's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import LeakError
from .._model.leak import LeakKind
from .._stacks.variables import first_argument
from .forwarding import around
from .gate import GATE
from .patching import Method, code_of, is_wrapped
from .urllib3.callers import CODES, above, is_api, session_above
from .urllib3.client import Urllib3
from .urllib3.compiled import open_lease
from .urllib3.managers import maker
from .urllib3.mocks import holds_real_connection
from .urllib3.responses import hand_over

if TYPE_CHECKING:
    from types import FrameType

    from .._leases.client import Leases, Patcher

# To spare all other responses the look for a Location.
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_HINTS: Final = {
    LeakKind.DROPPED: (
        "open it with `with requests.get(..., stream=True) as response:`, or read"
        " it to its end, before the last reference goes"
    ),
    LeakKind.HELD: (
        "call `close()` when done with it, or open it with `with`; if it is still"
        " needed, say so with `httpguard.touch(response)`"
    ),
    LeakKind.UNRELEASED: (
        "close the requests response itself, not its `.raw`: only that gives the"
        " slot of a blocking pool back"
    ),
    LeakKind.SESSION: (
        "make one Session, use it for all requests, and close it at the end; or"
        " make it with `with requests.Session() as session:`"
    ),
    LeakKind.OPEN: (
        "close it before the scope ends: `with requests.get(..., stream=True) as"
        " response:`"
    ),
}


class Requests(Urllib3):
    """requests: its responses hold connections of urllib3, under its own words."""

    name = "requests"
    imports: tuple[str, ...] = ("requests.sessions",)
    packages: tuple[str, ...] = ("requests",)

    def patch(self, patcher: Patcher, leases: Leases) -> None:  # noqa: ARG002  # GATE.
        """See `Client`."""
        _patch(patcher)

    def hint(self, kind: LeakKind) -> str:
        """See `Client`."""
        return _HINTS[kind]


REQUESTS: Final = Requests()


def _patch(patcher: Patcher) -> None:
    """Patch what `requests.adapters` and `requests.sessions` define."""
    from requests import adapters, sessions
    from urllib3.connectionpool import HTTPConnectionPool

    if not is_wrapped(HTTPConnectionPool._put_conn):
        return  # We failed to patch urllib3: the end of no response would be seen.
    CODES.session_send = code_of(sessions.Session.__dict__["send"])
    CODES.adapter_send = code_of(adapters.HTTPAdapter.__dict__["send"])
    CODES.dispatch_hook = code_of(sessions.dispatch_hook)
    patcher.wrap(adapters.HTTPAdapter, "send", _send)
    patcher.wrap(sessions, "dispatch_hook", _dispatch_hook)
    patcher.wrap(sessions.Session, "__init__", _session_init)
    patcher.wrap(sessions.Session, "close", _session_close)
    CODES.client = REQUESTS
    CODES.settle()


def _send(wrapped: Method) -> Method:
    """``HTTPAdapter.send``: one exchange, its body not yet read."""
    send = around(wrapped, ("self", "request", "stream"), _sent)
    CODES.own_send = send.__code__
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
    guard = GATE.guard
    if guard is not None:
        try:
            frame = sys._getframe(2)
            by_session = frame.f_code is CODES.session_send
            if by_session and not stream:
                return response
            raw: Any = getattr(response, "raw", None)
            swift = guard.registry.swift
            if (
                swift is not None
                and by_session
                and getattr(response, "status_code", None) not in _REDIRECTS
                and open_lease(
                    swift,
                    CODES.world,
                    raw,
                    None,
                    request.method,
                    request.url,
                    frame.f_back or frame,
                    REQUESTS,
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
            hand_over(
                REQUESTS,
                raw,
                raw._pool,
                request.method,
                request.url,
                frame,
                reading=reading,
            )
        except LeakError:
            raise
        except Exception as error:
            guard.step_aside("HTTPAdapter.send", error)
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
    guard = GATE.guard
    if guard is None:
        return
    try:
        raw: Any = getattr(response, "raw", None)
        if holds_real_connection(raw):
            request = getattr(response, "request", None)
            hand_over(
                REQUESTS,
                raw,
                raw._pool,
                getattr(request, "method", None),
                getattr(request, "url", None),
                above(frame),
                raising=raising,
            )
    except LeakError:
        raise
    except Exception as error:
        guard.step_aside("dispatch_hook", error)


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


def _session_init(wrapped: Method) -> Method:
    """A session is made: remember where, unless `requests.get` made it for itself."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        wrapped(self, *args, **kwargs)
        guard = GATE.guard
        if guard is None or not guard.judges_sessions:
            return
        try:
            frame = maker(self, sys._getframe(1))
            # `requests.get` closes the one that it makes for itself.
            if frame is not None and not is_api(frame):
                guard.made(self, REQUESTS, frame)
        except Exception as error:
            guard.step_aside("Session", error)

    return __init__


def _session_close(wrapped: Method) -> Method:
    """A session is closed: what refers to a pool of it keeps that one's sockets."""

    def close(self: Any) -> None:
        GATE.owner_closed(self)
        wrapped(self)

    return close
