"""requests: whose call it is, and when a response becomes the application's."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import LeakError
from .._stacks.raw import code_of
from .._stacks.variables import first_argument
from . import undecodable
from .forwarding import around
from .gate import GATE
from .hints import requests_hint
from .hooks import build_response, dispatch_hook
from .importlib_bootstrap import made
from .losing import ADAPTER, HOOK, blame, note_retries, place_of_callable, stop_reading
from .patching import Method, Package, is_wrapped
from .sessions import closing
from .urllib3.callers import CODES, above, is_api, session_above
from .urllib3.client import Urllib3
from .urllib3.mocks import holds_real_connection
from .urllib3.package import adopt_response, is_itself, pools_of
from .urllib3.pools import POOLS
from .urllib3.responses import hand_over, lend_lost

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from .._stacks.raw import Place
    from .patching import Adopters, Patcher
    from .urllib3.callers import Codes

# To spare all other responses the look for a Location.
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Requests(Urllib3):
    """requests: its responses hold connections of urllib3, under its own words."""

    def __init__(self, name: str, codes: Codes) -> None:
        super().__init__(name, codes.urllib3.name)
        self.codes = codes

    hint = staticmethod(requests_hint)


def requests_package(name: str, codes: Codes) -> Package:
    client = Requests(name, codes)
    patch, adopters = partial(_patch, client=client), partial(_adopters, client)
    return Package(name, (f"{name}.sessions",), (name,), patch, adopters)


def _adopters(client: Requests) -> Adopters:
    sessions = sys.modules.get(f"{client.name}.sessions")
    if sessions is None or not is_wrapped(sessions.Session.close):
        return {}
    return {
        sessions.Session: partial(adopt_session, client=client),
        sessions.Response: partial(adopt_answer, client=client),
    }


def _patch(patcher: Patcher, *, client: Requests) -> None:
    codes = client.codes
    if not is_itself(f"{client.name}.sessions"):
        return  # Another name of one that is guarded.
    adapters = import_module(f"{client.name}.adapters")
    sessions = import_module(f"{client.name}.sessions")
    below = import_module(f"{codes.urllib3.name}.connectionpool")
    if not is_wrapped(below.HTTPConnectionPool._put_conn):
        return  # We failed to patch urllib3: the end of no response would be seen.
    codes.session_send = code_of(sessions.Session.__dict__["send"])
    codes.adapter_send = code_of(adapters.HTTPAdapter.__dict__["send"])
    codes.dispatch_hook = code_of(sessions.dispatch_hook)
    building = partial(build_response, codes=codes)
    patcher.wrap(adapters.HTTPAdapter, "send", partial(_send, client=client))
    if adapters.HTTPAdapter.build_response.__module__ != adapters.__name__:
        # requests' own neither raises nor hands out another.
        patcher.wrap(adapters.HTTPAdapter, "build_response", building)
    patcher.wrap_overrides(adapters.HTTPAdapter, {"build_response": building})
    patcher.wrap(sessions, "dispatch_hook", partial(dispatch_hook, codes=codes))
    undecodable.patch(patcher, codes)
    note = partial(_note_session, client=client)
    patcher.wrap(sessions.Session, "__init__", made("Session", note))
    patcher.wrap(sessions.Session, "close", closing)
    codes.client = client


def _send(wrapped: Method, *, client: Requests) -> Method:
    """``HTTPAdapter.send``: one exchange, its body not yet read."""
    send = around(wrapped, ("self", "request", "stream"), _sent(client))
    client.codes.own_send = send.__code__
    return send


def _sent(client: Requests) -> Callable[[Any, Any, Any, Any], Any]:
    """What is done where an adapter got an answer.

    Called by ``Session.send``, without ``stream=True``, requests reads the body
    before anybody sees the response, so that no lease is needed.
    """
    codes = client.codes

    def sent(_adapter: Any, request: Any, stream: Any, response: Any) -> Any:
        guard = GATE.guard
        if guard is None:
            return response
        try:
            frame = sys._getframe(2)
            if GATE.registry.leases:
                note_retries(GATE.registry, request.url, frame)
            if frame.f_code is not codes.session_send:
                _look_at(client, request, response, frame, stream=stream)
            elif getattr(response, "status_code", None) in _REDIRECTS:
                _redirected(client, request, response, frame, stream=stream)
            elif stream:
                raw, caller = getattr(response, "raw", None), frame.f_back or frame
                hand_over(client, raw, None, request.method, request.url, caller)
        except LeakError:
            raise
        except Exception as error:
            guard.step_aside("HTTPAdapter.send", error)
        return response

    return sent


def _redirected(
    client: Requests, request: Any, response: Any, frame: FrameType, *, stream: Any
) -> None:
    """A session has got a redirect, which it reads if it follows it."""
    raw: Any = getattr(response, "raw", None)
    if not stream or (
        holds_real_connection(raw) and response.is_redirect and _is_followed(frame)
    ):
        _note_misled(client, request, response, frame)
    else:
        hand_over(client, raw, None, request.method, request.url, above(frame))


def _look_at(
    client: Requests, request: Any, response: Any, frame: FrameType, *, stream: Any
) -> None:
    """Somebody else than a session has called an adapter's ``send``."""
    registry = GATE.registry
    raw: Any = getattr(response, "raw", None)
    session = session_above(frame, client.codes)
    frame, reading, place = _caller(frame, session, stream=stream)
    hand_over(client, raw, None, request.method, request.url, frame, reading=reading)
    if place and holds_real_connection(raw):
        # Until the session has it.
        registry.suspects = True
        blame(registry.get(raw._connection, raw), place, ADAPTER)
    if session and getattr(response, "status_code", None) in _REDIRECTS:
        _note_misled(client, request, response, session)


def _note_misled(
    client: Requests, request: Any, response: Any, session: FrameType
) -> None:
    """A redirect whose location requests cannot read: it raises and leaves the body."""
    raw = response.raw
    location = response.headers.get("location")
    if (
        type(location) is not str
        or _is_readable(location)
        or not _is_followed(session)
        or not holds_real_connection(raw)
    ):
        return
    registry, caller = GATE.registry, above(session)
    lease = registry.get(raw._connection, raw)
    lease = lease or lend_lost(client, raw, request, caller)
    stop_reading(registry, lease, caller)
    kind: Any = type(first_argument(session))
    # As a hook that raises: one before it may read the body.
    blame(lease, place_of_callable(kind.get_redirect_target, registry.origins), HOOK)


def _is_readable(location: str) -> bool:
    """Whether requests, which wants UTF-8, can read the header of a redirect."""
    try:
        location.encode("latin1").decode()
    except UnicodeError:
        return False
    return True


def _caller(
    frame: FrameType, session: FrameType | None, *, stream: Any
) -> tuple[FrameType, bool, Place]:
    """Of an adapter's ``send`` that no session has called itself.

    Returns the innermost frame to keep; whether requests is going to read the body; and
    the place of an adapter of the application's own, which may lose the response.
    """
    if session is None:
        return frame, False, ()
    place = (frame.f_code, frame.f_lasti)
    # An adapter between the two may forget what requests would read. Else it is no
    # place to look at: all calls pass it.
    return (above(session), False, place) if stream else (frame, True, place)


def _is_followed(frame: FrameType) -> bool:
    """Whether requests' own ``send`` reads and closes a redirect, followed or not.

    Not where a session decides by itself what a redirect is.
    """
    known = frame.f_globals["SessionRedirectMixin"]
    session = type(first_argument(frame))
    return all(
        getattr(session, name, None) is getattr(known, name)
        for name in ("get_redirect_target", "resolve_redirects")
    )


def _note_session(session: Any, frame: FrameType, *, client: Requests) -> None:
    """A session is made: remember where. `requests.get` closes its own."""
    if not is_api(frame):
        GATE.session(session, client, frame)


PACKAGE: Final = requests_package("requests", CODES)


def adopt_answer(response: Any, client: Urllib3) -> None:
    """A response of requests, around one of urllib3 that may be adopted already.

    Subclasses may have properties: its own variables are looked at.
    """
    space = vars(response)
    raw, request = space.get("raw"), space.get("request")
    method, url = getattr(request, "method", None), getattr(request, "url", None)
    lease = GATE.registry.leases.get(id(getattr(raw, "_connection", None)))
    if lease is None or lease() is not raw:
        adopt_response(raw, client, method, url)
    elif lease.adopted:
        lease.client = client
        lease.method, lease.url = str(method or lease.method), str(url or lease.url)


def adopt_session(session: Any, client: Urllib3) -> None:
    """A session, whose adapters have the pools."""
    pools = []
    for adapter in list(vars(session).get("adapters", {}).values()):
        space = getattr(adapter, "__dict__", {})
        managers = [space.get("poolmanager"), *space.get("proxy_manager", {}).values()]
        pools += [(pool, POOLS) for one in managers for pool in pools_of(one)]
    GATE.adopt_session(session, client, pools)
