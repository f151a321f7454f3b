"""How the pools of a client are asked, and what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from .._model.redaction import printable

if TYPE_CHECKING:
    from .._stacks.raw import RawStack
    from .slot import Slot

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def name_of(scheme: str, host: str, port: int | None) -> str:
    """What a pool is called in reports: without the port where it is the scheme's."""
    host = printable(host)
    host = f"[{host}]" if ":" in host.strip("[]") else host
    if port is None or port == DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{port}"


class PoolFacts(NamedTuple):
    """What is said of a pool in reports.

    Args:
        port: None: the scheme's.
        block: Whether a request waits when all connections are in use.
        maxsize: The connections it keeps.
    """

    scheme: str
    host: str
    port: int | None
    block: bool
    maxsize: int


class PoolKind(Protocol):
    """How a client's pools are asked. As `Client`: no program code, no blocking.

    What is written out here is of pools that never block.
    """

    def facts(self, pool: Any) -> PoolFacts:
        """What is said of it in reports."""

    def queued(self, pool: Any) -> list[Any]:
        """The connections that wait in it: none in a closed one."""

    def is_open(self, connection: Any) -> bool:
        """Whether a connection has a socket."""

    def is_closed(self, pool: Any) -> bool:
        """Whether the program has closed it."""

    def is_empty(self, pool: Any) -> bool:
        """Whether it has nothing to give."""

    def missing(self, pool: Any, taken: int) -> int:
        """The slots that nobody has any more, by what it tells; 0 where it loses none.

        `taken` are those that responses and requests under way have.
        """
        return 0

    def is_wait(self, pool: Any, owner: object, name: str) -> bool:
        """Whether a call waits for a connection of the pool. As of `is_request`."""
        return False

    def is_request(self, pool: Any, owner: object, name: str) -> bool:
        """Whether a function, called with the owner first, works with a connection."""
        return False

    def under_way(self, pool: Any) -> list[tuple[object, RawStack]]:
        """Connection and stack of the requests of tasks that have no answer yet.

        Those of threads are found by `is_request`. Asked of a pool that has starved.
        """
        return []

    def refill(self, pool: Any, slot: Slot) -> bool | None:
        """Give a lost slot back to it, which is what the lost response had of it.

        None: another thread has its hand on the pool, so that this has to wait. False:
        somebody has made up for the slot already.
        """
        return False
