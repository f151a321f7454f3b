"""http.client's connections: each is a pool of one, and its own session.

urllib3's connections derive from these. A program that uses urllib3 alone pays for its
connections here, and nothing for its requests: what these run through is wrapped once
the program makes a connection of http.client's own, or sends a request by one.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from ..._model.errors import LeakError, hide_own
from ..._pools.kind import PoolFacts
from ..gate import GATE
from ..sessions import maker
from .client import HTTP_CLIENT, is_urllib
from .responses import connection_class, patch_responses

if TYPE_CHECKING:
    from ..._leases.client import Patcher
    from ..._stacks.capture import RawStack
    from ..patching import Method

_MOST_CLASSES: Final = 256
URL: Final = "_httpguard_url"
# The module of connections that another client guards, whatever package it is copied
# to. Those of urllib3-future do not derive from http.client's.
_GUARDED: Final = ".urllib3.connection"


class Connections:
    """Connections of http.client as pools of one. Implements `PoolKind`."""

    def facts(self, pool: Any) -> PoolFacts:
        """See `PoolKind`. With a tunnel, what is at its end."""
        tunnel = pool._tunnel_host
        secure = getattr(sys.modules["http.client"], "HTTPSConnection", ())
        return PoolFacts(
            scheme="https" if secure and isinstance(pool, secure) else "http",
            host=tunnel or pool.host,
            port=(pool._tunnel_port if tunnel else pool.port) or None,
            block=False,
            maxsize=1,
        )

    def queued(self, pool: Any) -> list[Any]:
        """See `PoolKind`."""
        return [] if self.is_empty(pool) else [pool]

    def is_open(self, connection: Any) -> bool:
        """See `PoolKind`."""
        return connection.sock is not None

    def is_closed(self, pool: Any) -> bool:
        """See `PoolKind`."""
        return pool.sock is None

    def is_empty(self, pool: Any) -> bool:
        """See `PoolKind`. A response without a body has nothing to wait for."""
        space = pool.__dict__
        if space.get("_HTTPConnection__state") != "Idle":
            return True
        response = space.get("_HTTPConnection__response")
        return (
            response is not None
            and response.__dict__.get("fp") is not None
            and response.length != 0
        )

    def missing(self, pool: Any, taken: int) -> int:  # noqa: ARG002
        """See `PoolKind`. It never blocks."""
        return 0

    def is_wait(self, pool: Any, owner: object, name: str) -> bool:  # noqa: ARG002
        """See `PoolKind`."""
        return False

    def is_request(self, pool: Any, owner: object, name: str) -> bool:
        """See `PoolKind`."""
        return owner is pool and name in {"request", "getresponse", "send"}

    def under_way(self, pool: Any) -> list[tuple[object, RawStack]]:  # noqa: ARG002
        """See `PoolKind`."""
        return []

    def refill(self, pool: Any) -> bool | None:  # noqa: ARG002  # It never blocks.
        """See `PoolKind`."""
        return False


CONNECTIONS: Final = Connections()


class _Others(dict[type, bool]):
    """Class of a connection -> whether another client guards what it opens.

    Bounded: a program may make classes without end.
    """

    def __missing__(self, kind: type) -> bool:
        if len(self) >= _MOST_CLASSES:
            self.clear()
        self[kind] = known = any(
            f".{one.__module__}".endswith(_GUARDED) for one in kind.__mro__
        )
        return known


_IS_ANOTHERS: Final = _Others()


def is_left_alone(connection: Any) -> bool:
    """Whether another client guards a connection, or it leads to a page of ours."""
    try:
        if _IS_ANOTHERS[type(connection)]:
            return True
        own, space = GATE.registry.addresses, connection.__dict__
        return bool(own) and (space.get("host"), space.get("port")) in own
    except Exception as error:
        GATE.fault("HTTPConnection", error)
        return True


class _Rest:
    """What is patched later: see the head of this file."""

    def __init__(self) -> None:
        self._patcher: Patcher | None = None
        self.is_on = False
        # Who puts it on, by the number of the process: a fork may leave it half done.
        self._claims: dict[int, object] = {}

    def promise(self, patcher: Patcher) -> None:
        """It is still to be patched, or again after `uninstall`."""
        self._patcher = patcher
        self.is_on = False
        self._claims.clear()

    def put_on(self) -> None:
        """Patch it now. One thread does; no other waits for that."""
        if self.is_on or self._patcher is None:
            return
        claim = object()
        if self._claims.setdefault(os.getpid(), claim) is not claim:
            return
        kind = connection_class()
        self._patcher.wrap(kind, "putrequest", _putrequest)
        self._patcher.wrap(kind, "close", _close)
        patch_responses(self._patcher, CONNECTIONS, is_left_alone, URL)
        self.is_on = True


_REST: Final = _Rest()


def patch(patcher: Patcher) -> None:
    """Patch what `http.client` defines."""
    kind = connection_class()
    _REST.promise(patcher)
    patcher.wrap(kind, "__init__", _init)
    patcher.wrap(kind, "request", _request)


def begin_to_see() -> None:
    """Patch the rest: there may be responses already."""
    _REST.put_on()


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

    def putrequest(self: Any, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
        if GATE.guard is None or is_left_alone(self):
            return wrapped(self, method, url, *args, **kwargs)
        registry = GATE.registry
        if registry.dead or registry.resolved or registry.alert:
            try:
                GATE.before()
            except LeakError as error:
                hide_own(error)
                raise
        result = wrapped(self, method, url, *args, **kwargs)
        try:
            self.__dict__[URL] = url
            known = registry.pools.known.get(id(self))
            if self.sock is None or known is None or known() is not self:
                known = GATE.pool(self, CONNECTIONS, self)
                GATE.took(self, self, fresh=self.sock is None)
            else:
                known.taken.add()  # As `took` does, of one that is open.
            if known is not None and known.owner is not None:
                known.owner.closed = False  # It opens again by itself.
        except Exception as error:
            GATE.fault("putrequest", error)
        return result

    return putrequest


def _close(wrapped: Method) -> Method:
    """A connection is closed, by the program or since the server closes it."""

    def close(self: Any, *args: Any, **kwargs: Any) -> Any:
        GATE.owner_closed(self)
        return wrapped(self, *args, **kwargs)

    return close
