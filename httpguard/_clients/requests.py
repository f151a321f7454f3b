"""requests: whose call it is, and when a response becomes the application's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import LeakError
from .._stacks.variables import first_argument
from .forwarding import around
from .gate import GATE
from .hints import requests_hint
from .hooks import build_response, dispatch_hook
from .losing import ADAPTER, blame, note_retries
from .patching import Method, code_of, is_wrapped
from .urllib3.callers import CODES, above, is_api, session_above
from .urllib3.client import Urllib3
from .urllib3.compiled import open_lease
from .urllib3.managers import maker
from .urllib3.mocks import holds_real_connection
from .urllib3.responses import hand_over

if TYPE_CHECKING:
    from types import FrameType

    from .._leases.client import Facts, Leases, Patcher
    from .._stacks.capture import RawStack

# To spare all other responses the look for a Location.
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Requests(Urllib3):
    """requests: its responses hold connections of urllib3, under its own words."""

    name = "requests"
    imports: tuple[str, ...] = ("requests.sessions",)
    packages: tuple[str, ...] = ("requests",)

    def patch(self, patcher: Patcher, leases: Leases) -> None:  # noqa: ARG002  # GATE.
        """See `Client`."""
        _patch(patcher)

    def hint(self, facts: Facts) -> str:
        """See `Client`."""
        return requests_hint(facts)


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
    patcher.wrap(adapters.HTTPAdapter, "build_response", build_response)
    patcher.wrap_overrides(adapters.HTTPAdapter, {"build_response": build_response})
    patcher.wrap(sessions, "dispatch_hook", dispatch_hook)
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
            if guard.registry.leases:
                note_retries(guard.registry, request.url, frame)
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
            place: RawStack = ()
            if not by_session:
                frame, reading, place = _caller(frame, stream=stream)
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
            # Until the session has it.
            blame(guard.registry.get(raw._connection, raw), place, ADAPTER)
        except LeakError:
            raise
        except Exception as error:
            guard.step_aside("HTTPAdapter.send", error)
    return response


def _caller(frame: FrameType, *, stream: Any) -> tuple[FrameType, bool, RawStack]:
    """Of an adapter's ``send`` that no session has called itself.

    Args:
        frame: Of whoever called.
        stream: As ``send`` was called with.

    Returns:
        The innermost frame to keep; whether requests is going to read the body; and
        the place of an adapter of the application's own, which may lose the response.
    """
    session = session_above(frame)
    if session is None:
        return frame, False, ()
    place = (frame.f_code, frame.f_lasti)
    # An adapter between the two may forget what requests would read. Else it is no
    # place to look at: all calls pass it.
    return (above(session), False, place) if stream else (frame, True, place)


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
