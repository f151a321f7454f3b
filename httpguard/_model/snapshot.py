"""What is open and what was counted, as frozen values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime  # noqa: TC003  # For typing.get_type_hints.
from typing import Any, Final

from .leak import Frame, Leak  # noqa: TC001  # As datetime.
from .plain import as_html, to_plain


@dataclass(frozen=True, slots=True)
class OpenResponse:
    """A response that holds its connection now. Fields as in `Leak`.

    Args:
        allowed: The reason given to `allow` when it was opened, or None.
        opened: When it was opened, UTC.
    """

    site: Frame
    stack: tuple[Frame, ...]
    method: str
    url: str
    status: int
    client: str
    pool: str
    thread: str
    opened: datetime
    age: float
    idle: float
    bytes_read: int
    length: int | None
    allowed: str | None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return to_plain(self)


@dataclass(frozen=True, slots=True)
class PoolUse:
    """One connection pool, and how well its size fits. Figures since `install`.

    Args:
        name: Scheme, host and port, as in `Leak.pool`.
        maxsize: The connections it keeps.
        block: Whether a request waits when they are all in use.
        open: Responses that hold one of its connections now.
        lost: Slots of a blocking pool that leaks have taken, less those that
            were given back (`reclaimed`).
        in_use: Connections that requests and open responses hold now.
        peak: The most that were in use at once.
        idle: Open connections that wait in the pool for the next request.
        connected: Connections opened.
        reused: Requests that found an open connection in the pool.
        reuse_rate: The share of requests, 0 to 1, that did; 0 before the first.
        discarded: Connections closed because the pool was full when they came
            back.
        waiting: Requests that wait for a connection now.
        waited: Requests that had to wait for one.
        wait_total: How long these waited together, in seconds.
        wait_max: The longest of these waits, in seconds.
        reclaimed: Lost slots that ``reclaim`` gave back.
    """

    name: str
    maxsize: int
    block: bool
    open: int
    lost: int
    in_use: int = 0
    peak: int = 0
    idle: int = 0
    connected: int = 0
    reused: int = 0
    reuse_rate: float = 0.0
    discarded: int = 0
    waiting: int = 0
    waited: int = 0
    wait_total: float = 0.0
    wait_max: float = 0.0
    reclaimed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return to_plain(self)


@dataclass(frozen=True, slots=True, eq=False)
class Counters(Mapping[str, int]):
    """What was counted since `install`: ``counters["leaks"]``, ``counters.leaks``.

    A mapping that has every key, 0 where nothing is installed. From `connected` to
    `reclaimed` they are of all pools, those that are gone too.

    Args:
        opened: Leases.
        released: Those that ended with the connection given back.
        closed: Those that ended with the connection closed.
        dropped: Leaks of the kind, as the four that follow.
        held: See `LeakKind`.
        unreleased: See `LeakKind`.
        open: See `LeakKind`.
        session: See `LeakKind`.
        leaks: The leaks of all kinds.
        resolved: Leaks that ended well after all.
        excused: Would-be leaks under `allow` or ``ignore``.
        connected: As in `PoolUse`.
        reused: As in `PoolUse`.
        discarded: As in `PoolUse`.
        waited: As in `PoolUse`.
        reclaimed: As in `PoolUse`.
        too_many_open: Times that more than ``max_open`` responses were open.
        pool_starved: Times that a pool had a request wait for longer than
            ``max_wait``.
        held_closed: Responses that ``on_held="close"`` closed.
        errors: Times that httpguard failed inside and stepped aside.
    """

    opened: int = 0
    released: int = 0
    closed: int = 0
    dropped: int = 0
    held: int = 0
    unreleased: int = 0
    open: int = 0
    session: int = 0
    leaks: int = 0
    resolved: int = 0
    excused: int = 0
    connected: int = 0
    reused: int = 0
    discarded: int = 0
    waited: int = 0
    reclaimed: int = 0
    too_many_open: int = 0
    pool_starved: int = 0
    held_closed: int = 0
    errors: int = 0

    def __getitem__(self, name: str) -> int:
        """One of them."""
        if name not in _COUNTED:
            raise KeyError(name)
        number: int = getattr(self, name)
        return number

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return iter(_COUNTED)

    def __len__(self) -> int:
        """How many there are."""
        return len(_COUNTED)

    def __hash__(self) -> int:
        """Of the numbers; equal to every mapping with the same items."""
        return hash(tuple(self.values()))

    def to_dict(self) -> dict[str, int]:
        """The same as a dict."""
        return dict(self)


_COUNTED: Final = tuple(each.name for each in fields(Counters))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is open, what leaked, and the counters, at one moment.

    Args:
        leaks: One for each kind and site, the most frequent first.
        open: The responses that hold a connection, the oldest first.
        counters: Whole numbers since `install`.
        pools: The pools in use, by name.
    """

    leaks: tuple[Leak, ...] = ()
    open: tuple[OpenResponse, ...] = ()
    counters: Counters = Counters()
    pools: tuple[PoolUse, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The whole of it as JSON-ready values."""
        return {
            "leaks": [leak.to_dict() for leak in self.leaks],
            "open": [response.to_dict() for response in self.open],
            "counters": self.counters.to_dict(),
            "pools": [pool.to_dict() for pool in self.pools],
        }

    def _repr_html_(self) -> str:
        """The reports of its leaks, as a notebook shows them."""
        told = "\n\n".join(str(leak) for leak in self.leaks)
        return as_html(told or f"no leaks, {len(self.open)} open")
