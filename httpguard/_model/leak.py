"""What was found, as frozen values: `Leak` and `Snapshot`."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class LeakKind(str, enum.Enum):
    """How a response or a session leaked: the word used in API, logs and metrics."""

    DROPPED = "dropped"
    """Collected by the garbage collector while it held its connection."""
    HELD = "held"
    """Still referenced and open, and nothing read from it for `max_idle`."""
    UNRELEASED = "unreleased"
    """Closed unread in a ``block=True`` pool and never released."""
    OPEN = "open"
    """Still open when a scope that promised to leave nothing open ended."""
    SESSION = "session"
    """A session or pool manager collected with open connections and never closed,
    or one more than ``max_sessions`` made by the same line and still in use."""

    def __str__(self) -> str:
        """The bare word, on every Python version."""
        return self.value


@dataclass(frozen=True, slots=True)
class Frame:
    """One place in a stack.

    Args:
        filename: The source file as Python names it.
        lineno: The line that was being executed, from 1.
        function: The function's name as in a traceback.
        application: Whether the code is the application's own.
        submitted: Whether this line handed the work to an executor or greenlet
            which the frames after it did.
        cut: Whether this is the outermost frame of those that are kept of a line whose
            responses had always ended well: what called it was not kept.
    """

    filename: str
    lineno: int
    function: str
    application: bool = field(default=False, compare=False)
    submitted: bool = field(default=False, compare=False)
    cut: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        """``file:line in function``."""
        return f"{self.filename}:{self.lineno} in {self.function}"


@dataclass(frozen=True, slots=True)
class Leak:
    """The leaks of one kind opened at one site.

    Of a `session` leak the site is the line that made it, `pool` where it went
    first, `alive` how many sessions of the site were in use and `sockets` the
    connections they kept; what is a response's (method, status, bytes) is empty.

    Times of day are UTC; ages and idle times are seconds, of the latest of
    these leaks; `method` to `thread`, `stack` and `bytes_read` are those of the
    latest too. `bytes_read` counts bytes on the wire, `length` is what the
    server announced (None: unknown). `held_by` is, of the first `held` or `open`
    one, the chain of what refers to the response, such as ``app.cache (module
    global) -> [cut: dict['k']] -> Response.raw``, with the step in brackets that a
    person would cut (None: not searched, or not found within `explain`).
    """

    kind: LeakKind
    site: Frame
    stack: tuple[Frame, ...]
    count: int
    resolved: int
    method: str
    url: str
    status: int
    client: str
    pool: str
    thread: str
    first_seen: datetime
    last_seen: datetime
    age: float
    idle: float
    bytes_read: int
    length: int | None
    hint: str
    alive: int = 0
    sockets: int = 0
    held_by: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return _jsonable(self)


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
        return _jsonable(self)


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
        return _jsonable(self)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is open, what leaked, and the counters, at one moment.

    Args:
        leaks: One for each kind and site, the most frequent first.
        open: The responses that hold a connection, the oldest first.
        counters: Whole numbers since `install`: ``opened`` (leases),
            ``released``, ``closed``, one for each leak kind, ``leaks`` (their
            sum), ``resolved``, ``excused`` (would-be leaks under `allow` or
            `ignore`), ``too_many_open`` and ``errors`` (times httpguard failed
            inside and stepped aside). Of all pools, those that are gone too:
            ``connected``, ``reused``, ``discarded``, ``waited`` (as in
            `PoolUse`), ``pool_starved`` (times a pool had a request wait for
            longer than ``max_wait``), ``reclaimed`` and ``held_closed`` (responses
            that ``on_held="close"`` closed).
        pools: The pools in use, by name.
    """

    leaks: tuple[Leak, ...] = ()
    open: tuple[OpenResponse, ...] = ()
    counters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    pools: tuple[PoolUse, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The whole of it as JSON-ready values."""
        return {
            "leaks": [leak.to_dict() for leak in self.leaks],
            "open": [response.to_dict() for response in self.open],
            "counters": dict(self.counters),
            "pools": [pool.to_dict() for pool in self.pools],
        }


_READY: Final = frozenset({str, int, float, bool, type(None)})


def _jsonable(value: Any) -> dict[str, Any]:
    """A dataclass as a dict whose values JSON knows.

    ``dataclasses.asdict`` copies every value deeply: five times as slow.
    """
    return {name: _plain(getattr(value, name)) for name in _names(value.__class__)}


@cache
def _names(kind: type) -> tuple[str, ...]:
    """The names of a dataclass's fields."""
    return tuple(each.name for each in fields(kind))


def _plain(item: Any) -> Any:
    """Enums as their word, datetimes as ISO 8601, tuples as lists."""
    if type(item) in _READY:
        return item
    if is_dataclass(item):
        return _jsonable(item)
    if isinstance(item, enum.Enum):
        return item.value
    if isinstance(item, datetime):
        return item.isoformat()
    if isinstance(item, (list, tuple)):
        return [_plain(part) for part in item]
    return item
