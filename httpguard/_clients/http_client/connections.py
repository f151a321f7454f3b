"""http.client's connections: each is a pool of one, and its own session.

urllib3's connections derive from these. A program that uses urllib3 alone pays for its
connections here, and nothing for its requests: what these run through is wrapped once
the program makes a connection of http.client's own, or sends a request by one.

And what of all this was there before httpguard came.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ..._model.errors import LeakError, hide_own
from ..gate import GATE
from ..patching import MODULES, Later, is_wrapped
from ..sessions import closing, maker
from ..urllib3.mocks import Classes
from .client import HTTP_CLIENT, LENGTH, URLLIB_REQUEST, is_urllib
from .pools import CONNECTIONS, HOSTS, address_of
from .responses import COUNTING, URL, connection_class, is_real, patch_responses

if TYPE_CHECKING:
    from types import FrameType

    from ..._pools.pool import PoolRef
    from ..patching import Adopters, Method, Patcher
    from .client import HttpClient

# From a request's caller down to its first line.
_MOST_FRAMES: Final = 4
# The module of connections that another client guards, whatever package it is copied
# to. Those of urllib3-future do not derive from http.client's.
_GUARDED: Final = ".urllib3.connection"


_IS_ANOTHERS: Final = Classes(
    lambda kind: any(f".{one.__module__}".endswith(_GUARDED) for one in kind.__mro__)
)
"""Class of a connection -> whether another client guards what it opens."""


def is_left_alone(connection: Any) -> bool:
    """Whether another client guards a connection, or it leads to a page of ours."""
    try:
        if _IS_ANOTHERS[type(connection)]:
            return True
        own = GATE.registry.addresses
        if not own:
            return False
        space = connection.__dict__
        return (space.get("host"), space.get("port")) in own
    except Exception as error:
        GATE.fault("HTTPConnection", error)
        return True


def _patch_rest(patcher: Patcher) -> None:
    """See the head of this file."""
    kind = connection_class()
    patcher.wrap(kind, "putrequest", _putrequest)
    patcher.wrap(kind, "close", closing)
    patch_responses(patcher, is_left_alone)
    # It has done all that it was there for.
    patcher.unwrap(kind, "request")


_REST: Final = Later(_patch_rest)


def patch(patcher: Patcher) -> None:
    MODULES.note("http.client")
    kind = connection_class()
    _REST.promise(patcher)
    patcher.wrap(kind, "__init__", _init)
    patcher.wrap(kind, "request", _request)


def _init(wrapped: Method) -> Method:
    """A connection is made: remember where, unless urllib.request makes it."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        wrapped(self, *args, **kwargs)
        guard = GATE.guard
        if guard is None or is_left_alone(self):
            return
        try:
            _REST.put_on()
            frame = maker(self, sys._getframe(1)) if guard.judges_sessions else None
            if frame is not None and not is_urllib(frame):
                # Lonely: to make one for each request is what people do here.
                guard.made(self, HTTP_CLIENT, frame, lonely=True)
        except Exception as error:
            guard.step_aside("HTTPConnection", error)

    return __init__


def _request(wrapped: Method) -> Method:
    """A connection that was made before `install` may have its first request."""

    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        guard = None if _REST.is_on else GATE.guard
        if guard is not None and not is_left_alone(self):
            try:
                _REST.put_on()
            except Exception as error:
                guard.step_aside("HTTPConnection", error)
        try:
            return wrapped(self, *args, **kwargs)
        except LeakError as error:
            hide_own(error)
            raise

    return request


def _putrequest(wrapped: Method) -> Method:
    """A request begins, by whatever way."""

    def putrequest(
        self: Any,
        method: Any,
        url: Any,
        skip_host: Any = False,  # noqa: FBT002  # As http.client has it.
        skip_accept_encoding: Any = False,  # noqa: FBT002
    ) -> Any:
        if GATE.guard is None or is_left_alone(self):
            return wrapped(self, method, url, skip_host, skip_accept_encoding)
        registry = GATE.registry
        if registry.dead or registry.alert:
            try:
                GATE.before()
            except LeakError as error:
                hide_own(error)
                raise
        result = wrapped(self, method, url, skip_host, skip_accept_encoding)
        try:
            self.__dict__[URL] = url
            known = registry.pools.known.get(id(self))
            if self.sock is None or known is None or known() is not self:
                known = _takes(self, known, sys._getframe(1))
            else:
                known.taken.add()  # As `took` does, of one that is open.
            if known is not None and known.owner is not None:
                known.owner.closed = False  # It opens again by itself.
        except Exception as error:
            GATE.fault("putrequest", error)
        return result

    return putrequest


def _takes(
    connection: Any, known: PoolRef | None, frame: FrameType | None
) -> PoolRef | None:
    """A request opens its connection, or has one that was not seen before."""
    for _ in range(_MOST_FRAMES):
        if frame is None or known is not None:
            break
        if is_urllib(frame):
            known = HOSTS.meet(address_of(connection))
            if known is not None and GATE.guard is not None:
                known.taken.add()
                known.connected.add()
                known.peak = known.peak or 1
                GATE.guard.opened()
            return known
        frame = frame.f_back
    known = GATE.pool(connection, CONNECTIONS, connection)
    GATE.took(connection, connection, fresh=connection.sock is None)
    return known


def adopters() -> Adopters:
    module = sys.modules.get("http.client")
    if module is None or not is_wrapped(connection_class().__dict__["request"]):
        return {}
    _REST.put_on()
    return {connection_class(): _adopt_of, module.HTTPResponse: _adopt_left}


def _adopt_of(connection: Any) -> None:
    """A connection's response, if it is no other client's."""
    if is_left_alone(connection):
        return
    response = connection.__dict__.get("_HTTPConnection__response")
    if response is not None and _holds(response):
        known = GATE.pool(connection, CONNECTIONS)
        _adopt(HTTP_CLIENT, response, known, connection._method)


def _adopt_left(response: Any) -> None:
    """A response to which urllib.request has given its URL, as nobody else does."""
    url = response.__dict__.get("url")
    if isinstance(url, str) and _holds(response):
        parts = urlsplit(url)
        host = parts.scheme, parts.hostname or "unknown", parts.port
        method = getattr(response, "_method", None)
        _adopt(URLLIB_REQUEST, response, HOSTS.meet(host), method, url)


def _adopt(
    client: HttpClient, response: Any, known: PoolRef | None, method: Any, url: str = ""
) -> None:
    facts = {"method": method or "", "url": url, "status": response.status}
    GATE.adopt(client, response, response, known, length=None, **facts)


def _holds(response: Any) -> bool:
    """Whether a response holds a socket; if so, its reads are counted from here on."""
    if response.length == 0 or not is_real(response):
        return False
    if response.length is None:
        COUNTING.put_on()
    response.__dict__.setdefault(LENGTH, response.length)
    return True
