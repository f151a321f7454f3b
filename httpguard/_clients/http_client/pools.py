"""Connections of http.client as pools of one, and the hosts of urllib.request.

urllib.request makes a connection for each request, and drops it. A host is a pool of
its own there, whatever connections there are to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..._pools.kind import PoolFacts, PoolKind
from ..gate import GATE
from ..patching import MODULES

if TYPE_CHECKING:
    from ..._pools.pool import PoolRef

# A crawler asks hosts without end.
_MOST_HOSTS: Final = 256

Address = tuple[str, str, int | None]
"""Scheme, name and port."""


class Connections(PoolKind):
    def facts(self, pool: Any) -> PoolFacts:
        return PoolFacts(*address_of(pool), block=False, maxsize=1)

    def queued(self, pool: Any) -> list[Any]:
        return [] if self.is_empty(pool) else [pool]

    def is_open(self, connection: Any) -> bool:
        return connection.sock is not None

    def is_closed(self, pool: Any) -> bool:
        return pool.sock is None

    def is_empty(self, pool: Any) -> bool:
        """A response without a body has nothing to wait for."""
        space = pool.__dict__
        if space.get("_HTTPConnection__state") != "Idle":
            return True
        response = space.get("_HTTPConnection__response")
        return (
            response is not None
            and response.__dict__.get("fp") is not None
            and response.length != 0
        )

    def is_request(self, pool: Any, owner: object, name: str) -> bool:
        return owner is pool and name in {"request", "getresponse", "send"}


class Host:
    """Whatever is at an address."""

    __slots__ = ("__weakref__", "address")

    def __init__(self, address: Address) -> None:
        self.address = address


class Hosts(Connections):
    def __init__(self) -> None:
        self._known: dict[Address, Host] = {}

    def meet(self, address: Address) -> PoolRef | None:
        """Know a host, from here on if need be."""
        host = self._known.get(address)
        if host is None:
            if len(self._known) >= _MOST_HOSTS:
                self._known.clear()
            self._known[address] = host = Host(address)
        known = GATE.registry.pools.known.get(id(host))
        if known is not None and known() is host:
            return known
        return GATE.pool(host, self)

    def facts(self, pool: Host) -> PoolFacts:
        return PoolFacts(*pool.address, block=False, maxsize=1)

    def queued(self, pool: Host) -> list[Any]:  # noqa: ARG002
        """No connection is used twice."""
        return []

    def is_closed(self, pool: Host) -> bool:  # noqa: ARG002
        return False

    def is_empty(self, pool: Host) -> bool:  # noqa: ARG002
        return True


CONNECTIONS: Final = Connections()
HOSTS: Final = Hosts()


def address_of(connection: Any) -> Address:
    """Where a connection leads; with a tunnel, what is at its end."""
    tunnel = connection._tunnel_host
    secure = getattr(MODULES["http.client"], "HTTPSConnection", ())
    return (
        "https" if secure and isinstance(connection, secure) else "http",
        tunnel or connection.host,
        (connection._tunnel_port if tunnel else connection.port) or None,
    )
